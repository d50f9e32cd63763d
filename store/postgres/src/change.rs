//! What people do to jobs and queues, and what an ending means for those that wait.

use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::rows::{Micros, uuids};
use super::tenants::Asker;
use super::{PostgresStore, approvals, briefs, contention, failed, insert};
use store::state::JobState;
use store::types::{doomed_by, dooms, rule_of};
use store::{Actor, Change, Changed, JobFilter, Release, Result, Scope};

const DOING: &str = "changing jobs";

pub async fn change(
    store: &PostgresStore,
    scope: &Scope,
    filter: &JobFilter,
    change: Change,
    by: &Actor,
    limit: usize,
) -> Result<Changed> {
    let asker = store.asker(scope).await?;
    let ids = able(store, scope, filter, change, limit).await?;
    let changing = || change_these(store, &asker, &ids, filter, change, by).boxed();
    let changed = contention::patiently(DOING, changing).await?;
    if !changed.asked.is_empty() {
        store.tell_if_possible(&["cancel".into()]).await;
    }
    Ok(changed)
}

async fn change_these(
    store: &PostgresStore,
    asker: &Asker<'_>,
    ids: &[JobId],
    filter: &JobFilter,
    change: Change,
    by: &Actor,
) -> Result<Changed> {
    let mut session = store.cold.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let changed = change_within(&mut tx, asker, store.time(), ids, filter, change, by).await?;
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(changed)
}

/// Those of these jobs that can take it; with the filter that found them, which may name others. They were found within
/// the scope, and a job stays its tenant's.
pub async fn change_within(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    time: Option<Micros>,
    ids: &[JobId],
    filter: &JobFilter,
    change: Change,
    by: &Actor,
) -> Result<Changed> {
    let mut changed = Changed::default();
    match change {
        Change::Retry => retry(tx, time, ids, &mut changed).await?,
        Change::Cancel => cancel(tx, time, ids, by, &mut changed).await?,
        Change::Discard => {
            let reason = format!("discarded by {}", by.name);
            let ended = end_live(tx, time, ids, change.from_states(), JobState::Discarded, &reason).await?;
            changed.ids.extend(ended.ids);
            changed.woken.extend(ended.woken);
        }
    }
    let touched: Vec<_> = changed.ids.iter().chain(&changed.asked).map(|id| id.0).collect();
    if !touched.is_empty() {
        let action = format!("job.{}", change.name());
        insert::audit(tx, time, by, &action, "job", "ok", &touched, filter.told()).await?;
    }
    name_refused(tx, asker, filter, change, &mut changed).await?;
    changed.woken.sort_unstable();
    changed.woken.dedup();
    Ok(changed)
}

/// Jobs that may take the change as they are now. Those that were asked to stop already are found and then left out.
pub async fn able(
    store: &PostgresStore,
    scope: &Scope,
    filter: &JobFilter,
    change: Change,
    limit: usize,
) -> Result<Vec<JobId>> {
    let asked: Vec<Uuid> = match change == Change::Cancel && filter.ids.is_empty() {
        true => cancels_asked(store, scope).await?,
        false => Vec::new(),
    };
    let most = limit.saturating_add(asked.len());
    let matching = briefs::briefs(store, scope, &narrowed(filter, change, most)).await?;
    let ids = matching.iter().map(|job| job.id).filter(|id| !asked.contains(&id.0));
    Ok(ids.take(limit).collect())
}

async fn cancels_asked(store: &PostgresStore, scope: &Scope) -> Result<Vec<Uuid>> {
    let mut reader = store.reader(scope).await?;
    let asked = sqlx::query(include_str!("cancels_asked.sql")).bind(scope.bound());
    let asked = reader.all(asked).await.map_err(failed(DOING))?;
    reader.done().await.map_err(failed(DOING))?;
    Ok(asked.iter().map(|row| row.get(0)).collect())
}

