//! `doctor`: looks at each thing Compline needs, and says what is amiss and what to do about it. It
//! changes nothing in the store.

mod access;
mod approvals;
mod artifacts;
mod audit;
mod buckets;
mod envelopes;
mod journal;
mod outgoing;
mod secrets;
mod uploads;

use std::time::Duration;

use engine::adapters::clock::SystemClock;
use engine::http::Token;
use engine::seal::Keyring;
use engine::units::format_duration;
use jobkit::Clock;
use serde::Serialize;
use store::{Isolation, Schema, Scope, chain};

use super::exit::{CliError, Exit, Result};
use super::{Call, print};
use crate::app::{self, App};
use crate::config::listen::Listen;
use crate::config::{self, Settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    health: Health,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

/// Above this, logs of two machines no longer tell what came first.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

impl Check {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, health: Health::Ok, text: text.into(), remedy: None, exit: Exit::Ok }
    }

    fn warn(name: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { health: Health::Warn, remedy: Some(remedy.into()), ..Self::ok(name, text) }
    }

    fn fail(name: &'static str, error: &CliError) -> Self {
        let exit = error.exit;
        let remedy = error.remedy_text().map(String::from);
        Self { health: Health::Fail, remedy, exit, ..Self::ok(name, error.with_causes()) }
    }
}

pub async fn run(call: &Call) -> Result {
    let mut checks = Vec::new();
    match config::load(call.file.as_deref()) {
        Err(error) => checks.push(Check::fail("configuration", &error.into())),
        Ok(loaded) => {
            let from = loaded.file.as_ref().map(|file| file.display().to_string());
            let from = from.unwrap_or_else(|| "defaults and environment".into());
            checks.push(Check::ok("configuration", from));
            for warning in &loaded.warnings {
                checks.push(Check::warn("configuration", format!("`{}`", warning.key), warning.text.clone()));
            }
            checks.extend(store(&loaded.settings).await);
            checks.push(redis(&loaded.settings).await);
            checks.push(artifacts::artifacts(&loaded.settings).await);
            checks.extend(uploads::uploads(&loaded.settings).await);
            checks.extend(buckets::buckets(&loaded.settings).await);
            checks.extend(envelopes::accounts(&loaded.settings).await);
            checks.extend(secrets::secrets(&loaded.settings).await);
            checks.push(journal::ledgers(&loaded.settings));
            checks.extend(journal::results(&loaded.settings));
            checks.extend(journal::queries(&loaded.settings).await);
            checks.extend(folders(&loaded.settings));
            checks.push(encryption(&loaded.settings));
            checks.push(audit::kept(&loaded.settings));
            checks.extend(outgoing::outgoing(&loaded.settings).await);
            checks.push(http(&loaded.settings));
            checks.extend(access::platform(&loaded.settings).await);
        }
    }
    call.print.answer(&checks, || report(call, &checks))?;
    Ok(checks.iter().map(|check| check.exit).find(|exit| *exit != Exit::Ok).unwrap_or(Exit::Ok))
}

async fn store(settings: &Settings) -> Vec<Check> {
    let name = "store";
    if let Some(missing) = missing_file(settings) {
        return vec![missing];
    }
    let app = match App::connect(settings).await {
        Ok(app) => app,
        Err(error) => return vec![Check::fail(name, &error.into())],
    };
    let checks = ask(settings, &app).await;
    app.close().await;
    checks
}

/// SQLite makes a file that is not there; looking should not.
fn missing_file(settings: &Settings) -> Option<Check> {
    let path = app::missing_file(settings)?;
    let remedy = match settings.store.migrate_at_start {
        true => "the first command that needs it makes it",
        false => "run `compline migrate`",
    };
    Some(Check::warn("store", format!("there is no database at {} yet", path.display()), remedy))
}

