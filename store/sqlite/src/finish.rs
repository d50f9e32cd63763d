//! Reports: which are accepted, what becomes of each job, and the record of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobkit::JobId;
use serde::{Serialize, Serializer};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::audit;
use super::ending::{self, Ending, Links};
use super::insert::{DEPEND, HAS_DEPENDENTS};
use super::row::{RowExt, hex, hex_list, micros};
use super::writer::{Done, Script, Tx, script};
use store::state::JobState;
use store::{Actor, End, Finished, Report, WorkerId};

pub(super) const FINISH_PLAIN: Script = script!("finish_audit.sql", "finish.sql", "finish_live.sql");
pub(super) const HELD: &str = include_str!("held.sql");
pub(super) const RECORDED: &str = include_str!("recorded.sql");
pub(super) const ATTEMPT: &str = include_str!("attempt.sql");
pub(super) const REQUEUE: &str = include_str!("requeue.sql");
pub(super) const ALIVE: &str = include_str!("alive.sql");

/// Reports of plain successes, told by the job's own row alone.
pub(super) struct Plain {
    /// [job, fence, ran_us, result] per report.
    pub reports: Arc<str>,
}

impl Plain {
    pub(super) fn of(reports: &[&Report]) -> Done<Self> {
        let told: Vec<_> = reports
            .iter()
            .map(|report| {
                let result = match &report.end {
                    End::Completed { result } => result.as_deref(),
                    _ => None,
                };
                (hex(report.held.job), report.held.fence.0, micros(report.ran), result)
            })
            .collect();
        Ok(Self { reports: serde_json::to_string(&told)?.into() })
    }

    pub(super) fn is(report: &Report) -> bool {
        matches!(report.end, End::Completed { .. }) && report.attempt == 1 && report.log.is_empty()
    }

    /// The jobs that `finish.sql` has ended. The others are not held as they say, or something hangs on
    /// their end: a job that waits, a key, a request.
    pub(super) fn ended(rows: &[SqliteRow]) -> Done<BTreeSet<JobId>> {
        rows.iter().map(|row| row.id("id")).collect()
    }
}

/// What the database says about a job that was reported on by the one who holds it.
struct Standing {
    links: Links,
    /// Somebody asked for the job to be cancelled, for this reason.
    cancel: Option<String>,
}

/// What becomes of a job that goes on living.
pub(super) struct Next {
    pub id: JobId,
    pub state: JobState,
    pub uncounted: bool,
    /// None leaves the job where it stood in the queue.
    pub run_at: Option<i64>,
    pub parents: usize,
}

impl Serialize for Next {
    /// In the order of `requeue.sql`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (hex(self.id), self.state.name(), u8::from(self.uncounted), self.run_at, self.parents).serialize(to)
    }
}

enum Verdict<'r> {
    Ends(Ending),
    LivesOn(Next),
    WaitsFor(JobId, &'r [JobId]),
}

/// The whole table of what a report means.
fn decide<'r>(report: &'r Report, standing: Standing, now: i64) -> Verdict<'r> {
    let id = report.held.job;
    let Standing { links, cancel } = standing;
    let uncounted = matches!(report.end, End::Snooze { .. } | End::GiveBack | End::WaitFor(_));
    let ends = |state, error, result| {
        Verdict::Ends(Ending { id, state, uncounted, ran: Some(micros(report.ran)), error, result, links })
    };
    // A job that can be claimed at once need not be staged first.
    let later = |state, after| {
        let after = micros(after);
        let state = if after == 0 { JobState::Available } else { state };
        Verdict::LivesOn(Next { id, state, uncounted, run_at: Some(now.saturating_add(after)), parents: 0 })
    };
    match (&report.end, cancel) {
        (End::Completed { result }, _) => ends(JobState::Completed, None, result.clone()),
        (End::Cancelled { reason }, _) => ends(JobState::Cancelled, Some(reason.clone()), None),
        (End::Discarded { error }, _) => ends(JobState::Discarded, Some(error.clone()), None),
        (_, Some(reason)) => ends(JobState::Cancelled, Some(reason), None),
        (End::Retry { after, .. }, None) => later(JobState::Retryable, *after),
        (End::Snooze { after }, None) => later(JobState::Scheduled, *after),
        (End::GiveBack, None) => {
            Verdict::LivesOn(Next { id, state: JobState::Available, uncounted, run_at: None, parents: 0 })
        }
        (End::WaitFor(parents), None) => Verdict::WaitsFor(id, parents),
    }
}

pub(super) async fn finish(tx: &mut Tx, now: i64, worker: WorkerId, reports: &[Report]) -> Done<Finished> {
    let mut standings = standings(tx, worker, reports).await?;
    let mut accepted: Vec<(&Report, Standing)> = Vec::with_capacity(reports.len());
    let mut unknown = Vec::new();
    for (place, report) in reports.iter().enumerate() {
        match standings.remove(&place) {
            Some(standing) => accepted.push((report, standing)),
            None => unknown.push(report),
        }
    }
    let refused = refused(tx, worker, &unknown).await?;

    let told = told(accepted.iter().map(|(report, _)| *report))?;
    record_attempts(tx, now, told).await?;
    let mut ended: BTreeMap<&'static str, Vec<JobId>> = BTreeMap::new();
    let mut endings = Vec::new();
    let mut nexts = Vec::new();
    let mut waiting = Vec::new();
    for (report, standing) in accepted {
        let id = report.held.job;
        match decide(report, standing, now) {
            Verdict::Ends(ending) => {
                ended.entry(ending.state.name()).or_default().push(id);
                endings.push(ending);
            }
            Verdict::LivesOn(next) => {
                ended.entry(report.end.name()).or_default().push(id);
                nexts.push(next);
            }
            Verdict::WaitsFor(child, parents) => {
                ended.entry(report.end.name()).or_default().push(id);
                waiting.push((child, parents));
            }
        }
    }
    let by = Actor::worker(worker);
    for (outcome, ids) in ended {
        audit::transition(tx, now, &by, "job.finish", "job", outcome, &ids).await?;
    }
    // Ends go first: whoever is to wait for a job of the same batch then sees that it has ended.
    let mut woken = ending::end(tx, now, Some(worker), endings).await?;
    nexts.extend(wait(tx, &waiting).await?);
    woken.extend(requeue(tx, &nexts).await?);
    Ok(Finished { refused, woken: woken.into_iter().collect() })
}