fn narrowed(filter: &JobFilter, change: Change, limit: usize) -> JobFilter {
    let possible = change.from_states();
    let states = match filter.states.as_slice() {
        [] => possible.to_vec(),
        asked => asked.iter().copied().filter(|state| possible.contains(state)).collect(),
    };
    // No state that was asked for can take the change, and an empty list would mean all of them.
    let ids = if states.is_empty() { vec![JobId(Uuid::nil())] } else { filter.ids.clone() };
    JobFilter { states, ids, limit: Some(limit), ..filter.clone() }
}

/// Jobs named by id that could not take the change, each with its reason.
async fn name_refused(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    filter: &JobFilter,
    change: Change,
    changed: &mut Changed,
) -> Result<()> {
    asker.hold(tx).await?;
    for id in &filter.ids {
        let known = changed.ids.contains(id)
            || changed.asked.contains(id)
            || changed.refused.iter().any(|(other, _)| other == id);
        if known {
            continue;
        }
        let state: Option<String> = sqlx::query_scalar(
            "SELECT state::text FROM compline.job WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)
             UNION ALL
             SELECT state::text FROM compline.job_history WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)",
        )
        .bind(id.0)
        .bind(asker.bound())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        let can = |state: &str| change.from_states().iter().any(|able| able.name() == state);
        let reason = match state {
            None => "no such job".to_owned(),
            // It is beyond the limit.
            Some(state) if can(&state) => continue,
            Some(state) => format!("a job that is {state} cannot take `{}`", change.name()),
        };
        changed.refused.push((*id, reason));
    }
    asker.let_go(tx).await
}

async fn retry(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[JobId],
    changed: &mut Changed,
) -> Result<()> {
    let ended = sqlx::query(
        "SELECT id, unique_key, unique_release FROM compline.job_history
         WHERE id = ANY ($1) AND state IN ('cancelled', 'discarded') ORDER BY id FOR UPDATE",
    )
    .bind(uuids(ids))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(DOING))?;
    let named: Vec<Uuid> = ended.iter().map(|row| row.get(0)).collect();
    let unapproved = approvals::never_approved(tx, &named).await?;
    let mut free = Vec::new();
    for row in &ended {
        let id = JobId(row.get(0));
        if let Some((_, why)) = unapproved.iter().find(|(job, _)| *job == id) {
            changed.refused.push((id, why.clone()));
            continue;
        }
        match row.get::<Option<&[u8]>, _>(1) {
            Some(key) => match take_key_back(tx, time, id, key, row.get(2)).await? {
                None => free.push(id),
                Some(holder) => {
                    changed.refused.push((id, format!("job {holder} is alive with the same unique key")));
                }
            },
            None => free.push(id),
        }
    }
    for (sql, ids) in
        [(include_str!("revive.sql"), uuids(&free)), (include_str!("retry_live.sql"), uuids(ids))]
    {
        let rows = sqlx::query(sql).bind(time).bind(ids).fetch_all(&mut *tx).await.map_err(failed(DOING))?;
        changed.ids.extend(rows.iter().map(|row| JobId(row.get(0))));
        changed.woken.extend(rows.iter().map(|row| row.get::<String, _>(1)));
    }
    Ok(())
}

