//! Log lines to standard error, as text or as JSON. Standard output belongs to results, so that a pipe
//! gets nothing else. What a line may say is listed ([`fields`]); the rest is left out.

pub mod fields;
mod lines;

use std::io::{self, IsTerminal};

use engine::panics;
use tracing_subscriber::EnvFilter;

use self::lines::Lines;
use crate::config::settings::Log;

/// What this process is doing, which decides how much it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// A service: says what the settings ask for.
    Service,
    /// A command that prints its answer: says only what is amiss, or a log line would stand in the answer.
    Command,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("`log.filter` cannot be read; write a level such as \"info\", or \"info,compline=debug\"")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("logging was started twice")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The driver tells of every connection that it loses, of each slow look for another, and of what the server
/// says to it. What follows from that our own lines say, once.
const QUIET_DRIVER: &str = "sqlx=error,sqlx_core=error";

/// Starts logging for the life of the process; panics are log lines from here on.
pub fn start(log: &Log, voice: Voice) -> Result<(), TelemetryError> {
    let filter = match voice {
        Voice::Service => log.filter.as_str(),
        Voice::Command => "warn",
    };
    let filter = EnvFilter::try_new(format!("{QUIET_DRIVER},{filter}")).map_err(TelemetryError::Filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .fmt_fields(Lines { format: log.format })
        .event_format(Lines { format: log.format })
        .try_init()
        .map_err(TelemetryError::Twice)?;
    panics::report_without_words();
    Ok(())
}
