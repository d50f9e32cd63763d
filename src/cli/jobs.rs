//! `jobs`: look at jobs and change them. What may be changed to what is decided by the store.

mod change;
mod listing;
mod review;
mod wait;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use engine::audit::seen::Sight;
use engine::http::view::JobInFull;
use jiff::Timestamp;
use jobkit::JobId;
use store::state::JobState;
use store::{Change, JobDetail, JobFilter, JobRow, Scope};

use super::approvals::ApprovalArg;
use super::exit::{CliError, Exit, Result};
use super::moment::Moment;
use super::{Call, at_least_one, job_id, shows};
use crate::app::App;

#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first.
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Show at most this many.
        #[arg(long, default_value_t = 100, value_parser = at_least_one)]
        limit: usize,
    },
    /// Show one job with its attempts, steps and result.
    Show {
        #[arg(value_parser = job_id)]
        id: JobId,
    },
    /// Run jobs again that were discarded or cancelled, or now those that wait for a time.
    Retry(ChangeArgs),
    /// Cancel jobs that have not ended; running ones are asked to stop.
    Cancel(ChangeArgs),
    /// Give jobs up that have not begun: no further attempt.
    Discard(ChangeArgs),
    /// Wait until jobs have ended; 0 if all completed, 1 if one did not, 5 if it takes longer.
    Wait(wait::WaitArgs),
    /// Write down what somebody decided on items of a job's result.
    Review(review::ReviewArgs),
    /// Look back on what was decided on a job's items, the newest first.
    Reviews(review::ReviewsArgs),
}

#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// The jobs, by id; or choose them by the options below.
    #[arg(value_name = "ID", value_parser = job_id)]
    ids: Vec<JobId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Change at most this many.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    limit: usize,
    /// Do not ask before changing jobs chosen by a filter.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    approval: ApprovalArg,
}

/// Each list may be given several times, and means any of them; where a name has no commas, also with commas.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// In this state; one of scheduled, available, running, retryable, waiting, completed, cancelled, discarded.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<JobState>,
    /// Of this kind.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// In this queue.
    #[arg(long = "queue", value_name = "NAME", value_delimiter = ',')]
    queues: Vec<String>,
    /// Of this tenant.
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<String>,
    /// With this tag; given several times, with all of them.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Part of the last error's text.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Enqueued at this time or later: a time, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME|DURATION", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Enqueued before this time: a time, or how long ago.
    #[arg(long, value_name = "TIME|DURATION", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// With this id.
    #[arg(long = "id", value_name = "ID", value_delimiter = ',', value_parser = job_id)]
    filter_ids: Vec<JobId>,
}

impl FilterArgs {
    fn is_empty(&self) -> bool {
        let lists = [&self.kinds, &self.queues, &self.tenants, &self.tags];
        lists.iter().all(|list| list.is_empty())
            && self.states.is_empty()
            && self.filter_ids.is_empty()
            && self.error.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    fn filter(self, now: Timestamp, limit: usize) -> JobFilter {
        JobFilter {
            ids: self.filter_ids,
            states: self.states,
            kinds: self.kinds,
            queues: self.queues,
            tenants: self.tenants,
            tags: self.tags,
            created_from: self.since.map(|since| since.before(now)),
            created_until: self.until.map(|until| until.before(now)),
            error: self.error,
            before: None,
            limit: Some(limit),
        }
    }
}

pub async fn run(call: &Call, command: Jobs) -> Result {
    let chosen = match &command {
        // What was approved names its jobs.
        Jobs::Retry(args) | Jobs::Cancel(args) | Jobs::Discard(args) if args.approval.approval.is_some() => {
            None
        }
        Jobs::Retry(args) | Jobs::Cancel(args) | Jobs::Discard(args) => Some((&args.ids, &args.filter)),
        Jobs::Wait(args) => Some((&args.ids, &args.filter)),
        Jobs::List { .. } | Jobs::Show { .. } | Jobs::Review(_) | Jobs::Reviews(_) => None,
    };
    if let Some((ids, filter)) = chosen {
        check_chosen(ids, filter)?;
    }
    call.with_app(async |app| match command {
        Jobs::List { filter, limit } => listing::list(call, app, filter, limit).await,
        Jobs::Show { id } => {
            let job = find(app, id).await?;
            shows(app, &[Sight::job_in_full(&job)]).await?;
            let approval = app.store.approval_of(&Scope::Installation, id).await?;
            let json = JobInFull::from(job.clone()).approved_by(approval.as_ref());
            call.print.answer(&json, || listing::describe(call.print, &job, approval.as_ref()))?;
            Ok(Exit::Ok)
        }
        Jobs::Retry(args) => change::run(call, app, Change::Retry, args).await,
        Jobs::Cancel(args) => change::run(call, app, Change::Cancel, args).await,
        Jobs::Discard(args) => change::run(call, app, Change::Discard, args).await,
        Jobs::Wait(args) => wait::run(call, app, args).await,
        Jobs::Review(args) => review::review(call, app, args).await,
        Jobs::Reviews(args) => review::list(call, app, args).await,
    })
    .await
}

/// No ids and no filter would mean every job there is, which nobody means.
fn check_chosen(ids: &[JobId], filter: &FilterArgs) -> Result<()> {
    match ids.is_empty() && filter.is_empty() {
        true => Err(CliError::usage(
            "it is not said which jobs are meant",
            "give their ids, or choose them by a filter such as --kind, --queue or --state",
        )),
        false => Ok(()),
    }
}

/// These jobs, from the store and sealed as they are: one whose key is gone must still be found. Ids that do not
/// exist are a mistake in what was typed, and nothing is done then.
async fn known(app: &App, ids: &[JobId]) -> Result<Vec<JobRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = JobFilter { ids: ids.to_vec(), limit: Some(ids.len()), ..JobFilter::default() };
    let rows = app.store.jobs(&Scope::Installation, &filter).await?;
    let found: BTreeSet<_> = rows.iter().map(|job| job.id).collect();
    let missing: Vec<_> = ids.iter().copied().filter(|id| !found.contains(id)).collect();
    if missing.is_empty() { Ok(rows) } else { Err(not_found(&missing)) }
}

/// As the list of these jobs shows them.
fn listed(call: &Call, jobs: &[JobRow]) -> Vec<Sight> {
    jobs.iter().map(if call.print.json { Sight::job } else { Sight::line }).collect()
}

async fn find(app: &App, id: JobId) -> Result<JobDetail> {
    app.queue.job(&Scope::Installation, id).await?.ok_or_else(|| not_found(&[id]))
}

fn not_found(ids: &[JobId]) -> CliError {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    CliError::new(
        Exit::NotFound,
        format!("there is no job {}", ids.join(", ")),
        "`compline jobs list` shows the jobs; ended ones are deleted when their retention is over",
    )
}
