//! What types cannot say about the settings of a run over a ledger: the family says it.

use super::Findings;
use crate::config::keys::dotted;
use crate::config::settings::Settings;

pub(super) fn journal(settings: &Settings, found: &mut Findings) {
    if let Err(problem) = journal::Config::check_partitions(settings.journal.partitions) {
        found.add("journal.partitions".to_owned(), problem);
    }
    if let Err(error) = settings.journal.settings.check() {
        found.add(format!("journal.settings.{}", error.place), error.problem);
    }
    for (name, query) in &settings.journal.queries {
        let at = |key: &str| dotted(&["journal".into(), "queries".into(), name.clone(), key.into()]);
        if let Some((key, problem)) = query.problem() {
            found.add(at(key), problem);
        } else if !settings.databases.contains_key(&query.database) {
            let database = &query.database;
            let problem = format!("the database `{database}` is not configured; add [databases.{database}]");
            found.add(at("database"), problem);
        }
    }
}
