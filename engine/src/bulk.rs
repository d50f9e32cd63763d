//! Bulk operations: retry, cancel or discard many jobs, as a job of its own. It survives a crash, shows how far it is
//! and can be cancelled, like any other.
//!
//! Which jobs are meant is looked up first and remembered, so that a second attempt goes on with the same ones, and no
//! job that is enqueued later is caught.

use std::sync::Arc;

use jobkit::{Ctx, Failure, Job, JobId, Outcome, Policy, Registry};
use serde::{Deserialize, Serialize};

use store::{Actor, Change, JobFilter, Scope, Store, StoreError};

pub const KIND: &str = "system.bulk";

/// A thousand at a time: others get their turn in between.
const PAGE: usize = 1_000;

pub const MOST_JOBS: usize = 100_000;

/// How many refusals are told one by one.
const MOST_REFUSALS: usize = 100;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkArgs {
    pub action: Change,
    /// Its own limit and cursor have no say.
    pub filter: JobFilter,
    /// At most so many jobs, the newest.
    pub limit: usize,
    /// Who asked, for the audit log: the door that made this job knows, and nobody else makes one.
    pub by: String,
    /// Whose jobs alone are meant. A process that does not know it refuses the arguments, and leaves all as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl BulkArgs {
    fn scope(&self) -> Scope {
        self.tenant.clone().map_or(Scope::Installation, Scope::Tenant)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    pub changed: usize,
    /// Running jobs that were asked to stop.
    pub asked: usize,
    /// Jobs that could not take it any more when their turn came.
    pub refused: usize,
    /// The first of these, with the reasons.
    pub refusals: Vec<(JobId, String)>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.changed += other.changed;
        self.asked += other.asked;
        self.refused += other.refused;
        self.refusals.extend(other.refusals);
        self.refusals.truncate(MOST_REFUSALS);
    }
}

pub struct Bulk {
    store: Arc<dyn Store>,
}

pub fn register(registry: &mut Registry, store: Arc<dyn Store>) {
    registry.add(Bulk { store });
}

impl Job for Bulk {
    type Args = BulkArgs;
    const KIND: &'static str = KIND;

    /// In a queue of its own: the others may be full, or paused, which may be why it was asked for.
    fn policy(&self) -> Policy {
        Policy::default().internal().queue("system")
    }

    fn check(&self, args: &BulkArgs) -> Result<(), String> {
        check(args)
    }

    async fn run(&self, args: BulkArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let Some(filter) = narrowed(&args.filter, args.action) else {
            return Outcome::completed(Tally::default());
        };
        let scope = args.scope();
        let pages = self.select(&scope, &filter, args.limit, ctx).await?;
        let total: usize = pages.iter().map(Vec::len).sum();
        let by = Actor::new(format!("{} by job:{}", args.by, ctx.job().id));
        let (mut tally, mut done) = (Tally::default(), 0);
        for (number, page) in pages.iter().enumerate() {
            ctx.progress(done as u64, total as u64, format!("{} jobs", args.action.name())).await;
            let name = format!("change {number}");
            tally.add(ctx.step(&name, |_| self.change(&scope, page, args.action, &by)).await?);
            done += page.len();
        }
        ctx.progress(done as u64, total as u64, "done").await;
        Outcome::completed(tally)
    }
}

/// The door checks it too; a row may have come past it.
fn check(args: &BulkArgs) -> Result<(), String> {
    if args.filter.is_unconditional() {
        return Err("filter: has no condition, and would mean every job there is; name one at least".into());
    }
    match args.limit {
        1..=MOST_JOBS => Ok(()),
        limit => Err(format!("limit: {limit}; use 1 to {MOST_JOBS}")),
    }
}

