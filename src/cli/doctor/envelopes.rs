//! Signs in to each account of DocuSign, and reads nothing.

use std::sync::Arc;

use docusign::doctor::examine;
use engine::adapters::clock::SystemClock;
use jobkit::Clock;

use super::Check;
use crate::app::{App, outgoing};
use crate::cli::exit::{CliError, Exit};
use crate::config::Settings;

/// By which name DocuSign knows our envelopes from others'.
pub(super) async fn installation(settings: &Settings, app: &App) -> Check {
    let name = "docusign";
    match (settings.docusign.installation.as_str(), app.store.installation().await) {
        ("", Ok(drawn)) => Check::ok(name, format!("envelopes carry the name of this installation, {drawn}")),
        (given, Ok(_)) => Check::ok(name, format!("envelopes carry the name {given}")),
        (_, Err(error)) => Check::fail(name, &CliError::from(error)),
    }
}

/// Nothing to say where there is no account.
pub(super) async fn accounts(settings: &Settings) -> Vec<Check> {
    let name = "docusign";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let accounts = match outgoing::docusign_accounts(settings, &clock) {
        Ok(accounts) => accounts,
        Err(error) => return vec![Check::fail(name, &CliError::from_chain(error))],
    };
    let mut checks = Vec::new();
    for account in accounts.all() {
        let wrong = examine(account).await.into_iter().find_map(|finding| {
            let what = finding.what;
            finding.found.err().map(|text| format!("account `{}`, {what}: {text}", account.name))
        });
        checks.push(match wrong {
            None => Check::ok(name, format!("account `{}` can be signed in to", account.name)),
            Some(text) => {
                let remedy = format!("compline docusign doctor --account {} has all of it", account.name);
                Check::fail(name, &CliError::new(Exit::Unreachable, text, remedy))
            }
        });
    }
    checks
}
