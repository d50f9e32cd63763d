//! What types cannot say about secrets that are looked after: the family says it.

use super::Findings;
use crate::config::settings::Settings;

pub(super) fn secrets(settings: &Settings, found: &mut Findings) {
    let databases: Vec<&str> = settings.databases.keys().map(String::as_str).collect();
    for (key, problem) in settings.secret_rotation.problems(&databases) {
        found.add(key, problem);
    }
}
