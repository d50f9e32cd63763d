//! What types cannot say about the settings of a run over a ledger: the family says it.

use super::Findings;
use crate::config::settings::Settings;

pub(super) fn journal(settings: &Settings, found: &mut Findings) {
    if let Err(problem) = journal::Config::check_partitions(settings.journal.partitions) {
        found.add("journal.partitions".to_owned(), problem);
    }
    if let Err(error) = settings.journal.settings.check() {
        found.add(format!("journal.settings.{}", error.place), error.problem);
    }
}
