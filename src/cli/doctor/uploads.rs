//! Looks at the disk for uploads and at who scans them.

use engine::adapters::clock::SystemClock;
use engine::uploads::Uploads;
use engine::uploads::scanner::{Scanner, too_old};
use jobkit::Clock;
use store::chain;

use super::Check;
use crate::app::uploads::clamav;
use crate::cli::exit::{CliError, Exit};
use crate::config::Settings;

pub(super) async fn uploads(settings: &Settings) -> Vec<Check> {
    vec![directory(settings), scanner(settings).await]
}

fn directory(settings: &Settings) -> Check {
    let directory = &settings.uploads.directory;
    match Uploads::probe(directory) {
        Ok(()) => Check::ok("uploads", format!("{} can be written", directory.display())),
        Err(error) => Check::fail(
            "uploads",
            &CliError::new(
                Exit::Failed,
                format!("{} cannot be written: {error}", directory.display()),
                "let this user write there, or set uploads.directory",
            ),
        ),
    }
}

async fn scanner(settings: &Settings) -> Check {
    let name = "scanner";
    let scanner = match clamav(&settings.uploads) {
        Ok(Some(scanner)) => scanner,
        Ok(None) => return Check::ok(name, "uploads.clamav is empty; uploads are not scanned"),
        Err(error) => return Check::fail(name, &error.into()),
    };
    match scanner.look().await {
        Err(error) => {
            let remedy = "start clamd, or correct uploads.clamav; no upload is taken until it answers";
            Check::fail(name, &CliError::new(Exit::Unreachable, chain(&error), remedy))
        }
        Ok(known) => match too_old(&known, scanner.oldest, SystemClock::new().now()) {
            Some(problem) => {
                Check::warn(name, problem, "look at freshclam, which fetches them, and at its log")
            }
            None if known.at.is_none() => Check::warn(
                name,
                format!("{} answers, and knows no signatures of its makers", known.version),
                "let freshclam fetch them, unless it has others of yours",
            ),
            None => Check::ok(name, format!("{} answers", known.version)),
        },
    }
}
