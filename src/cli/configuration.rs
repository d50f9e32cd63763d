//! `config`: is it right, and what holds.

use std::sync::Arc;

use clap::Subcommand;
use engine::adapters::clock::SystemClock;
use engine::http::Token;
use engine::seal::Keyring;
use engine::triggers::webhook::Hook;
use jobkit::Clock;
use serde_json::json;

use super::exit::{CliError, Exit, Result};
use super::{Call, print};
use crate::app::outgoing;
use crate::cli::print::row;
use crate::config::{self, ConfigError, Explained};

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Check every key, and that every secret can be had.
    Check,
    /// Show every key, its value, and where it came from; secrets are not shown.
    Show,
}

pub fn run(call: &Call, command: &Config) -> Result {
    let loaded = config::load(call.file.as_deref())?;
    match command {
        Config::Check => {
            let missing = loaded.missing_secrets();
            if !missing.is_empty() {
                let remedy = "set them where this runs, or point the references elsewhere";
                return Err(CliError::from(ConfigError::Problems(missing)).remedy(remedy));
            }
            crate::app::redis(&loaded.settings)?;
            for (name, hook) in &loaded.settings.triggers.webhooks {
                Hook::load(name, hook).map_err(CliError::from_chain)?;
            }
            Keyring::load(&loaded.settings.encryption).map_err(CliError::from_chain)?;
            loaded.settings.http.token.as_ref().map(Token::load).transpose()?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
            let webhooks = outgoing::webhooks(&loaded.settings, clock.clone())?;
            outgoing::platform(&loaded.settings, &clock)?;
            outgoing::courier(&loaded.settings, webhooks, clock)?;
            let file = loaded.file.as_ref().map(|file| file.display().to_string());
            let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
            call.print.answer(&json!({ "ok": true, "file": file, "warnings": warnings }), || {
                let mut lines: Vec<_> =
                    warnings.iter().map(|warning| format!("warning: {warning}")).collect();
                let from = file.as_deref().unwrap_or("the defaults and the environment");
                lines.push(format!("the configuration is valid ({from})"));
                lines.join("\n")
            })?;
        }
        Config::Show => {
            let lines = loaded.explain();
            let as_json = |line: &Explained| json!({ "key": line.key, "value": line.value, "origin": line.origin.to_string() });
            call.print.answer(&lines.iter().map(as_json).collect::<Vec<_>>(), || {
                let rows: Vec<_> = lines
                    .iter()
                    .map(|line| row![line.key.as_str(), line.value.to_string(), line.origin.to_string()])
                    .collect();
                print::table(&["KEY", "VALUE", "FROM"], &rows)
            })?;
        }
    }
    Ok(Exit::Ok)
}
