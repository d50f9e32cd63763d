//! `workers`: who works, and when each was last heard of.

use clap::Subcommand;
use engine::http::view::Worker;
use engine::units::format_duration;
use store::WorkerRow;

use super::exit::{Exit, Result};
use super::{Call, print};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Workers {
    /// List the workers that are registered.
    List,
}

pub async fn run(call: &Call, command: &Workers) -> Result {
    let Workers::List = command;
    call.with_app(async |app| {
        let workers = app.store.workers().await?;
        let json: Vec<_> = workers.iter().cloned().map(Worker::from).collect();
        call.print.answer(&json, || listing(&workers))?;
        Ok(Exit::Ok)
    })
    .await
}

fn listing(workers: &[WorkerRow]) -> String {
    if workers.is_empty() {
        return "no workers are registered; start one with `compline work`".into();
    }
    let rows: Vec<_> = workers
        .iter()
        .map(|worker| {
            row![
                worker.id.0.to_string(),
                worker.name.as_str(),
                worker.version.as_str(),
                print::time(worker.started_at),
                print::time(worker.beat_at),
                format_duration(worker.lease),
                if worker.queues.is_empty() { "all".into() } else { worker.queues.join(",") },
            ]
        })
        .collect();
    print::table(&["ID", "NAME", "VERSION", "STARTED", "LAST HEARD OF", "LEASE", "QUEUES"], &rows)
}
