//! The history forgets what the rules do not keep, in one transaction with all that belongs to it.

use std::time::Duration;

use jobkit::JobId;

use super::audit;
use super::row::{RowExt, hex_list, micros};
use super::writer::{Done, Tx};
use store::state::JobState;
use store::{Actor, PruneRules};

const FINISHED_KINDS: &str = include_str!("finished_kinds.sql");
pub(super) const PRUNE_DUE: &str = include_str!("prune_due.sql");
const KEYS: &str = include_str!("prune_keys.sql");
const KEYS_PAST: &str = include_str!("prune_keys_past.sql");
const PRUNE: &str = include_str!("prune.sql");
const ATTEMPTS: &str = include_str!("prune_attempts.sql");
const STEPS: &str = include_str!("prune_steps.sql");
const PROGRESS: &str = include_str!("prune_progress.sql");

pub(super) async fn prune(tx: &mut Tx, now: i64, rules: &PruneRules, limit: usize) -> Done<u64> {
    sqlx::query(KEYS_PAST).bind(now).execute(&mut *tx).await?;
    let mut gone: Vec<JobId> = Vec::new();
    for row in &sqlx::query(FINISHED_KINDS).fetch_all(&mut *tx).await? {
        let (kind, state) = (row.text("kind")?, row.state("state")?);
        let Some(keep) = keep(rules, &kind, state) else { continue };
        let left = i64::try_from(limit.saturating_sub(gone.len())).unwrap_or(i64::MAX);
        let due = sqlx::query(PRUNE_DUE)
            .bind(kind)
            .bind(state.name())
            .bind(now.saturating_sub(micros(keep)))
            .bind(left)
            .fetch_all(&mut *tx)
            .await?;
        for row in &due {
            gone.push(row.id("id")?);
        }
    }
    if gone.is_empty() {
        return Ok(0);
    }
    let ids = hex_list(gone.iter().copied());
    // The keys are found by way of the history, so they go first.
    for sql in [KEYS, ATTEMPTS, STEPS, PROGRESS, PRUNE] {
        sqlx::query(sql).bind(ids.clone()).execute(&mut *tx).await?;
    }
    audit::transition(tx, now, &Actor::system(), "job.prune", "job", "ok", &gone).await?;
    Ok(gone.len() as u64)
}

/// How long jobs of this kind and state are kept; none means for ever.
fn keep(rules: &PruneRules, kind: &str, state: JobState) -> Option<Duration> {
    if let Some(own) = rules.by_kind.get(&(kind.to_owned(), state)) {
        return *own;
    }
    match state {
        JobState::Completed => rules.completed,
        JobState::Cancelled => rules.cancelled,
        JobState::Discarded => rules.discarded,
        _ => None,
    }
}
