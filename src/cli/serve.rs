//! `serve` and `work`: the long-running commands. The work itself, and stopping, belong to the app.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use clap::Args;
use engine::worker::Summary;

use super::Call;
use super::exit::{CliError, Exit, Result};
use crate::app::RunOptions;
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
    let loaded = call.load(Voice::Service)?;
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    let until_idle = options.until_idle;
    let app = super::open(&loaded.settings).await?;
    let summary = app.serve(&loaded.settings, options).await;
    app.close().await;
    let summary = summary?;
    call.print.answer(&summary, || as_text(&summary))?;
    Ok(if until_idle && summary.discarded > 0 { Exit::Failed } else { Exit::Ok })
}

fn as_text(summary: &Summary) -> String {
    let Summary { completed, failed, discarded, cancelled } = summary;
    format!(
        "{completed} completed, {discarded} discarded, {cancelled} cancelled; {failed} failed attempts to be retried"
    )
}
