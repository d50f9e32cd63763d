//! Retry, cancel and discard, one by one or in bulk. Ids are meant as they are given; a filter may match
//! more than somebody thought of, so it shows the count and asks.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::json;
use store::state::JobState;
use store::{Change, Changed, JobFilter, Scope};

use super::{ChangeArgs, known};
use crate::app::App;
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::print::count;
use crate::cli::{Call, actor};

pub async fn run(call: &Call, app: &App, change: Change, args: ChangeArgs) -> Result {
    let ChangeArgs { ids, filter, limit, yes } = args;
    let by_id = filter.is_empty();
    let mut filter = filter.filter(app.clock.now(), limit);
    filter.ids.extend(&ids);
    if by_id {
        known(app, &ids).await?;
    } else if !narrow(&mut filter, change, app, call, yes).await? {
        return Ok(Exit::Ok);
    }
    let changed = app.queue.change(&Scope::Installation, &filter, change, &actor(), limit).await?;
    tell(call, change, &changed)?;
    let none = changed.ids.is_empty() && changed.asked.is_empty();
    Ok(if by_id && (none || !changed.refused.is_empty()) { Exit::Failed } else { Exit::Ok })
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