/// The job that holds the key now, if it is another.
async fn take_key_back(
    tx: &mut PgConnection,
    time: Option<Micros>,
    job: JobId,
    key: &[u8],
    release: Option<&str>,
) -> Result<Option<Uuid>> {
    // The key means what it meant. One that held to the end of a period lapsed with it, and holds now for
    // as long as the job lives.
    let release = match release {
        Some("unless_completed") => Release::UnlessCompleted,
        _ => Release::AtEnd,
    };
    if insert::take_key(tx, time, job, key, release).await? {
        return Ok(None);
    }
    let holder: Option<Uuid> = sqlx::query_scalar("SELECT job_id FROM compline.unique_key WHERE key = $1")
        .bind(key)
        .fetch_optional(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(holder.filter(|holder| *holder != job.0))
}

pub async fn cancel(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[JobId],
    by: &Actor,
    changed: &mut Changed,
) -> Result<()> {
    let reason = format!("cancelled by {}", by.name);
    // The rows are locked first, so that a job is either still running when it is asked to stop, or not.
    sqlx::query("SELECT id FROM compline.job WHERE id = ANY ($1) ORDER BY id FOR UPDATE")
        .bind(uuids(ids))
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    let asked: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM compline.job WHERE id = ANY ($1) AND state = 'running'")
            .bind(uuids(ids))
            .fetch_all(&mut *tx)
            .await
            .map_err(failed(DOING))?;
    // The first to ask is the one who is named.
    sqlx::query(
        "INSERT INTO compline.cancel_request (job_id, at, actor, reason)
         SELECT id, coalesce($1::timestamptz, now()), $3, $4 FROM unnest($2::uuid[]) AS id
         ON CONFLICT (job_id) DO NOTHING",
    )
    .bind(time)
    .bind(&asked)
    .bind(&by.name)
    .bind(&reason)
    .execute(&mut *tx)
    .await
    .map_err(failed(DOING))?;
    changed.asked.extend(asked.into_iter().map(JobId));
    let waiting = [JobState::Scheduled, JobState::Available, JobState::Retryable, JobState::Waiting];
    let ended = end_live(tx, time, ids, &waiting, JobState::Cancelled, &reason).await?;
    changed.ids.extend(ended.ids);
    changed.woken.extend(ended.woken);
    Ok(())
}

#[derive(Default)]
pub struct EndedLive {
    pub ids: Vec<JobId>,
    pub woken: Vec<String>,
}

/// Ends live jobs that are in one of the states, and settles those that wait for them.
pub async fn end_live(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[JobId],
    from: &[JobState],
    to: JobState,
    reason: &str,
) -> Result<EndedLive> {
    let mut ended = EndedLive::default();
    if ids.is_empty() {
        return Ok(ended);
    }
    let rows = end_rows(tx, time, &uuids(ids), from, to, reason).await?;
    ended.ids.extend(rows.iter().map(|(id, _)| JobId(*id)));
    let parents = rows.into_iter().filter(|(_, parent)| *parent).map(|(id, _)| (id, to)).collect();
    settle(tx, time, parents, &mut ended.woken).await?;
    Ok(ended)
}

async fn end_rows(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[Uuid],
    from: &[JobState],
    to: JobState,
    reason: &str,
) -> Result<Vec<(Uuid, bool)>> {
    let from: Vec<_> = from.iter().map(|state| state.name()).collect();
    let rows = sqlx::query(include_str!("end_live.sql"))
        .bind(time)
        .bind(ids)
        .bind(from)
        .bind(to.name())
        .bind(reason)
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Jobs that would go on living although somebody had asked for their cancellation end here, whatever state
/// they are in: the caller has taken them from their worker, or is about to.
pub async fn cancel_requested(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[JobId],
) -> Result<EndedLive> {
    let mut cancelled = EndedLive::default();
    if ids.is_empty() {
        return Ok(cancelled);
    }
    let requests = sqlx::query("SELECT job_id, reason FROM compline.cancel_request WHERE job_id = ANY ($1)")
        .bind(uuids(ids))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    for request in &requests {
        let id = JobId(request.get(0));
        let from = Change::Cancel.from_states();
        let ended = end_live(tx, time, &[id], from, JobState::Cancelled, request.get(1)).await?;
        cancelled.ids.extend(ended.ids);
        cancelled.woken.extend(ended.woken);
    }
    Ok(cancelled)
}

/// Of what each of these waited for, so much is over. Queues that got a job to claim are added to `woken`.
pub async fn free(
    tx: &mut PgConnection,
    time: Option<Micros>,
    children: &[Uuid],
    counts: &[i16],
    woken: &mut Vec<String>,
) -> Result<()> {
    let rows = sqlx::query(include_str!("free.sql"))
        .bind(time)
        .bind(children)
        .bind(counts)
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    let available = rows.iter().filter(|row| row.get::<&str, _>(1) == "available");
    woken.extend(available.map(|row| row.get::<String, _>(0)));
    Ok(())
}

/// What the end of these jobs means for those that wait for them, and for those that wait for those.
pub async fn settle(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ended: Vec<(Uuid, JobState)>,
    woken: &mut Vec<String>,
) -> Result<()> {
    let mut ended = ended;
    while !ended.is_empty() {
        let parents: Vec<_> = ended.iter().map(|(id, _)| *id).collect();
        let edges = sqlx::query(
            "DELETE FROM compline.job_dependency WHERE parent = ANY ($1) RETURNING parent, child, on_failure",
        )
        .bind(&parents)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        // A child's parents may end in one batch; its row must be touched once.
        let mut freed = std::collections::BTreeMap::<Uuid, i16>::new();
        let mut doomed = std::collections::BTreeMap::<Uuid, (JobId, JobState)>::new();
        for edge in &edges {
            let (parent, child): (Uuid, Uuid) = (edge.get(0), edge.get(1));
            let Some((_, state)) = ended.iter().find(|(id, _)| *id == parent) else { continue };
            match rule_of(edge.get(2)).is_some_and(|rule| dooms(rule, *state)) {
                false => *freed.entry(child).or_default() += 1,
                true => {
                    doomed.insert(child, (JobId(parent), *state));
                }
            }
        }
        let (children, counts): (Vec<_>, Vec<_>) =
            freed.into_iter().filter(|(child, _)| !doomed.contains_key(child)).unzip();
        free(tx, time, &children, &counts, woken).await?;
        ended = Vec::new();
        let orphans: Vec<_> = doomed.keys().copied().collect();
        if !orphans.is_empty() {
            insert::audit(tx, time, &Actor::system(), "job.cancel", "job", "ok", &orphans, None).await?;
        }
        for (child, (parent, state)) in doomed {
            let reason = doomed_by(parent, state);
            let rows =
                end_rows(tx, time, &[child], &[JobState::Waiting], JobState::Cancelled, &reason).await?;
            ended.extend(
                rows.into_iter().filter(|(_, parent)| *parent).map(|(id, _)| (id, JobState::Cancelled)),
            );
        }
    }
    Ok(())
}

pub async fn pause(
    store: &PostgresStore,
    queue: &str,
    until: Option<Timestamp>,
    by: &Actor,
    reason: &str,
) -> Result<()> {
    // A pause that is over is none, and this one begins now.
    let sql = "INSERT INTO compline.queue AS q (name, paused_at, paused_by, reason, resume_at)
               VALUES ($2, coalesce($1::timestamptz, now()), $3, $4, $5)
               ON CONFLICT (name) DO UPDATE SET paused_by = excluded.paused_by, reason = excluded.reason,
                   resume_at = excluded.resume_at,
                   paused_at = CASE WHEN q.resume_at <= excluded.paused_at THEN excluded.paused_at
                                    ELSE coalesce(q.paused_at, excluded.paused_at) END";
    let doing = "pausing the queue";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(sql)
        .bind(store.time())
        .bind(queue)
        .bind(&by.name)
        .bind(reason)
        .bind(until.map(Micros::from))
        .execute(&mut *tx)
        .await
        .map_err(failed(doing))?;
    let details = Some(serde_json::json!({ "reason": reason, "until": until }));
    insert::audit(&mut tx, store.time(), by, "queue.pause", queue, "ok", &[], details).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}

pub async fn resume(store: &PostgresStore, queue: &str, by: &Actor) -> Result<()> {
    let doing = "resuming the queue";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(
        "UPDATE compline.queue SET paused_at = NULL, paused_by = NULL, reason = NULL, resume_at = NULL
         WHERE name = $1",
    )
    .bind(queue)
    .execute(&mut *tx)
    .await
    .map_err(failed(doing))?;
    insert::audit(&mut tx, store.time(), by, "queue.resume", queue, "ok", &[], None).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    store.tell_if_possible(&super::wake::news(&[queue.to_owned()])).await;
    Ok(())
}
