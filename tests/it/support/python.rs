//! The Python that `scripts/test` makes for tests.

use std::path::Path;
use std::process::Command;

/// A script of `tests/python`.
pub fn script(name: &str) -> Command {
    let python = std::env::var_os("COMPLINE_TEST_PYTHON").unwrap_or_else(|| {
        panic!(
            "COMPLINE_TEST_PYTHON is not set: run scripts/test, or point it to the python of a virtual \
             environment with tests/python/requirements.txt"
        )
    });
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name));
    command
}
