//! What may soon let nobody in: tokens of services that end, and a platform whose keys cannot be had.

use std::sync::Arc;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use engine::identity::Tokens;
use jobkit::Clock;
use store::tokens::TokenState;

use super::Check;
use crate::app::{App, outgoing};
use crate::cli::exit::{CliError, Exit};
use crate::cli::{print, tokens};
use crate::config::Settings;

/// Long enough to be rotated by whoever is on holiday.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Of those that live: which end soon.
pub async fn tokens(app: &App) -> Check {
    let name = "tokens";
    let found = tokens::every(&Tokens::new(app.store.clone(), app.clock.clone())).await;
    let (mut found, now) = match (found, app.store.now().await) {
        (Ok(found), Ok(now)) => (found, now),
        (Err(error), _) => return Check::fail(name, &error),
        (_, Err(error)) => return Check::fail(name, &error.into()),
    };
    found.retain(|token| token.state(now) == TokenState::Live);
    let soon = |at: jiff::Timestamp| at.duration_since(now).unsigned_abs() <= SOON;
    let ending: Vec<_> = found.iter().filter(|token| soon(token.expires_at)).collect();
    match ending.iter().min_by_key(|token| token.expires_at) {
        None => Check::ok(name, format!("{} of services", print::count(found.len(), "token"))),
        Some(first) => Check::warn(
            name,
            format!(
                "{} end within 14 days, {} first: {}",
                print::count(ending.len(), "token"),
                first.name,
                print::time(first.expires_at)
            ),
            format!("`compline tokens rotate {}`, and bring the new secret to where it is used", first.name),
        ),
    }
}

/// Whether the platform's JWTs can be verified. Nothing to say where there is none.
pub async fn platform(settings: &Settings) -> Option<Check> {
    let name = "platform";
    let own = &settings.identity.platform;
    if !own.is_set() {
        return None;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if let Err(error) = outgoing::platform(settings, &clock) {
        return Some(Check::fail(name, &error.into()));
    }
    if own.roles.is_empty() {
        let remedy = "add [identity.platform.roles], which says what a role of the platform may do here";
        return Some(Check::warn(name, "its people are known and may do nothing", remedy));
    }
    if own.secret.is_some() {
        return Some(Check::ok(name, format!("the secret of {} can be had", own.issuer)));
    }
    let probed = match outgoing::jwks(settings, &clock) {
        Ok(jwks) => jwks.probe().await,
        Err(error) => return Some(Check::fail(name, &error.into())),
    };
    Some(match probed {
        Ok(keys) => Check::ok(name, format!("{} of {}", print::count(keys, "key"), own.issuer)),
        Err(error) => {
            let remedy =
                "let this machine reach identity.platform.jwks_url; keys that a process has go on for a day";
            Check::fail(name, &CliError::new(Exit::Unreachable, store::chain(&error), remedy))
        }
    })
}
