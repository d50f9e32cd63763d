//! Whether each secret that is looked after lets its readers in.

use super::Check;
use crate::app;
use crate::cli::exit::{CliError, Exit};
use crate::cli::secrets::examine;
use crate::config::Settings;

/// Nothing to say where none is looked after.
pub(super) async fn secrets(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    for managed in app::secrets(settings).all() {
        checks.push(match examine(managed).await {
            Ok(text) => Check::ok("secrets", format!("`{}`: {text}", managed.name)),
            Err(text) => {
                let text = format!("`{}`: {text}", managed.name);
                Check::fail(
                    "secrets",
                    &CliError::new(Exit::Unreachable, text, "docs/operations/secrets.md says what to do"),
                )
            }
        });
    }
    checks
}
