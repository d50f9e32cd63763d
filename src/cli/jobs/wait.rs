//! Waits for jobs to end, with their progress on a terminal. The store is asked rather than listened to:
//! that works the same on both databases, and one indexed look-up costs less than a connection held open.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use engine::audit::seen::{Seen, Sight, Thing};
use engine::http::view::{Job, JobInFull};
use engine::units::format_duration;
use indicatif::{ProgressBar, ProgressStyle};
use jobkit::{JobId, Progress};
use store::state::JobState;
use store::{JobDetail, JobRow, Scope};

use super::{FilterArgs, at_least_one, find, known, listed, listing};
use crate::app::App;
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::print::{count, plain, remark};
use crate::cli::{Call, actor, duration, job_id};

#[derive(Debug, Args)]
pub struct WaitArgs {
    /// The jobs, by id; or choose them by the options below.
    #[arg(value_name = "ID", value_parser = job_id)]
    pub ids: Vec<JobId>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Wait for at most this many of those that match, the newest.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    limit: usize,
    /// Wait at most this long, such as 30s; else as long as it takes.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

/// Short at first, because most jobs are, and then no more than a person notices.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_BETWEEN: Duration = Duration::from_millis(500);

/// What matches is looked for once: jobs that are enqueued later are not waited for.
pub async fn run(call: &Call, app: &App, args: WaitArgs) -> Result {
    let WaitArgs { ids, filter, limit, timeout } = args;
    // One job is told in full, as `jobs show` does; several as `jobs list` does.
    let alone = ids.first().copied().filter(|_| ids.len() == 1 && filter.is_empty());
    let by_id = filter.is_empty();
    let mut filter = filter.filter(app.clock.now(), if by_id { ids.len() } else { limit });
    filter.ids.extend(&ids);
    if by_id {
        known(app, &ids).await?;
    }
    let meant: Vec<_> =
        app.store.jobs(&Scope::Installation, &filter).await?.into_iter().map(|job| job.id).collect();
    if !by_id && meant.len() == limit && !call.print.json {
        remark(&format!("the newest {limit} that match are waited for; --limit waits for more"));
    }
    let bar = bar(call);
    let seen = Seen::new(app.store.clone(), app.clock.clone());
    let waited = until_ended(app, &meant, timeout, (&bar, &seen)).await;
    bar.finish_and_clear();
    waited?;
    match alone {
        Some(id) => {
            let job = find(app, id).await?;
            seen.shows(&actor(), &[Sight::job_in_full(&job)]).await?;
            tell_one(call, &job)
        }
        None => {
            let jobs = known(app, &meant).await?;
            seen.shows(&actor(), &listed(call, &jobs)).await?;
            tell_all(call, &jobs)
        }
    }
}

async fn until_ended(
    app: &App,
    meant: &[JobId],
    timeout: Option<Duration>,
    (bar, seen): (&ProgressBar, &Seen),
) -> Result<()> {
    let started = app.clock.steady();
    let mut left: Vec<JobId> = meant.to_vec();
    let mut between = FIRST_LOOK;
    loop {
        // One that is gone was pruned meanwhile, and nobody can say how it ended.
        let looked = known(app, &left).await?;
        let alive: Vec<_> = looked.iter().filter(|job| !job.state.is_final()).collect();
        let Some(first) = alive.first() else { return Ok(()) };
        left = alive.iter().map(|job| job.id).collect();
        if !bar.is_hidden() {
            match meant {
                [id] => {
                    let job = find(app, *id).await?;
                    // Of a running job its own words are shown.
                    seen.shows(&actor(), &[Sight::of(Thing::Job(*id), "progress")]).await?;
                    show_one(bar, &job);
                }
                _ => show_count(bar, meant.len() - left.len(), meant.len()),
            }
        }
        let waited = app.clock.steady().saturating_sub(started);
        let rest = timeout.map(|timeout| timeout.saturating_sub(waited));
        if let (Some(timeout), Some(Duration::ZERO)) = (timeout, rest) {
            return Err(timed_out(first, left.len(), timeout));
        }
        app.clock.sleep(rest.map_or(between, |rest| rest.min(between))).await;
        between = (between * 2).min(LONGEST_BETWEEN);
    }
}

fn timed_out(first: &JobRow, left: usize, timeout: Duration) -> CliError {
    let others = match left - 1 {
        0 => String::new(),
        others => format!(", and {} with it", count(others, "other job")),
    };
    CliError::new(
        Exit::TimedOut,
        format!("job {} is still {} after {}{others}", first.id, first.state, format_duration(timeout)),
        "wait longer with --timeout, or see with `compline workers list` whether anybody works",
    )
}

fn tell_one(call: &Call, job: &JobDetail) -> Result {
    call.print.answer(&JobInFull::from(job.clone()), || listing::describe(call.print, job, None))?;
    Ok(exit(&[job.job.state]))
}

fn tell_all(call: &Call, jobs: &[JobRow]) -> Result {
    let json: Vec<_> = jobs.iter().cloned().map(Job::from).collect();
    call.print.answer(&json, || listing::table(call.print, jobs))?;
    Ok(exit(&jobs.iter().map(|job| job.state).collect::<Vec<_>>()))
}

fn exit(states: &[JobState]) -> Exit {
    match states.iter().all(|state| *state == JobState::Completed) {
        true => Exit::Ok,
        false => Exit::Failed,
    }
}

fn bar(call: &Call) -> ProgressBar {
    if call.print.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn show_one(bar: &ProgressBar, job: &JobDetail) {
    let state = job.job.state;
    match &job.progress {
        Some(Progress { done, total, message }) if *total > 0 => {
            show_share(bar, *done, *total);
            bar.set_message(plain(message));
        }
        Some(progress) => bar.set_message(plain(&progress.message)),
        None => bar.set_message(format!("{state}, attempt {} of {}", job.job.attempt, job.job.max_attempts)),
    }
}

fn show_count(bar: &ProgressBar, ended: usize, all: usize) {
    show_share(bar, ended as u64, all as u64);
    bar.set_message("jobs ended");
}

fn show_share(bar: &ProgressBar, done: u64, total: u64) {
    // The template is a constant; a mistake in it leaves the default style.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_length(total);
    bar.set_position(done);
}