/// By the report's place in the batch; a second report on the same attempt finds nothing.
async fn standings(tx: &mut Tx, worker: WorkerId, reports: &[Report]) -> Done<BTreeMap<usize, Standing>> {
    let mut seen = BTreeSet::new();
    let held = held_list(reports.iter())?;
    let rows = sqlx::query(HELD).bind(held).bind(worker.0).fetch_all(tx).await?;
    let mut standings = BTreeMap::new();
    for row in &rows {
        let place: usize = row.small("place")?;
        if !seen.insert(reports[place].held.job) {
            continue;
        }
        let cancel = row.text_if_any("cancel")?;
        let links = Links {
            has_dependents: row.try_get("has_dependents")?,
            has_key: row.try_get("has_key")?,
            has_parents: false,
            has_cancel_request: cancel.is_some(),
        };
        standings.insert(place, Standing { links, cancel });
    }
    Ok(standings)
}

fn held_list<'r>(reports: impl Iterator<Item = &'r Report>) -> Done<String> {
    let held: Vec<_> = reports.map(|report| (hex(report.held.job), report.held.fence.0)).collect();
    Ok(serde_json::to_string(&held)?)
}

/// Of those that are not held as they say: the ones that no earlier try of the same call has recorded.
async fn refused(tx: &mut Tx, worker: WorkerId, unknown: &[&Report]) -> Done<Vec<JobId>> {
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let held = held_list(unknown.iter().copied())?;
    let rows = sqlx::query(RECORDED).bind(held).bind(worker.0).fetch_all(tx).await?;
    let recorded: BTreeSet<usize> = rows.iter().map(|row| row.small("place")).collect::<Done<_>>()?;
    let refused = unknown.iter().enumerate().filter(|(place, _)| !recorded.contains(place));
    Ok(refused.map(|(_, report)| report.held.job).collect())
}

async fn record_attempts(tx: &mut Tx, now: i64, told: Option<String>) -> Done<()> {
    if let Some(told) = told {
        sqlx::query(ATTEMPT).bind(told).bind(now).execute(tx).await?;
    }
    Ok(())
}

/// The attempts that need a row of their own, for `attempt.sql`; none when none does.
fn told<'r>(reports: impl Iterator<Item = &'r Report>) -> Done<Option<String>> {
    let mut told = Vec::new();
    for report in reports {
        let by_the_job_alone = match report.end {
            End::Completed { .. } => report.attempt == 1 && report.log.is_empty(),
            End::GiveBack => true,
            _ => false,
        };
        if !by_the_job_alone {
            let log = if report.log.is_empty() { None } else { Some(serde_json::to_string(&report.log)?) };
            let end = &report.end;
            told.push((
                hex(report.held.job),
                report.attempt,
                end.name(),
                micros(report.ran),
                end.error(),
                log,
            ));
        }
    }
    Ok(if told.is_empty() { None } else { Some(serde_json::to_string(&told)?) })
}

/// Ties children to those of their parents that are alive.
async fn wait(tx: &mut Tx, waiting: &[(JobId, &[JobId])]) -> Done<Vec<Next>> {
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let named: BTreeSet<JobId> = waiting.iter().flat_map(|(_, parents)| parents.iter().copied()).collect();
    let rows = sqlx::query(ALIVE).bind(hex_list(named)).fetch_all(&mut *tx).await?;
    let alive: BTreeSet<JobId> = rows.iter().map(|row| row.id("id")).collect::<Done<_>>()?;
    let mut edges = Vec::new();
    let mut nexts = Vec::new();
    for (child, parents) in waiting {
        // A job that waits for itself would wait for ever.
        let parents: BTreeSet<&JobId> =
            parents.iter().filter(|parent| alive.contains(parent) && *parent != child).collect();
        let state = if parents.is_empty() { JobState::Available } else { JobState::Waiting };
        nexts.push(Next { id: *child, state, uncounted: true, run_at: None, parents: parents.len() });
        edges.extend(parents.into_iter().map(|parent| (hex(*parent), hex(*child), "run")));
    }
    if !edges.is_empty() {
        sqlx::query(DEPEND).bind(serde_json::to_string(&edges)?).execute(&mut *tx).await?;
        sqlx::query(HAS_DEPENDENTS).bind(hex_list(alive)).execute(tx).await?;
    }
    Ok(nexts)
}

/// Returns the queues that got a job to claim.
pub(super) async fn requeue(tx: &mut Tx, nexts: &[Next]) -> Done<BTreeSet<String>> {
    let mut woken = BTreeSet::new();
    if !nexts.is_empty() {
        for row in &sqlx::query(REQUEUE).bind(serde_json::to_string(nexts)?).fetch_all(tx).await? {
            if row.state("state")? == JobState::Available {
                woken.insert(row.text("queue")?);
            }
        }
    }
    Ok(woken)
}
