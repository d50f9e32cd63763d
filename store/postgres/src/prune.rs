//! The history forgets what the rules do not keep, stretch by stretch.

use sqlx::Row;
use uuid::Uuid;

use super::rows::{self, Micros, micros};
use super::stretches::{Stretch, Stretches, Walked};
use super::{PostgresStore, failed};
use store::state::JobState;
use store::{PruneRules, Result};

const DOING: &str = "pruning finished jobs";

/// Rows of one statement: some milliseconds.
const LOOK: i64 = 10_000;

/// What is known of the history, for as long as the rules are the same.
#[derive(Default)]
pub struct Known(Option<(PruneRules, Stretches)>);

impl Known {
    fn under(&mut self, rules: &PruneRules, shortest: i64) -> &mut Stretches {
        if self.0.as_ref().is_some_and(|(known, _)| known != rules) {
            self.0 = None;
        }
        let (_, stretches) = self.0.get_or_insert_with(|| (rules.clone(), Stretches::unknown(shortest)));
        stretches
    }
}

pub async fn prune(store: &PostgresStore, rules: &PruneRules, limit: usize) -> Result<u64> {
    let now: Micros = sqlx::query_scalar("SELECT coalesce($1::timestamptz, now())")
        .bind(store.time())
        .fetch_one(&store.cold)
        .await
        .map_err(failed(DOING))?;
    sqlx::query(include_str!("prune_keys.sql"))
        .bind(store.time())
        .execute(&store.cold)
        .await
        .map_err(failed(DOING))?;
    let rules_as_rows = Rules::of(rules);
    let Some(shortest) = rules_as_rows.keeps.iter().flatten().min() else { return Ok(0) };
    let mut known = store.history.lock().await;
    let stretches = known.under(rules, *shortest);
    let mut gone = 0;
    while gone < limit
        && let Some(stretch) = stretches.first_due(now)
    {
        let (deleted, walked) = walk(store, &rules_as_rows, stretch, limit - gone).await?;
        stretches.walked(stretch, &walked);
        gone += deleted;
    }
    Ok(gone as u64)
}

/// Column by column; an empty kind is any kind.
struct Rules<'a> {
    kinds: Vec<&'a str>,
    states: Vec<&'static str>,
    keeps: Vec<Option<i64>>,
}

impl<'a> Rules<'a> {
    fn of(rules: &'a PruneRules) -> Self {
        let general = [
            ("", JobState::Completed, rules.completed),
            ("", JobState::Cancelled, rules.cancelled),
            ("", JobState::Discarded, rules.discarded),
        ];
        let by_kind = rules.by_kind.iter().map(|((kind, state), keep)| (kind.as_str(), *state, *keep));
        let mut columns = Self { kinds: Vec::new(), states: Vec::new(), keeps: Vec::new() };
        for (kind, state, keep) in general.into_iter().chain(by_kind) {
            columns.kinds.push(kind);
            columns.states.push(state.name());
            columns.keeps.push(keep.map(micros));
        }
        columns
    }
}

/// Deletes what is due in the beginning of a stretch.
async fn walk(
    store: &PostgresStore,
    rules: &Rules<'_>,
    stretch: Stretch,
    limit: usize,
) -> Result<(usize, Walked)> {
    let row = sqlx::query(include_str!("prune.sql"))
        .bind(store.time())
        .bind(rows::count(limit))
        .bind(&rules.kinds)
        .bind(&rules.states)
        .bind(&rules.keeps)
        .bind(stretch.after)
        .bind(stretch.until)
        .bind(LOOK)
        .fetch_one(&store.cold)
        .await
        .map_err(failed(DOING))?;
    let walked = Walked {
        now: row.get("now"),
        full: row.get::<i64, _>("looked_at") >= LOOK,
        last: row.get::<Option<Uuid>, _>("last"),
        more: row.get("more"),
        next: row.get("next"),
    };
    Ok((usize::try_from(row.get::<i64, _>("gone")).unwrap_or(0), walked))
}