async fn ask(settings: &Settings, app: &App) -> Vec<Check> {
    let name = "store";
    let clock = SystemClock::new();
    let (asked, before) = (clock.steady(), clock.now());
    let there = match app.store.now().await {
        Ok(there) => there,
        Err(error) => return vec![Check::fail(name, &CliError::from(error))],
    };
    let took = clock.steady().saturating_sub(asked);
    // The answer was made somewhere between asking and hearing it.
    let apart = there.duration_since(before).unsigned_abs().saturating_sub(took);
    let reached = match app.store.writable().await {
        Ok(()) => Check::ok(name, format!("{} answers in {}", settings.store.url, print::took(took))),
        Err(error) => Check::fail(name, &error.into()),
    };
    let clocks = match apart > CLOCKS_DIFFER {
        true => Check::warn(
            "clock",
            format!("this machine and the store differ by {}", format_duration(apart)),
            "set both by NTP; the store's clock decides what is due",
        ),
        false => Check::ok("clock", "this machine and the store agree"),
    };
    let mut checks = vec![reached];
    let schema = schema(settings, app).await;
    let readable = schema.health == Health::Ok;
    checks.extend([schema, clocks]);
    // A schema that is too old has neither to look at.
    if readable {
        checks.extend([
            schedules(app).await,
            limits(settings, app).await,
            access::tokens(app).await,
            tenants(app).await,
        ]);
        checks.extend(approvals::approvals(settings, app).await);
        checks.extend(audit::refused(app).await);
        if !settings.docusign.accounts.is_empty() {
            checks.push(envelopes::installation(settings, app).await);
        }
    }
    checks
}

/// What is amiss with schedules: that the store says something else than the configuration, or that one could
/// not fire.
async fn schedules(app: &App) -> Check {
    let name = "schedules";
    if let Err(error) = app.scheduler.check_declared() {
        return Check::fail(name, &error.into());
    }
    let schedules = match app.scheduler.list(&Scope::Installation).await {
        Ok(schedules) => schedules,
        Err(error) => return Check::fail(name, &error.into()),
    };
    let drift = schedules.iter().find_map(|schedule| Some((schedule, schedule.drift?)));
    if let Some((schedule, drift)) = drift {
        let text = format!("{} {}", schedule.name, drift.text());
        return Check::warn(name, text, "start or restart a worker with this configuration, or correct it");
    }
    match schedules.iter().find(|schedule| schedule.last_error.is_some()) {
        Some(schedule) => Check::warn(
            name,
            format!("{} could not enqueue its last job", schedule.name),
            format!("`compline schedules show {}` says why", schedule.name),
        ),
        None => Check::ok(name, print::count(schedules.len(), "schedule")),
    }
}

/// Whether the database keeps tenants apart, or our statements alone do.
async fn tenants(app: &App) -> Check {
    let name = "tenants";
    match app.store.isolation().await {
        Err(error) => Check::fail(name, &error.into()),
        Ok(Isolation::Statements) => Check::ok(name, "kept apart by our statements; no policies are used"),
        Ok(Isolation::Policies { amiss, .. }) if amiss.is_empty() => {
            Check::ok(name, "kept apart by our statements, and by policies of the database")
        }
        Ok(Isolation::Policies { amiss, required }) => {
            let told = amiss.join("; ");
            let remedy =
                "docs/operations/tenants.md has a remedy for each; `compline migrate` sets up what it may";
            match required {
                true => Check::fail(name, &CliError::new(Exit::Failed, told, remedy)),
                false => Check::warn(name, told, remedy),
            }
        }
    }
}

async fn limits(settings: &Settings, app: &App) -> Check {
    let name = "limits";
    match app.store.limits().await {
        Err(error) => Check::fail(name, &error.into()),
        Ok(set) if set.rules == settings.rules() => {
            Check::ok(name, print::count(set.rules.iter().count(), "limit"))
        }
        Ok(_) => Check::warn(
            name,
            "the limits in force are others than those of this configuration",
            "give every process the same [limits], and start one that works again: the last to start has its way",
        ),
    }
}

