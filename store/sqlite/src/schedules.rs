//! Schedules on SQLite. One hand writes, so whatever is read in a transaction holds until it commits.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::insert::hex_bytes;
use super::row::{RowExt, bound, hex_list, micros};
use super::writer::{Done, Tx};
use super::{SqliteStore, alerts, audit, change, insert};
use store::schedules::{
    FireRange, FireRow, Fired, Firing, LATEST_FIRES, Occasion, PutSchedule, ScheduleRow, Schedules,
    SchedulesDue, Source, foreign_schedule, keys, schedule_entry, touched, wait_for_holders,
};
use store::{Actor, Change, Changed, Inserted, JobFilter, NewRow, Result, Scope, Woken};

const PUT: &str = include_str!("schedule_put.sql");
const FIRE: &str = include_str!("schedule_fire.sql");
const DUE: &str = include_str!("schedules_due.sql");
const NEXT: &str = include_str!("schedules_next.sql");
const LIVE: &str = include_str!("live_fires.sql");
const FIRST_FIRED: &str = include_str!("first_fired.sql");
const FORGET_FOREIGN: &str = include_str!("schedule_forget_foreign.sql");
const FIRES: &str = include_str!("fires.sql");
const FORGET: &str = include_str!("forget_fires.sql");
const HAND_OVER: &str = include_str!("keys_hand_over.sql");
const REMEMBER: &str = include_str!("schedule_remember.sql");
const PAUSE: &str = include_str!("schedule_pause.sql");
const RESUME: &str = include_str!("schedule_resume.sql");
const RETIRE: &str = include_str!("schedule_retire.sql");
const DELETE: &str = include_str!("schedule_delete.sql");
const SET_BACK: &str = include_str!("schedule_set_back.sql");

#[async_trait]
impl Schedules for SqliteStore {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<ScheduleRow>> {
        self.read("listing schedules", async |connection| {
            let sql = "SELECT * FROM schedule WHERE ?1 IS NULL OR tenant = ?1 ORDER BY name";
            let rows = sqlx::query(sql).bind(bound(scope)).fetch_all(connection).await?;
            rows.iter().map(schedule_row).collect()
        })
        .await
    }

    async fn schedule(&self, scope: &Scope, name: &str) -> Result<Option<ScheduleRow>> {
        self.read("reading a schedule", async |connection| {
            let sql = "SELECT * FROM schedule WHERE name = ?1 AND (?2 IS NULL OR tenant = ?2)";
            let row = sqlx::query(sql).bind(name.to_owned()).bind(bound(scope));
            let row = row.fetch_optional(connection).await?;
            row.as_ref().map(schedule_row).transpose()
        })
        .await
    }

