//! Where ledgers are read and where runs over them write, seen from this machine: the workers may be others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::adapters::databases::DatabasesByName;
use jobkit::Databases;
use journal::adapters::database::describe;
use journal::ingest::RowsError;

use super::Check;
use crate::cli::print;
use crate::config::Settings;

/// A ledger of half a gigabyte puts more aside.
const LEAST_ROOM: u64 = 2 << 30;

pub(super) fn ledgers(settings: &Settings) -> Check {
    let name = "ledgers";
    let roots = &settings.journal.roots;
    let folders = roots.iter().filter(|root| jobkit::roots::address(root).is_none());
    let unreadable = folders.clone().find_map(|root| Some((root, std::fs::read_dir(root).err()?)));
    match unreadable {
        Some((root, error)) => Check::warn(
            name,
            format!("{} cannot be read: {error}", root.display()),
            "make the folder, let this user read it, or take it out of journal.roots",
        ),
        None if roots.is_empty() => Check::ok(name, "journal.roots is empty; no job may read a ledger"),
        None => Check::ok(name, format!("{} can be read", print::count(folders.count(), "folder"))),
    }
}

/// Whether what a run puts aside, and its results, have room. Nothing to say where no job may read a ledger.
pub(super) fn results(settings: &Settings) -> Option<Check> {
    let out_dir = &settings.journal.out_dir;
    if settings.journal.roots.is_empty() {
        return None;
    }
    let free = rustix::fs::statvfs(there(out_dir)).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    Some(match free {
        Ok(free) => room(out_dir, free),
        Err(error) => Check::warn(
            "results",
            format!("{}: how much room there is cannot be told: {error}", out_dir.display()),
            "correct journal.out_dir, or let this user look there",
        ),
    })
}

/// The folder, or the one in which it will be made.
fn there(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|folder| folder.exists());
    found.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).into()
}

fn room(out_dir: &Path, free: u64) -> Check {
    let gib = free as f64 / f64::from(1 << 30);
    let text = format!("{} has room for {gib:.1} GiB", out_dir.display());
    match free < LEAST_ROOM {
        true => Check::warn(
            "results",
            text,
            "make room, or set journal.out_dir to a larger disk: a run needs up to four times the ledger's size there",
        ),
        false => Check::ok("results", text),
    }
}

/// Long enough for a database that has something to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the queries that are ledgers can be asked: each is prepared, and nothing of it is read.
pub(super) async fn queries(settings: &Settings) -> Vec<Check> {
    let databases = DatabasesByName(settings.databases.clone());
    let mut checks = Vec::new();
    for (name, query) in &settings.journal.queries {
        let described = match databases.url(&query.database) {
            Ok(url) => tokio::time::timeout(PATIENCE, describe(&url, &query.sql)).await,
            Err(error) => Ok(Err(RowsError::Refused(error.into()))),
        };
        let described = described.unwrap_or_else(|_| Err(RowsError::Away("it does not answer".into())));
        checks.push(match described {
            Ok((columns, parameters)) => {
                let (columns, parameters) =
                    (print::count(columns.len(), "column"), print::count(parameters, "parameter"));
                Check::ok("queries", format!("query:{name} has {columns} and {parameters}"))
            }
            Err(error) => Check::warn(
                "queries",
                format!("query:{name}: {}", store::chain(&error)),
                format!("mend journal.queries.{name}, or databases.{}", query.database),
            ),
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Health;

    #[test]
    fn less_room_than_a_large_ledger_needs_is_warned_of() {
        for (free, health, text) in [
            (0, Health::Warn, "out has room for 0.0 GiB"),
            (LEAST_ROOM - 1, Health::Warn, "out has room for 2.0 GiB"),
            (LEAST_ROOM, Health::Ok, "out has room for 2.0 GiB"),
            (u64::MAX, Health::Ok, "out has room for 17179869184.0 GiB"),
        ] {
            let check = room(Path::new("out"), free);
            assert_eq!((check.health, check.text.as_str()), (health, text), "{free}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_where_it_will_be() {
        let folder = tempfile::tempdir().unwrap();

        assert_eq!(there(&folder.path().join("results/journal")), folder.path());
        assert_eq!(there(folder.path()), folder.path());
        assert_eq!(there(Path::new("nowhere/results")), Path::new("."));
    }
}
