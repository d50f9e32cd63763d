//! Waits for a job to end, with its progress on a terminal. The store is asked rather than listened to:
//! that works the same on both databases, and one indexed look-up costs less than a connection held open.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jobkit::{JobId, Progress};

use super::{find, listing};
use crate::app::App;
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::{Call, view};
use crate::config::units::format_duration;
use crate::state::JobState;
use crate::store::JobDetail;

/// Short at first, because most jobs are, and then no more than a person notices.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_BETWEEN: Duration = Duration::from_millis(500);

pub async fn run(call: &Call, app: &App, id: JobId, timeout: Option<Duration>) -> Result {
    let started = app.clock.steady();
    let bar = bar(call);
    let mut between = FIRST_LOOK;
    loop {
        let job = find(app, id).await?;
        if job.job.state.is_final() {
            bar.finish_and_clear();
            return ended(call, &job);
        }
        show(&bar, &job);
        let waited = app.clock.steady().saturating_sub(started);
        let left = timeout.map(|timeout| timeout.saturating_sub(waited));
        if let (Some(timeout), Some(Duration::ZERO)) = (timeout, left) {
            bar.finish_and_clear();
            return Err(CliError::new(
                Exit::TimedOut,
                format!("job {id} is still {} after {}", job.job.state, format_duration(timeout)),
                "wait longer with --timeout, or see with `compline workers list` whether anybody works",
            ));
        }
        app.clock.sleep(left.map_or(between, |left| left.min(between))).await;
        between = (between * 2).min(LONGEST_BETWEEN);
    }
}

fn ended(call: &Call, job: &JobDetail) -> Result {
    call.print.answer(&view::detail(job), || listing::describe(call.print, job))?;
    Ok(if job.job.state == JobState::Completed { Exit::Ok } else { Exit::Failed })
}

fn bar(call: &Call) -> ProgressBar {
    if call.print.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn show(bar: &ProgressBar, job: &JobDetail) {
    let state = job.job.state;
    match &job.progress {
        Some(Progress { done, total, message }) if *total > 0 => {
            // The template is a constant; a mistake in it leaves the default style.
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_length(*total);
            bar.set_position(*done);
            bar.set_message(crate::cli::print::plain(message));
        }
        Some(progress) => bar.set_message(crate::cli::print::plain(&progress.message)),
        None => bar.set_message(format!("{state}, attempt {} of {}", job.job.attempt, job.job.max_attempts)),
    }
}
