//! Retry, cancel and discard, one by one or in bulk. Ids are meant as they are given; a filter may match
//! more than somebody thought of, so it shows the count and asks.

use std::io::{self, BufRead, IsTerminal, Write};

use engine::approvals::rules::Action;
use jobkit::JobId;
use serde_json::json;
use store::state::JobState;
use store::{Actor, ApprovalRow, Change, Changed, JobFilter, Scope};

use super::{ChangeArgs, known};
use crate::app::App;
use crate::cli::approvals::ApprovalArg;
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::print::count;
use crate::cli::{Call, actor};

pub async fn run(call: &Call, app: &App, change: Change, args: ChangeArgs) -> Result {
    let ChangeArgs { mut ids, filter, limit, yes, approval } = args;
    let by_id = filter.is_empty();
    if let (true, true, Some(id)) = (by_id, ids.is_empty(), approval.approval) {
        ids = named_by(&app.approvals.show(&Scope::Installation, id).await?)?;
    }
    let mut filter = filter.filter(app.clock.now(), limit);
    filter.ids.extend(&ids);
    if by_id {
        known(app, &ids).await?;
    } else if !narrow(&mut filter, change, app, call, yes).await? {
        return Ok(Exit::Ok);
    }
    let by = leave(app, change, &mut filter, limit, approval).await?;
    let changed =
        app.queue.change(&Scope::Installation, &filter, change, &by, limit.max(filter.ids.len())).await?;
    tell(call, change, &changed)?;
    let none = changed.ids.is_empty() && changed.asked.is_empty();
    Ok(if by_id && (none || !changed.refused.is_empty()) { Exit::Failed } else { Exit::Ok })
}

/// Who changes them, by leave of an approval where one is needed. Then the jobs are settled: what would match later was
/// shown to nobody.
async fn leave(
    app: &App,
    change: Change,
    filter: &mut JobFilter,
    limit: usize,
    ApprovalArg { approval }: ApprovalArg,
) -> Result<Actor> {
    let (all, action) = (Scope::Installation, Action::of(change));
    if !app.approvals.rules().names(action) && approval.is_none() {
        return Ok(actor());
    }
    let limit = if filter.ids.is_empty() { limit } else { filter.ids.len() };
    let jobs = app.store.briefs(&all, &JobFilter { limit: Some(limit), ..filter.clone() }).await?;
    let kinds: Vec<_> = jobs.iter().map(|job| job.kind.clone()).collect();
    let mut ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    ids.sort_unstable();
    if ids.is_empty() {
        // No ids would mean every job there is.
        return Err(CliError::new(
            Exit::NotFound,
            "no job is meant any more",
            "`compline jobs list` shows the jobs",
        ));
    }
    let what = json!({ "jobs": ids });
    let by = app.approvals.leave_for(&all, (action, &kinds), what, &actor(), approval).await?;
    *filter = JobFilter { ids, limit: Some(limit), ..JobFilter::default() };
    Ok(by)
}

/// The jobs that an approval is for.
fn named_by(approval: &ApprovalRow) -> Result<Vec<JobId>> {
    #[derive(serde::Deserialize)]
    struct What {
        jobs: Vec<JobId>,
    }
    let what = serde_json::from_str::<What>(&approval.what).ok().filter(|what| !what.jobs.is_empty());
    what.map(|what| what.jobs).ok_or_else(|| {
        let remedy = format!("`compline approvals show {}` says what it is for", approval.id);
        CliError::new(
            Exit::Failed,
            format!("approval {} is for something else than jobs", approval.id),
            remedy,
        )
    })
}

/// Leaves only jobs that can take the change, counts them, and asks. False when nothing is to be done.
async fn narrow(filter: &mut JobFilter, change: Change, app: &App, call: &Call, yes: bool) -> Result<bool> {
    let can: Vec<JobState> = change.from_states().to_vec();
    match filter.states.is_empty() {
        true => filter.states = can,
        false => filter.states.retain(|state| can.contains(state)),
    }
    let found = match filter.states.is_empty() {
        true => 0,
        false => app.store.jobs(&Scope::Installation, filter).await?.len(),
    };
    if found == 0 {
        let states: Vec<_> = change.from_states().iter().map(|state| state.name()).collect();
        call.print.answer(&as_json(&Changed::default()), || {
            format!(
                "no jobs match that can take it; {} needs one that is {}",
                change.name(),
                states.join(" or ")
            )
        })?;
        return Ok(false);
    }
    Ok(yes || confirmed(change, found, filter.limit)?)
}

fn confirmed(change: Change, found: usize, limit: Option<usize>) -> Result<bool> {
    let name = change.name();
    let jobs = if limit == Some(found) { format!("the newest {found} jobs") } else { count(found, "job") };
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CliError::usage(
            format!("{} by a filter would change {jobs}, and nobody is there to ask", name),
            "add --yes to change them, or look at them first with `compline jobs list`",
        ));
    }
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{name} {jobs}? [y/N] ").and_then(|()| io::stderr().flush());
    asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).map_err(CliError::from_chain)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn tell(call: &Call, change: Change, changed: &Changed) -> Result<()> {
    call.print.answer(&as_json(changed), || {
        let done = match change {
            Change::Retry => "will run again",
            Change::Cancel => "cancelled",
            Change::Discard => "discarded",
        };
        let mut lines = vec![format!("{} {done}", count(changed.ids.len(), "job"))];
        if !changed.asked.is_empty() {
            lines.push(format!("{} asked to stop", count(changed.asked.len(), "running job")));
        }
        lines.extend(changed.refused.iter().map(|(id, why)| format!("{id} was left as it is: {why}")));
        lines.join("\n")
    })
}

fn as_json(changed: &Changed) -> serde_json::Value {
    let refused: Vec<_> =
        changed.refused.iter().map(|(id, reason)| json!({ "id": id, "reason": reason })).collect();
    json!({ "changed": changed.ids, "asked": changed.asked, "refused": refused })
}
