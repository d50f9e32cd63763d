//! What `scripts/test` installs of Node for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A script of `tests/node`.
pub fn script(name: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(name));
    command.env("COMPLINE_TEST_NODE", home());
    command
}

/// A program of a package.
pub fn program(name: &str) -> Command {
    Command::new(home().join("node_modules/.bin").join(name))
}

fn home() -> PathBuf {
    std::env::var_os("COMPLINE_TEST_NODE").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "COMPLINE_TEST_NODE is not set: run scripts/test, or point it to a directory with the packages of \
             tests/node/package-lock.json"
        )
    })
}