/// The jobs that match and can take the change. None when no job can do both.
pub fn narrowed(filter: &JobFilter, action: Change) -> Option<JobFilter> {
    let mut filter = filter.clone();
    filter.states = match filter.states.is_empty() {
        true => action.from_states().to_vec(),
        false => filter.states.into_iter().filter(|state| action.from_states().contains(state)).collect(),
    };
    (!filter.states.is_empty()).then_some(filter)
}

impl Bulk {
    async fn select(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        limit: usize,
        ctx: &Ctx,
    ) -> Result<Vec<Vec<JobId>>, Failure> {
        let mut pages: Vec<Vec<JobId>> = Vec::new();
        let (mut left, mut before) = (limit, None);
        while left > 0 {
            let wanted = left.min(PAGE);
            let filter = JobFilter { before, limit: Some(wanted), ..filter.clone() };
            let name = format!("select {}", pages.len());
            let mut page = ctx.step(&name, |_| self.page(scope, &filter)).await?;
            let full = page.len() == wanted;
            before = page.last().copied();
            left -= page.len();
            // It is a job itself.
            page.retain(|id| *id != ctx.job().id);
            pages.push(page);
            if !full {
                break;
            }
        }
        Ok(pages)
    }

    async fn page(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobId>, Failure> {
        let jobs = self.store.briefs(scope, filter).await.map_err(failure)?;
        Ok(jobs.into_iter().map(|job| job.id).collect())
    }

    async fn change(
        &self,
        scope: &Scope,
        page: &[JobId],
        action: Change,
        by: &Actor,
    ) -> Result<Tally, Failure> {
        if page.is_empty() {
            return Ok(Tally::default());
        }
        let filter = JobFilter { ids: page.to_vec(), ..JobFilter::default() };
        let changed = self.store.change(scope, &filter, action, by, page.len()).await.map_err(failure)?;
        for queue in &changed.woken {
            // The poll finds what this does not tell of.
            if let Err(problem) = self.store.wake(queue).await {
                tracing::debug!("waking {queue} failed: {problem}");
            }
        }
        let refused = changed.refused.len();
        let refusals = changed.refused.into_iter().take(MOST_REFUSALS).collect();
        Ok(Tally { changed: changed.ids.len(), asked: changed.asked.len(), refused, refusals })
    }
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Refused(_) | StoreError::Unapproved(_) => Failure::permanent(error),
        error if error.blames_the_store() => Failure::StoreAway(Box::new(error)),
        error => Failure::transient(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use store::state::JobState;

    #[test]
    fn a_bulk_operation_on_everything_is_refused_by_whomever_it_was_written() {
        for (filter, refused) in [
            (json!({}), true),
            (json!({ "limit": 7 }), true),
            (json!({ "before": "019c0a2e-5a5c-7cc1-b6c0-0123456789ab" }), true),
            (json!({ "kinds": ["a"] }), false),
            (json!({ "created_until": "2026-01-01T00:00:00Z" }), false),
        ] {
            let args = json!({ "action": "cancel", "filter": filter, "limit": 10, "by": "user:ada" });
            let args: BulkArgs = serde_json::from_value(args).unwrap();
            let problem = check(&args).err();
            assert_eq!(
                problem.as_ref().is_some_and(|told| told.starts_with("filter: ")),
                refused,
                "{problem:?}"
            );
        }
    }

    #[test]
    fn only_jobs_that_can_take_the_change_are_meant() {
        use JobState::{Available, Cancelled, Completed, Discarded, Retryable, Scheduled};
        for (states, action, meant) in [
            (vec![], Change::Retry, Some(vec![Scheduled, Retryable, Cancelled, Discarded])),
            (vec![Completed, Discarded], Change::Retry, Some(vec![Discarded])),
            (vec![Completed], Change::Retry, None),
            (vec![Available], Change::Discard, Some(vec![Available])),
        ] {
            let filter = JobFilter { states: states.clone(), ..JobFilter::default() };
            assert_eq!(narrowed(&filter, action).map(|filter| filter.states), meant, "{states:?}");
        }
    }
}
