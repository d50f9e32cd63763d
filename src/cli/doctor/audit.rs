//! `doctor` on the audit log: whether it is signed and kept elsewhere, and whether that goes well.

use std::path::Path;

use engine::alerts::{AUDIT_ANCHOR_BEHIND, AUDIT_REFUSED};
use store::AlertFilter;

use super::Check;
use crate::app::{self, App};
use crate::cli::exit::CliError;
use crate::cli::print;
use crate::config::settings::Settings;

/// Whether the audit log is signed, and kept outside of the database.
pub fn kept(settings: &Settings) -> Check {
    let name = "audit";
    // The first checkpoint makes the folder, and not what it is to be in.
    let is_away = |folder: &Path| {
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        !folder.is_dir() && !above.is_none_or(Path::is_dir)
    };
    let folders = settings.audit.anchors.iter().filter(|(_, anchor)| anchor.bucket.is_empty());
    let away = folders.into_iter().find(|(_, anchor)| is_away(&anchor.directory));
    if let Some((anchor, settings)) = away {
        return Check::warn(
            name,
            format!(
                "anchor {anchor}: neither {} is there nor what it is to be in",
                settings.directory.display()
            ),
            "mount the folder; what is signed meanwhile is taken there with the next checkpoint",
        );
    }
    match (app::audit::secret(&settings.audit), settings.audit.anchors.len()) {
        (Err(error), _) => Check::fail(name, &CliError::from_chain(error)),
        (Ok(None), _) => Check::warn(
            name,
            "audit.key is not set: entries are hashed, and nothing is signed",
            "make a key with `compline audit key create`, and set audit.key and two anchors",
        ),
        (Ok(Some(_)), 0) => Check::warn(
            name,
            "the log is signed and kept nowhere else: whoever owns the database can set it back",
            "add [audit.anchors.NAME] outside of the database's machine, two of them at best",
        ),
        (Ok(Some(secret)), anchors) => Check::ok(
            name,
            format!("signed as {}, kept in {}", secret.vkey().name(), print::count(anchors, "anchor")),
        ),
    }
}

/// What whoever signs has told people of, and is so still.
pub async fn refused(app: &App) -> Vec<Check> {
    let name = "audit";
    let rules = vec![AUDIT_REFUSED.into(), AUDIT_ANCHOR_BEHIND.into()];
    let filter = AlertFilter { open: true, rules, limit: Some(10), ..AlertFilter::default() };
    match app.store.alerts(&filter).await {
        Err(error) => vec![Check::fail(name, &error.into())],
        Ok(open) => {
            let remedy =
                "`compline audit verify` says what does not fit; docs/operations/audit-log.md has the rest";
            open.into_iter().map(|alert| Check::warn(name, alert.text, remedy)).collect()
        }
    }
}
