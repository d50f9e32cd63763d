//! `queues`: what waits where, and stopping and starting a queue everywhere at once.

use clap::Subcommand;
use serde_json::json;
use store::state::JobState;
use store::{QueueRow, Scope};

use super::exit::{Exit, Result};
use super::{Call, Until, actor, print};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Queues {
    /// List the queues with their jobs by state.
    List,
    /// Stop taking jobs from a queue, in every process; running jobs go on.
    Pause {
        queue: String,
        /// When it ends by itself: a time such as 2026-01-31T09:00:00Z, or from now ("30m").
        #[arg(long, value_name = "TIME|DURATION", value_parser = super::until)]
        until: Option<Until>,
        /// Why; shown in the listing and kept in the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take jobs from a queue again.
    Resume { queue: String },
}

pub async fn run(call: &Call, command: Queues) -> Result {
    call.with_app(async |app| {
        match command {
            Queues::List => {
                let queues = app.queue.queues(&Scope::Installation).await?;
                call.print.answer(&queues, || listing(&queues))?;
            }
            Queues::Pause { queue, until, reason } => {
                let until = match until {
                    Some(until) => Some(until.on(app).await?),
                    None => None,
                };
                app.queue.pause(&queue, until, &actor(), &reason).await?;
                told(call, &queue, true)?;
            }
            Queues::Resume { queue } => {
                app.queue.resume(&queue, &actor()).await?;
                told(call, &queue, false)?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn told(call: &Call, queue: &str, paused: bool) -> Result<()> {
    call.print.answer(&json!({ "queue": queue, "paused": paused }), || {
        format!("queue {queue} is {}", if paused { "paused" } else { "resumed" })
    })
}

fn listing(queues: &[QueueRow]) -> String {
    if queues.is_empty() {
        return "no queue has jobs in hand, and none is paused".into();
    }
    let shown =
        [JobState::Available, JobState::Running, JobState::Scheduled, JobState::Retryable, JobState::Waiting];
    let rows: Vec<_> = queues
        .iter()
        .map(|queue| {
            let mut row = row![queue.name.as_str()];
            row.extend(shown.iter().map(|state| queue.counts.get(state).unwrap_or(&0).to_string().into()));
            row.push(print::optional_time(queue.oldest).into());
            row.push(paused(queue).into());
            row
        })
        .collect();
    let headings =
        ["QUEUE", "AVAILABLE", "RUNNING", "SCHEDULED", "RETRYABLE", "WAITING", "OLDEST DUE", "PAUSED"];
    print::table(&headings, &rows)
}

fn paused(queue: &QueueRow) -> String {
    let Some(at) = queue.paused_at else { return "-".into() };
    let by = queue.paused_by.as_deref().unwrap_or("somebody");
    let until = queue.resume_at.map(|at| format!(" until {}", print::time(at))).unwrap_or_default();
    match queue.reason.as_deref() {
        None | Some("") => format!("{}{until} by {by}", print::time(at)),
        Some(reason) => format!("{}{until} by {by}: {reason}", print::time(at)),
    }
}
