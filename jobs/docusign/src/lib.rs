//! The DocuSign family: an envelope is sent exactly once, tracked to its end, and its signed documents are archived.
//!
//! The way of an envelope through the files of this crate: [`args`] say what is wanted and are checked; [`send_envelope`] makes a draft, stores its id and sends it;
//! [`connect`] believes what DocuSign delivers, and [`apply_event`] makes of it where the envelope stands, by the rules of [`phase`]; [`reconcile`] asks for whatever
//! nobody told; [`archive`] fetches what was signed. [`void`] and [`remind`] are for people. What is kept of an envelope is one record, [`envelope`].
//!
//! How the provider is spoken to is behind one port, [`provider`], with DocuSign as its adapter ([`adapters`]); what follows when it fails is one table, [`calls`]; an
//! account whose sign-in fails is parked ([`account`]). [`doctor`] says what is wrong with it. What an auditor reads of envelopes is in [`evidence`].

use std::sync::Arc;
use std::time::Duration;

use jobkit::records::{Record, RecordId};
use jobkit::{Clock, Ctx, Failure, Outcome, Registry};

pub mod account;
pub mod adapters;
pub mod apply_event;
pub mod archive;
pub mod args;
pub mod calls;
pub mod config;
pub mod connect;
pub mod doctor;
mod documents;
pub mod envelope;
pub mod evidence;
mod kind;
mod known;
pub mod phase;
pub mod provider;
pub mod reconcile;
pub mod remind;
pub mod send_envelope;
#[cfg(test)]
mod tests;
pub mod void;

pub use account::{Account, Accounts};
pub use apply_event::ApplyEvent;
pub use archive::Archive;
pub use args::SendEnvelopeArgs;
pub use config::{AccountConfig, Config};
pub use reconcile::Reconcile;
pub use remind::Remind;
pub use send_envelope::SendEnvelope;
pub use void::Void;

use adapters::docusign::{DocuSign, Http};

/// The rules of alerts that the family raises.
pub const RULES: [&str; 2] = [account::PARKED, reconcile::UNRESOLVED];

/// The accounts of the configuration, each with its way to DocuSign. The client follows no redirect, and believes whom the house believes.
pub fn accounts(config: &Config, http: &Http, clock: &Arc<dyn Clock>) -> Accounts {
    let account = |(name, account): (&String, &AccountConfig)| {
        let provider = DocuSign::new(account.clone(), http.clone(), clock.clone());
        Account {
            name: name.clone(),
            installation: Some(config.installation.clone()).filter(|name| !name.is_empty()),
            config: account.clone(),
            provider: Arc::new(provider),
        }
    };
    Accounts::new(config.accounts.iter().map(account))
}

/// Adds the family's kinds, its door, its rules, and what it says in the evidence pack.
pub fn register(registry: &mut Registry, config: &Config, accounts: Accounts) {
    registry.add(SendEnvelope { accounts: accounts.clone(), roots: config.roots.clone() });
    registry.add(ApplyEvent { accounts: accounts.clone() });
    registry.add(Reconcile { accounts: accounts.clone() });
    registry.add(Archive { accounts: accounts.clone() });
    registry.add(Void { accounts: accounts.clone() });
    registry.add(Remind { accounts: accounts.clone() });
    registry.add_door(connect::door(accounts));
    registry.add_theme(&evidence::ENVELOPES);
    for rule in RULES {
        registry.add_rule(rule);
    }
}

fn check_key(key: &str) -> Result<(), String> {
    match key.trim().is_empty() || key.len() > jobkit::records::LONGEST_KEY || key.contains(char::is_control)
    {
        true => Err("key: the one that the envelope was sent with".into()),
        false => Ok(()),
    }
}

fn missing(id: &RecordId) -> String {
    format!("key: there is no envelope `{}`; `compline docusign status` lists them", id.key)
}

/// Holds the record of an envelope for which another job has but little left to do: its messages come together, and each is a job.
async fn hold_soon(ctx: &Ctx, id: &RecordId) -> Result<Option<Record>, Failure> {
    const WAITS: [u64; 4] = [50, 100, 200, 400];
    for wait in WAITS {
        if let Some(held) = ctx.records().hold(ctx, id).await? {
            return Ok(Some(held));
        }
        // Nothing is waited for that is not there.
        if ctx.records().get(ctx, id).await?.is_none() {
            return Ok(None);
        }
        ctx.sleep(Duration::from_millis(wait)).await?;
    }
    Ok(ctx.records().hold(ctx, id).await?)
}

/// Why a record could not be held.
async fn busy_or_missing(ctx: &Ctx, id: &RecordId) -> Result<Outcome, Failure> {
    match ctx.records().get(ctx, id).await? {
        Some(_) => Ok(Outcome::Snooze(send_envelope::BUSY)),
        None => Err(Failure::permanent(missing(id))),
    }
}
