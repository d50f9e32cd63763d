//! How long what somebody signed in with may be used.

use std::time::Duration;

use engine::units::format_duration;

use super::Findings;
use crate::config::settings::Settings;

const SHORTEST_ACCESS: Duration = Duration::from_secs(60);
/// A token that was stolen is checked against its session each time, but need not be good for longer.
const LONGEST_ACCESS: Duration = Duration::from_secs(3_600);
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 24 * 3_600);

pub(super) fn identity(settings: &Settings, found: &mut Findings) {
    let own = &settings.identity;
    if !(SHORTEST_ACCESS..=LONGEST_ACCESS).contains(&own.access_life) {
        let (least, most) = (format_duration(SHORTEST_ACCESS), format_duration(LONGEST_ACCESS));
        found.add("identity.access_life", format!("must be from \"{least}\" to \"{most}\""));
    }
    if own.session_idle < own.access_life {
        found.add(
            "identity.session_idle",
            format!("must be at least identity.access_life, \"{}\"", format_duration(own.access_life)),
        );
    }
    if own.session_life < own.session_idle || own.session_life > LONGEST_SESSION {
        let (least, most) = (format_duration(own.session_idle), format_duration(LONGEST_SESSION));
        found.add(
            "identity.session_life",
            format!("must be from identity.session_idle, \"{least}\", to \"{most}\""),
        );
    }
}