    async fn put_schedule(&self, scope: &Scope, put: &PutSchedule, by: &Actor) -> Result<bool> {
        let (scope, put, by) = (scope.clone(), put.clone(), by.clone());
        self.write("putting a schedule", move |tx, now| {
            async move {
                let query = sqlx::query(PUT)
                    .bind(now)
                    .bind(put.name.clone())
                    .bind(put.source.name())
                    .bind(put.definition)
                    .bind(put.digest.clone())
                    .bind(put.enabled)
                    .bind(put.next_fire.map(Timestamp::as_microsecond))
                    .bind(put.revision)
                    .bind(bound(&scope))
                    .bind(by.name.clone());
                let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(false) };
                let tenant = row.text_if_any("tenant")?;
                if !scope.covers(tenant.as_deref()) {
                    return Err(foreign_schedule().into());
                }
                let query = sqlx::query(FORGET_FOREIGN).bind(put.name.clone()).bind(tenant.clone());
                query.execute(&mut *tx).await?;
                let details =
                    json!({ "source": put.source.name(), "digest": put.digest, "enabled": put.enabled });
                let entry = schedule_entry("put", &put.name, tenant, &by, details);
                audit::entry(tx, now, &entry).await?;
                alerts::raise(tx, now, &[touched(&put.name)]).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn pause_schedule(&self, scope: &Scope, name: &str, by: &Actor, reason: &str) -> Result<bool> {
        let (name, by, reason) = (name.to_owned(), by.clone(), reason.to_owned());
        let scope = bound(scope);
        self.write("pausing a schedule", move |tx, now| {
            async move {
                let query = sqlx::query(PAUSE)
                    .bind(now)
                    .bind(name.clone())
                    .bind(by.name.clone())
                    .bind(reason.clone())
                    .bind(scope);
                let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(false) };
                let details = json!({ "reason": reason });
                let entry = schedule_entry("pause", &name, row.text_if_any("tenant")?, &by, details);
                audit::entry(tx, now, &entry).await?;
                alerts::raise(tx, now, &[touched(&name)]).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn resume_schedule(
        &self,
        scope: &Scope,
        name: &str,
        revision: i64,
        next: Option<Timestamp>,
        by: &Actor,
    ) -> Result<bool> {
        let (scope, name, by) = (bound(scope), name.to_owned(), by.clone());
        self.write("resuming a schedule", move |tx, now| {
            async move {
                let next = next.map(Timestamp::as_microsecond);
                let query = sqlx::query(RESUME).bind(name.clone()).bind(revision).bind(next).bind(scope);
                let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(false) };
                let entry = schedule_entry("resume", &name, row.text_if_any("tenant")?, &by, json!({}));
                audit::entry(tx, now, &entry).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn retire_schedule(&self, name: &str, revision: i64, by: &Actor) -> Result<bool> {
        let (name, by) = (name.to_owned(), by.clone());
        self.write("retiring a schedule", move |tx, now| {
            async move {
                let query = sqlx::query(RETIRE).bind(now).bind(name.clone()).bind(revision);
                let done = query.execute(&mut *tx).await?.rows_affected() > 0;
                if done {
                    audit::object(tx, now, &by, "schedule.retire", &name, None).await?;
                    alerts::raise(tx, now, &[touched(&name)]).await?;
                }
                Ok(done)
            }
            .boxed()
        })
        .await
    }

    async fn delete_schedule(&self, scope: &Scope, name: &str, by: &Actor) -> Result<bool> {
        let (scope, name, by) = (bound(scope), name.to_owned(), by.clone());
        self.write("deleting a schedule", move |tx, now| {
            async move {
                let query = sqlx::query(DELETE).bind(name.clone()).bind(scope);
                let Some(row) = query.fetch_optional(&mut *tx).await? else { return Ok(false) };
                let entry = schedule_entry("delete", &name, row.text_if_any("tenant")?, &by, json!({}));
                audit::entry(tx, now, &entry).await?;
                alerts::raise(tx, now, &[touched(&name)]).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn schedules_due(&self, limit: usize, without: &[(String, i64)]) -> Result<SchedulesDue> {
        let (now, without) = (self.now_us(), json!(without).to_string());
        self.read("looking for schedules that are due", async |connection| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows =
                sqlx::query(DUE).bind(now).bind(limit).bind(without).fetch_all(&mut *connection).await?;
            let next: Option<i64> = sqlx::query_scalar(NEXT).bind(now).fetch_one(connection).await?;
            let wait = next.map(|next| u64::try_from(next - now).unwrap_or(0));
            Ok(SchedulesDue {
                now: Timestamp::from_microsecond(now).unwrap_or_default(),
                rows: rows.iter().map(schedule_row).collect::<Done<_>>()?,
                next: wait.map(Duration::from_micros),
            })
        })
        .await
    }

    async fn set_schedule_back(
        &self,
        name: &str,
        revision: i64,
        next: Timestamp,
        details: Value,
    ) -> Result<bool> {
        let name = name.to_owned();
        self.write("setting a schedule back", move |tx, now| {
            async move {
                let query = sqlx::query(SET_BACK).bind(now).bind(name.clone()).bind(revision);
                let query = query.bind(next.as_microsecond());
                let done = query.execute(&mut *tx).await?.rows_affected() > 0;
                if done {
                    let by = Actor::new(format!("schedule:{name}"));
                    audit::object(tx, now, &by, "schedule.set_back", &name, Some(details)).await?;
                }
                Ok(done)
            }
            .boxed()
        })
        .await
    }

    async fn live_fires(&self, name: &str) -> Result<Vec<JobId>> {
        self.read("looking for jobs of a schedule", async |connection| {
            let most = i64::try_from(LATEST_FIRES).unwrap_or(i64::MAX);
            let rows = sqlx::query(LIVE).bind(name.to_owned()).bind(most).fetch_all(connection).await?;
            rows.iter().map(|row| row.id("id")).collect()
        })
        .await
    }

    async fn fire_schedule(&self, scope: &Scope, firing: &Firing, by: &Actor) -> Result<Fired> {
        let (scope, firing, by) = (scope.clone(), firing.clone(), by.clone());
        let (fired, changed, queues) = self
            .write("firing a schedule", move |tx, now| {
                async move { fire(tx, &scope, now, &firing, &by).await }.boxed()
            })
            .await?;
        if !changed.asked.is_empty() {
            self.bell.ring(&Woken::Cancel);
        }
        self.bell.ring_for(queues.into_iter().chain(changed.woken));
        Ok(fired)
    }

    async fn fires(&self, scope: &Scope, name: &str, range: FireRange) -> Result<Vec<FireRow>> {
        self.read("listing fire times", async |connection| {
            let rows = sqlx::query(FIRES)
                .bind(name.to_owned())
                .bind(range.from.as_microsecond())
                .bind(range.until.as_microsecond())
                .bind(i64::try_from(range.limit).unwrap_or(i64::MAX))
                .bind(bound(scope))
                .fetch_all(connection)
                .await?;
            let fire = |row: &SqliteRow| {
                Ok(FireRow {
                    fire_time: row.time("fire_time")?,
                    job_id: row.id("job_id")?,
                    fired_at: row.time("fired_at")?,
                })
            };
            rows.iter().map(fire).collect()
        })
        .await
    }

    async fn first_fired(&self, scope: &Scope, name: &str) -> Result<Option<Timestamp>> {
        self.read("asking since when a schedule fires", async |connection| {
            let first: Option<i64> = sqlx::query_scalar(FIRST_FIRED)
                .bind(name.to_owned())
                .bind(bound(scope))
                .fetch_one(connection)
                .await?;
            Ok(first.and_then(|at| Timestamp::from_microsecond(at).ok()))
        })
        .await
    }

    async fn forget_fires(&self, fired_for: Duration, limit: usize) -> Result<u64> {
        self.write("forgetting old fire times", move |tx, now| {
            async move {
                let before = now.saturating_sub(micros(fired_for));
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                Ok(sqlx::query(FORGET).bind(before).bind(limit).execute(tx).await?.rows_affected())
            }
            .boxed()
        })
        .await
    }
}

pub(super) async fn fire(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    firing: &Firing,
    by: &Actor,
) -> Done<(Fired, Changed, BTreeSet<String>)> {
    if !advance(tx, scope, now, firing).await? {
        return Ok((Fired::Lost, Changed::default(), BTreeSet::new()));
    }
    let mut changed = Changed::default();
    let mut fresh = without_a_job(tx, firing).await?;
    hand_over(tx, firing, &mut fresh).await?;
    let (times, rows): (Vec<Timestamp>, Vec<NewRow>) = fresh.into_iter().unzip();
    let inserted = match rows.is_empty() {
        true => Vec::new(),
        false => insert::insert(tx, scope, now, &rows, by).await?,
    };
    let fired: Vec<(Timestamp, Inserted)> = times.into_iter().zip(inserted).collect();
    if firing.makes_room(&fired) {
        let filter = JobFilter { ids: firing.cancel.clone(), ..JobFilter::default() };
        // Its own jobs, of whatever tenant it was when it made them.
        let (all, most) = (Scope::Installation, firing.cancel.len());
        changed = change::change(tx, &all, now, &filter, Change::Cancel, by, most).await?;
    }
    for (at, job) in &fired {
        let query = sqlx::query(REMEMBER).bind(firing.name.clone()).bind(at.as_microsecond());
        query.bind(job.id.0).bind(now).execute(&mut *tx).await?;
    }
    let jobs: Vec<JobId> = fired.iter().map(|(_, job)| job.id).collect();
    let details = firing.told(&fired);
    audit::with_jobs(tx, now, by, firing.occasion.action(), &firing.name, &jobs, Some(details)).await?;
    alerts::raise(tx, now, &firing.news).await?;
    let queues = rows.iter().filter(|row| row.may_be_due()).map(|row| row.queue.clone()).collect();
    Ok((Fired::Enqueued(fired), changed, queues))
}

async fn advance(tx: &mut Tx, scope: &Scope, now: i64, firing: &Firing) -> Done<bool> {
    let (next, missed, error) = match &firing.occasion {
        Occasion::Tick { next, missed, error, .. } => (*next, *missed, error.clone()),
        Occasion::Run | Occasion::Backfill => (None, 0, None),
    };
    // What is filled in later was not the last.
    let last = firing.jobs.last().filter(|_| firing.occasion != Occasion::Backfill);
    let row = sqlx::query(FIRE)
        .bind(now)
        .bind(firing.name.clone())
        .bind(firing.occasion.revision())
        .bind(next.map(Timestamp::as_microsecond))
        .bind(last.map(|(at, _)| at.as_microsecond()))
        .bind(i64::try_from(missed).unwrap_or(i64::MAX))
        .bind(error)
        .bind(bound(scope))
        .fetch_optional(tx)
        .await?;
    Ok(row.is_some())
}

async fn without_a_job(tx: &mut Tx, firing: &Firing) -> Done<Vec<(Timestamp, NewRow)>> {
    let times: Vec<i64> = firing.jobs.iter().map(|(at, _)| at.as_microsecond()).collect();
    let sql = "SELECT fire_time FROM schedule_fire
               WHERE schedule = ?1 AND fire_time IN (SELECT value FROM json_each(?2))";
    let rows =
        sqlx::query(sql).bind(firing.name.clone()).bind(serde_json::to_string(&times)?).fetch_all(tx).await?;
    let known = rows.iter().map(|row| row.time("fire_time")).collect::<Done<BTreeSet<_>>>()?;
    Ok(firing.jobs.iter().filter(|(at, _)| !known.contains(at)).cloned().collect())
}

/// Keys of jobs that make room go to those that come in their place.
async fn hand_over(tx: &mut Tx, firing: &Firing, fresh: &mut [(Timestamp, NewRow)]) -> Done<()> {
    let wanted: Vec<String> = keys(fresh).into_iter().map(hex_bytes).collect();
    if firing.cancel.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(HAND_OVER)
        .bind(hex_list(firing.cancel.iter().copied()))
        .bind(serde_json::to_string(&wanted)?)
        .fetch_all(tx)
        .await?;
    let given = rows.iter().map(|row| Ok((row.try_get("key")?, row.id("job_id")?)));
    wait_for_holders(fresh, &given.collect::<Done<Vec<(Vec<u8>, JobId)>>>()?);
    Ok(())
}

fn schedule_row(row: &SqliteRow) -> Done<ScheduleRow> {
    Ok(ScheduleRow {
        name: row.text("name")?,
        tenant: row.text_if_any("tenant")?,
        source: Source::of(row.try_get("source")?),
        definition: row.text("definition")?,
        digest: row.text("digest")?,
        enabled: row.try_get("enabled")?,
        revision: row.try_get("revision")?,
        next_fire: row.time_if_any("next_fire")?,
        last_fire: row.time_if_any("last_fire")?,
        missed: row.small("missed")?,
        last_error: row.text_if_any("last_error")?,
        error_at: row.time_if_any("error_at")?,
        paused_at: row.time_if_any("paused_at")?,
        paused_by: row.text_if_any("paused_by")?,
        reason: row.text_if_any("reason")?,
        retired_at: row.time_if_any("retired_at")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}
