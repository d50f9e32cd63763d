//! Writes a file where artifacts are kept, reads it and deletes it; and says where a folder holds nothing of ours.

use engine::adapters::artifacts::{DirArtifacts, Root};
use store::chain;

use super::Check;
use crate::app;
use crate::cli::exit::{CliError, Exit};
use crate::config::Settings;

pub(super) async fn artifacts(settings: &Settings) -> Check {
    let name = "artifacts";
    let store = match app::artifacts::store(settings) {
        Ok(store) => store,
        Err(error) => return Check::fail(name, &error.into()),
    };
    let url = &settings.artifacts.url;
    let (place, exit, remedy) = match url.is_empty() {
        true => (
            settings.artifacts.directory.display().to_string(),
            Exit::Failed,
            "let this user write there, or set artifacts.directory".to_owned(),
        ),
        false => (
            url.clone(),
            Exit::Unreachable,
            format!(
                "look at artifacts.url and its section, and let the key put, get, list and delete below {url}; jobs that leave files are tried again until it works"
            ),
        ),
    };
    match store.probe().await {
        Ok(()) => Check::ok(name, format!("{place} can be written{}", known(settings))),
        Err(error) => Check::fail(
            name,
            &CliError::new(exit, format!("{place} cannot be written: {}", chain(&error)), remedy),
        ),
    }
}

/// An empty folder may be new, or the place where a disk should be: only people know which.
fn known(settings: &Settings) -> &'static str {
    let root = || DirArtifacts::new(&settings.artifacts.directory).root();
    match settings.artifacts.url.is_empty().then(root) {
        Some(Ok(Root::Unused)) => "; nothing was kept there yet, or its disk is not mounted",
        _ => "",
    }
}