async fn schema(settings: &Settings, app: &App) -> Check {
    let name = "schema";
    match app.store.schema().await {
        Err(error) => Check::fail(name, &error.into()),
        Ok(schema) if schema.suffices() => Check::ok(name, format!("version {}", schema.found)),
        Ok(Schema { found, needed }) => {
            let text = format!("is at version {found}, and this program needs {needed}");
            match settings.store.migrate_at_start {
                true => Check::warn(name, text, "the next command that needs the store brings it up to date"),
                false => Check::fail(name, &CliError::new(Exit::Failed, text, "run `compline migrate`")),
            }
        }
    }
}

async fn redis(settings: &Settings) -> Check {
    let name = "redis";
    let redis = match app::redis(settings) {
        Ok(Some(redis)) => redis,
        Ok(None) => return Check::ok(name, "redis.url is empty; nothing goes through Redis"),
        Err(error) => return Check::fail(name, &error.into()),
    };
    let clock = SystemClock::new();
    let asked = clock.steady();
    match redis.server().await {
        Err(error) => {
            let remedy = "start Redis, or correct redis.url; nothing is lost meanwhile, only slower";
            Check::fail(name, &CliError::new(Exit::Unreachable, chain(&error), remedy))
        }
        Ok(server) => {
            let took = print::took(clock.steady().saturating_sub(asked));
            let text = format!("{} answers in {took}, version {}", settings.redis.url, server.version);
            match server.unfit() {
                None => Check::ok(name, text),
                Some((problem, remedy)) => Check::warn(name, format!("{text}; {problem}"), remedy),
            }
        }
    }
}

/// What folder triggers look at, seen from this machine; buckets are looked into for themselves. Nothing to say where
/// there is none.
fn folders(settings: &Settings) -> Option<Check> {
    let name = "triggers";
    let folders = settings.triggers.folders.iter();
    let folders: Vec<_> =
        folders.filter(|(_, folder)| jobkit::roots::address(&folder.path).is_none()).collect();
    let unreadable = folders
        .iter()
        .find_map(|(name, folder)| Some((name, &folder.path, std::fs::read_dir(&folder.path).err()?)));
    match unreadable {
        _ if folders.is_empty() => None,
        Some((trigger, path, error)) => Some(Check::warn(
            name,
            format!("folder trigger {trigger}: {} cannot be read: {error}", path.display()),
            "make or mount the folder, or let this user read it; what comes in meanwhile waits there",
        )),
        None => Some(Check::ok(name, format!("{} can be read", print::count(folders.len(), "folder")))),
    }
}

fn encryption(settings: &Settings) -> Check {
    let name = "encryption";
    match Keyring::load(&settings.encryption) {
        Err(error) => Check::fail(name, &CliError::from_chain(error)),
        Ok(ring) if ring.can_seal() => Check::ok(
            name,
            format!(
                "key {} of {}",
                settings.encryption.current,
                print::count(settings.encryption.keys.len(), "key")
            ),
        ),
        Ok(_) => Check::ok(name, "no key is set; no kind is encrypted"),
    }
}

/// Whether the API can be opened; who else listens there only starting it can tell.
fn http(settings: &Settings) -> Check {
    let name = "http";
    match settings.http.token.as_ref().map(Token::load) {
        _ if settings.http.listen == Listen::Off => Check::ok(name, "http.listen is off"),
        Some(Err(error)) => Check::fail(name, &error.into()),
        Some(Ok(_)) => {
            Check::ok(name, format!("the token can be had; http.listen is {}", settings.http.listen))
        }
        None if settings.identity.key.is_some() => {
            Check::ok(name, "no token of the installation is set; people and services come in by their own")
        }
        None => Check::ok(
            name,
            "no token is set; only health, signed deliveries and tokens of services are served",
        ),
    }
}

fn report(call: &Call, checks: &[Check]) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let (word, colour) = match check.health {
            Health::Ok => ("ok  ", "32"),
            Health::Warn => ("warn", "33"),
            Health::Fail => ("FAIL", "31"),
        };
        let word = if call.print.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.into() };
        lines.push(format!("{word}  {:<13}  {}", check.name, print::plain(&check.text)));
        lines
            .extend(check.remedy.as_ref().map(|remedy| format!("{:21}remedy: {}", "", print::plain(remedy))));
    }
    lines.join("\n")
}
