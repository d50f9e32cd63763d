//! `serve` and `work`: the long-running commands. The work itself, and stopping, belong to the app.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use clap::Args;
use engine::worker::Summary;

use super::Call;
use super::exit::{CliError, Exit, Result};
use crate::app::RunOptions;
use crate::app::signals::Signals;
use crate::telemetry::Voice;

#[derive(Debug, Args)]
pub struct WorkArgs {
    /// Work these queues only; else worker.queues, and all when that is empty.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    queues: Vec<String>,
    /// Stop when there is nothing left to do; the exit code is 1 if any job failed for good.
    #[arg(long)]
    until_idle: bool,
}

pub async fn serve(call: &Call) -> Result {
    run(call, RunOptions { auto_listen: Some(AT_HOME), ..RunOptions::default() }).await
}

/// Nobody reaches it from another machine.
const AT_HOME: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

pub async fn work(call: &Call, args: WorkArgs) -> Result {
    if args.queues.iter().any(|queue| queue.trim().is_empty()) {
        return Err(CliError::usage(
            "--queues has an empty name in it",
            "write --queues mail,reports, or leave it out for all queues",
        ));
    }
    run(call, RunOptions { queues: args.queues, until_idle: args.until_idle, ..RunOptions::default() }).await
}

async fn run(call: &Call, options: RunOptions) -> Result {
    let signals = Signals::listen();
    let loaded = call.load(Voice::Service)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    signals.warn_of_unheard();
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    let until_idle = options.until_idle;
    // A store that does not answer may keep it here for long.
    let summary = match signals.stop.run_until_cancelled(super::open(&loaded.settings)).await {
        Some(app) => {
            let app = app?;
            let summary = app.serve(&loaded.settings, RunOptions { signals, ..options }).await;
            app.close().await;
            summary?
        }
        None => {
            tracing::info!("told to stop before it began");
            Summary::default()
        }
    };
    call.print.answer(&summary, || as_text(&summary))?;
    Ok(if until_idle && summary.discarded > 0 { Exit::Failed } else { Exit::Ok })
}

fn as_text(summary: &Summary) -> String {
    let Summary { completed, failed, discarded, cancelled } = summary;
    format!(
        "{completed} completed, {discarded} discarded, {cancelled} cancelled; {failed} failed attempts to be retried"
    )
}
