//! How long what somebody signed in with may be used.

use std::time::Duration;

use engine::identity::access::ISSUER;
use engine::units::format_duration;
use engine::webhooks::target::Target;

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
    if own.platform != engine::identity::platform::settings::Platform::default() {
        platform(settings, found);
    }
}

/// Clocks that are set by NTP differ by less.
const LONGEST_LEEWAY: Duration = Duration::from_secs(30);
/// What nobody can take back should not be good for longer.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Whose JWTs are believed, and by which key; each is said once and plainly.
fn platform(settings: &Settings, found: &mut Findings) {
    let own = &settings.identity.platform;
    let mut add = |key: &str, problem: &str| found.add(format!("identity.platform.{key}"), problem);
    for (key, text) in [
        ("issuer", &own.issuer),
        ("audience", &own.audience),
        ("subject_claim", &own.subject_claim),
        ("role_claim", &own.role_claim),
    ] {
        if text.is_empty() {
            add(key, "must not be empty where a platform is described");
        }
    }
    if own.issuer == ISSUER {
        add("issuer", "is what our own tokens are called; name the platform");
    }
    if settings.identity.key.is_none() {
        add("issuer", "needs identity.key: the audit log has people by a code under it");
    }
    match (&own.secret, own.jwks_url.is_empty()) {
        (None, true) => add("jwks_url", "set it, or secret for HS256: one of them says which key is right"),
        (Some(_), false) => add("jwks_url", "stands beside secret; keep one of them"),
        (Some(_), true) if own.algorithms.iter().any(|one| !one.is_shared()) || own.algorithms.is_empty() => {
            add("algorithms", "must be [\"HS256\"], which is all that a secret can verify");
        }
        (None, false) if own.algorithms.iter().any(|one| one.is_shared()) || own.algorithms.is_empty() => {
            add(
                "algorithms",
                "must be any of RS256, ES256 and EdDSA: keys that anybody can fetch are no secrets",
            );
        }
        _ => {}
    }
    if !own.jwks_url.is_empty()
        && let Err(problem) = Target::parse(&own.jwks_url)
    {
        add("jwks_url", &problem);
    }
    if own.leeway > LONGEST_LEEWAY {
        add("leeway", &format!("must be at most \"{}\"", format_duration(LONGEST_LEEWAY)));
    }
    if own.max_age.is_zero() || own.max_age > LONGEST_AGE {
        add("max_age", &format!("must be from \"1s\" to \"{}\"", format_duration(LONGEST_AGE)));
    }
}
