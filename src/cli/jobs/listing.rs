//! Jobs as people read them.

use engine::http::view::Job;
use engine::seal::is_sealed;
use store::{ApprovalRow, JobDetail, JobRow, Scope};

use super::{FilterArgs, listed, shows};
use crate::app::App;
use crate::cli::Call;
use crate::cli::exit::{Exit, Result};
use crate::cli::print::{self, Print, row, short, time, took};

pub async fn list(call: &Call, app: &App, filter: FilterArgs, limit: usize) -> Result {
    let filter = filter.filter(app.clock.now(), limit);
    // Not through the queue, which would open every sealed argument to show none of them.
    let jobs = app.store.jobs(&Scope::Installation, &filter).await?;
    shows(app, &listed(call, &jobs)).await?;
    let json: Vec<_> = jobs.iter().cloned().map(Job::from).collect();
    call.print.answer(&json, || table(call.print, &jobs))?;
    if jobs.len() == limit && !call.print.json {
        print::remark(&format!("the newest {limit} are shown; --limit shows more"));
    }
    Ok(Exit::Ok)
}

pub fn table(print: Print, jobs: &[JobRow]) -> String {
    if jobs.is_empty() {
        return "no jobs match".into();
    }
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            let mut row = row![job.id.to_string(), job.kind.as_str(), job.queue.as_str()];
            row.push(print.state(job.state));
            row.extend(row![
                format!("{}/{}", job.attempt, job.max_attempts),
                time(job.created_at),
                time(job.finished_at.unwrap_or(job.run_at)),
                match job.error.as_deref() {
                    Some(error) if is_sealed(error) => "(encrypted)".into(),
                    error => short(error.unwrap_or(""), 60),
                },
            ]);
            row
        })
        .collect();
    let headings = ["ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "CREATED", "ENDED OR DUE", "ERROR"];
    print::table(&headings, &rows)
}

/// Everything about one job. What it wrote itself is made harmless for the terminal.
pub fn describe(print: Print, detail: &JobDetail, approval: Option<&ApprovalRow>) -> String {
    let job = &detail.job;
    let mut facts = vec![
        row!["id", job.id.to_string()],
        row!["kind", job.kind.as_str()],
        row!["queue", job.queue.as_str()],
        vec!["state".into(), print.state(job.state)],
        row!["attempt", format!("{} of {}", job.attempt, job.max_attempts)],
        row!["priority", job.priority.to_string()],
        row!["created", time(job.created_at)],
        row!["due", time(job.run_at)],
    ];
    let mut more = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.push(row![name, value]);
        }
    };
    more("claimed", job.claimed_at.map(time));
    more("ended", job.finished_at.map(time));
    more("ran", job.ran.map(took));
    more("worker", job.worker.map(|worker| worker.0.to_string()));
    more("tenant", job.tenant.clone());
    more("tags", Some(job.tags.join(", ")).filter(|tags| !tags.is_empty()));
    more("metadata", job.metadata.as_ref().map(ToString::to_string));
    more("waits for", ids(detail));
    more("approval", approval.map(|approval| format!("{}, {}", approval.id, approval.state.name())));
    more("progress", detail.progress.as_ref().map(|p| format!("{}/{} {}", p.done, p.total, p.message)));
    more("args", Some(job.args.clone()));
    more("result", job.result.clone());
    more("error", job.error.clone());

    let mut text = print::table(&["", ""], &facts).trim_start_matches('\n').to_string();
    if !detail.attempts.is_empty() {
        let rows: Vec<_> = detail
            .attempts
            .iter()
            .map(|attempt| {
                row![
                    attempt.attempt.to_string(),
                    attempt.end.as_str(),
                    time(attempt.finished_at),
                    took(attempt.ran),
                    short(attempt.error.as_deref().unwrap_or(""), 80),
                ]
            })
            .collect();
        section(&mut text, "attempts", &print::table(&["ATTEMPT", "END", "AT", "RAN", "ERROR"], &rows));
    }
    if !detail.steps.is_empty() {
        let rows: Vec<_> = detail
            .steps
            .iter()
            .map(|step| {
                let done = if step.result.is_some() { "done" } else { "begun" };
                row![step.name.as_str(), done, time(step.at), step.key.as_str()]
            })
            .collect();
        section(&mut text, "steps", &print::table(&["STEP", "", "AT", "IDEMPOTENCY KEY"], &rows));
    }
    let log: Vec<_> = detail
        .attempts
        .iter()
        .flat_map(|attempt| attempt.log.iter().map(move |line| (attempt.attempt, line)))
        .map(|(attempt, line)| {
            format!("[{attempt}] {} {:?} {}", time(line.at), line.level, print::plain(&line.text))
        })
        .collect();
    if !log.is_empty() {
        section(&mut text, "log", &log.join("\n"));
    }
    text
}

fn ids(detail: &JobDetail) -> Option<String> {
    let ids: Vec<_> = detail.waits_for.iter().map(ToString::to_string).collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

fn section(text: &mut String, heading: &str, body: &str) {
    text.push_str(&format!("\n\n{heading}:\n{body}"));
}
