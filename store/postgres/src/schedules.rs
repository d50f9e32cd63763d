//! Schedules on PostgreSQL. What fires one locks its row first, so whatever else is read in that transaction
//! holds until it commits.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use serde_json::{Value, json};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use super::rows::{self, Micros, count, micros, text};
use super::tenants::Asker;
use super::{LONG, PostgresStore, alerts, audit_log, change, contention, failed, insert, wake, within};
use store::schedules::{
    FireRange, FireRow, Fired, Firing, LATEST_FIRES, Occasion, PutSchedule, ScheduleRow, Schedules,
    SchedulesDue, Source, foreign_schedule, keys, schedule_entry, touched, wait_for_holders,
};
use store::{Actor, Changed, Inserted, NewRow, Result, Scope};

#[async_trait]
impl Schedules for PostgresStore {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<ScheduleRow>> {
        const DOING: &str = "listing schedules";
        let found = async {
            let sql = "SELECT * FROM compline.schedule WHERE $1::text IS NULL OR tenant = $1 ORDER BY name";
            let rows = self.ask(DOING, scope, sqlx::query(sql).bind(scope.bound())).await?;
            rows.iter().map(schedule_row).collect::<sqlx::Result<_>>().map_err(failed(DOING))
        };
        within(LONG, DOING, found).await
    }

    async fn schedule(&self, scope: &Scope, name: &str) -> Result<Option<ScheduleRow>> {
        const DOING: &str = "reading a schedule";
        let found = async {
            let sql = "SELECT * FROM compline.schedule WHERE name = $1 AND ($2::text IS NULL OR tenant = $2)";
            let rows = self.ask(DOING, scope, sqlx::query(sql).bind(name).bind(scope.bound())).await?;
            rows.first().map(schedule_row).transpose().map_err(failed(DOING))
        };
        within(LONG, DOING, found).await
    }

    async fn put_schedule(&self, scope: &Scope, put: &PutSchedule, by: &Actor) -> Result<bool> {
        const DOING: &str = "putting a schedule";
        let details = json!({ "source": put.source.name(), "digest": put.digest, "enabled": put.enabled });
        let query = sqlx::query(include_str!("schedule_put.sql"))
            .bind(self.time())
            .bind(&put.name)
            .bind(put.source.name())
            .bind(&put.definition)
            .bind(&put.digest)
            .bind(put.enabled)
            .bind(put.next_fire.map(Micros::from))
            .bind(put.revision)
            .bind(scope.bound())
            .bind(&by.name);
        let change = ScheduleChange {
            doing: DOING,
            what: "put",
            name: &put.name,
            there: put.revision.is_some(),
            details,
        };
        self.change_schedule(scope, query, change, by).await
    }

    async fn pause_schedule(&self, scope: &Scope, name: &str, by: &Actor, reason: &str) -> Result<bool> {
        let query = sqlx::query(
            "UPDATE compline.schedule SET paused_at = coalesce(paused_at, $1::timestamptz, now()), paused_by = $3,
                 reason = $4, next_fire = NULL, revision = revision + 1
             WHERE name = $2 AND ($5::text IS NULL OR tenant = $5) RETURNING tenant",
        );
        let query = query.bind(self.time()).bind(name).bind(&by.name).bind(reason).bind(scope.bound());
        let details = json!({ "reason": reason });
        let change =
            ScheduleChange { doing: "pausing a schedule", what: "pause", name, there: true, details };
        self.change_schedule(scope, query, change, by).await
    }

    async fn resume_schedule(
        &self,
        scope: &Scope,
        name: &str,
        revision: i64,
        next: Option<Timestamp>,
        by: &Actor,
    ) -> Result<bool> {
        let query = sqlx::query(
            "UPDATE compline.schedule SET paused_at = NULL, paused_by = NULL, reason = NULL,
                 next_fire = CASE WHEN enabled AND retired_at IS NULL THEN $3::timestamptz END,
                 revision = revision + 1
             WHERE name = $1 AND revision = $2 AND ($4::text IS NULL OR tenant = $4) RETURNING tenant",
        );
        let query = query.bind(name).bind(revision).bind(next.map(Micros::from)).bind(scope.bound());
        let change = ScheduleChange {
            doing: "resuming a schedule",
            what: "resume",
            name,
            there: true,
            details: json!({}),
        };
        self.change_schedule(scope, query, change, by).await
    }

    async fn retire_schedule(&self, name: &str, revision: i64, by: &Actor) -> Result<bool> {
        let query = sqlx::query(
            "UPDATE compline.schedule SET retired_at = coalesce($1::timestamptz, now()), next_fire = NULL,
                 revision = revision + 1
             WHERE name = $2 AND revision = $3 RETURNING tenant",
        );
        let query = query.bind(self.time()).bind(name).bind(revision);
        let change = ScheduleChange {
            doing: "retiring a schedule",
            what: "retire",
            name,
            there: true,
            details: json!({}),
        };
        self.change_schedule(&Scope::Installation, query, change, by).await
    }

    async fn delete_schedule(&self, scope: &Scope, name: &str, by: &Actor) -> Result<bool> {
        let query = sqlx::query(
            "DELETE FROM compline.schedule WHERE name = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING tenant",
        );
        let query = query.bind(name).bind(scope.bound());
        let change = ScheduleChange {
            doing: "deleting a schedule",
            what: "delete",
            name,
            there: true,
            details: json!({}),
        };
        self.change_schedule(scope, query, change, by).await
    }

    async fn schedules_due(&self, limit: usize, without: &[(String, i64)]) -> Result<SchedulesDue> {
        const DOING: &str = "looking for schedules that are due";
        let (names, revisions): (Vec<&str>, Vec<i64>) =
            without.iter().map(|(name, revision)| (name.as_str(), *revision)).unzip();
        let due = async {
            let rows = sqlx::query(include_str!("schedules_due.sql"))
                .bind(self.time())
                .bind(count(limit))
                .bind(names)
                .bind(revisions)
                .fetch_all(&self.hot)
                .await
                .map_err(failed(DOING))?;
            let next = sqlx::query(include_str!("schedules_next.sql"))
                .bind(self.time())
                .fetch_one(&self.hot)
                .await
                .map_err(failed(DOING))?;
            let now: Micros = match rows.first() {
                Some(row) => row.try_get("now").map_err(failed(DOING))?,
                None => next.get("now"),
            };
            let wait: Option<i64> = next.get("wait");
            Ok(SchedulesDue {
                now: now.into(),
                rows: rows.iter().map(schedule_row).collect::<sqlx::Result<_>>().map_err(failed(DOING))?,
                next: wait.map(|wait| Duration::from_micros(u64::try_from(wait).unwrap_or(0))),
            })
        };
        self.answered(DOING, due).await
    }

    async fn set_schedule_back(
        &self,
        name: &str,
        revision: i64,
        next: Timestamp,
        details: Value,
    ) -> Result<bool> {
        const DOING: &str = "setting a schedule back";
        let by = Actor::new(format!("schedule:{name}"));
        let set = async {
            let mut session = self.cold.acquire().await.map_err(failed(DOING))?;
            let mut tx = session.begin().await.map_err(failed(DOING))?;
            let done = sqlx::query(include_str!("schedule_set_back.sql"))
                .bind(self.time())
                .bind(name)
                .bind(revision)
                .bind(Micros::from(next))
                .fetch_optional(&mut *tx)
                .await
                .map_err(failed(DOING))?
                .is_some();
            if done {
                let action = "schedule.set_back";
                insert::audit(&mut tx, self.time(), &by, action, name, "ok", &[], Some(details)).await?;
            }
            tx.commit().await.map_err(failed(DOING))?;
            session.keep();
            Ok(done)
        };
        within(LONG, DOING, set).await
    }

    async fn live_fires(&self, name: &str) -> Result<Vec<JobId>> {
        const DOING: &str = "looking for jobs of a schedule";
        let live = async {
            let ids: Vec<Uuid> = sqlx::query_scalar(include_str!("live_fires.sql"))
                .bind(name)
                .bind(count(LATEST_FIRES))
                .fetch_all(&self.hot)
                .await
                .map_err(failed(DOING))?;
            Ok(ids.into_iter().map(JobId).collect())
        };
        self.answered(DOING, live).await
    }

    async fn fire_schedule(&self, scope: &Scope, firing: &Firing, by: &Actor) -> Result<Fired> {
        const DOING: &str = "firing a schedule";
        let asker = self.asker(scope).await?;
        let fire = contention::patiently(DOING, || fire(self, &asker, firing, by).boxed());
        let (fired, changed) = within(self.limit_for(firing.jobs.len()), DOING, fire).await?;
        if !changed.asked.is_empty() {
            self.tell_if_possible(&["cancel".into()]).await;
        }
        Ok(fired)
    }

    async fn fires(&self, scope: &Scope, name: &str, range: FireRange) -> Result<Vec<FireRow>> {
        const DOING: &str = "listing fire times";
        let found = async {
            let fires = sqlx::query(include_str!("fires.sql"))
                .bind(name)
                .bind(Micros::from(range.from))
                .bind(Micros::from(range.until))
                .bind(count(range.limit))
                .bind(scope.bound());
            let rows = self.ask(DOING, scope, fires).await?;
            let fire = |row: &PgRow| {
                Ok(FireRow {
                    fire_time: row.try_get::<Micros, _>(0)?.into(),
                    job_id: JobId(row.try_get(1)?),
                    fired_at: row.try_get::<Micros, _>(2)?.into(),
                })
            };
            rows.iter().map(fire).collect::<sqlx::Result<_>>().map_err(failed(DOING))
        };
        within(LONG, DOING, found).await
    }

    async fn first_fired(&self, scope: &Scope, name: &str) -> Result<Option<Timestamp>> {
        const DOING: &str = "asking since when a schedule fires";
        let first = async {
            let first = sqlx::query(include_str!("first_fired.sql")).bind(name).bind(scope.bound());
            self.ask(DOING, scope, first).await
        };
        let first = self.answered(DOING, first).await?;
        let first: Option<Micros> = first.first().and_then(|row| row.get(0));
        Ok(first.map(Timestamp::from))
    }

    async fn forget_fires(&self, fired_for: Duration, limit: usize) -> Result<u64> {
        const DOING: &str = "forgetting old fire times";
        let forgotten = async {
            let done = sqlx::query(include_str!("forget_fires.sql"))
                .bind(self.time())
                .bind(micros(fired_for))
                .bind(count(limit))
                .execute(&self.cold)
                .await
                .map_err(failed(DOING))?;
            Ok(done.rows_affected())
        };
        within(LONG, DOING, forgotten).await
    }
}

impl PostgresStore {
    /// A question about schedules, as whoever asks.
    async fn ask(
        &self,
        doing: &'static str,
        scope: &Scope,
        question: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>> {
        let mut reader = self.reader(scope).await?;
        let rows = reader.all(question).await.map_err(failed(doing))?;
        reader.done().await.map_err(failed(doing))?;
        Ok(rows)
    }

    /// One statement that returns the schedule's tenant when it did something, its audit entry, and the end of what was
    /// amiss.
    async fn change_schedule(
        &self,
        scope: &Scope,
        statement: Query<'_, Postgres, PgArguments>,
        change: ScheduleChange<'_>,
        by: &Actor,
    ) -> Result<bool> {
        let ScheduleChange { doing, what, name, there, details } = change;
        let changed = async {
            let asker = self.asker(scope).await?;
            let mut session = self.cold.acquire().await.map_err(failed(doing))?;
            let mut tx = session.begin().await.map_err(failed(doing))?;
            let done = match !there || asker.owns_schedule(&mut tx, name).await? {
                true => statement.fetch_optional(&mut *tx).await.map_err(failed(doing))?,
                false => None,
            };
            if let Some(row) = &done {
                let tenant: Option<String> = row.get(0);
                if !scope.covers(tenant.as_deref()) {
                    return Err(foreign_schedule());
                }
                if what == "put" {
                    let forget = sqlx::query(include_str!("schedule_forget_foreign.sql")).bind(name);
                    forget.bind(&tenant).execute(&mut *tx).await.map_err(failed(doing))?;
                }
                let entry = schedule_entry(what, name, tenant, by, details);
                audit_log::append_on(&mut tx, self.time(), &entry).await?;
                alerts::raise(&mut tx, self.time(), &[touched(name)]).await?;
            }
            tx.commit().await.map_err(failed(doing))?;
            session.keep();
            Ok(done.is_some())
        };
        within(LONG, doing, changed).await
    }
}

/// What is done to a schedule, as it is told.
struct ScheduleChange<'a> {
    doing: &'static str,
    /// `put`, `pause` and so on.
    what: &'static str,
    name: &'a str,
    /// It is there; else it is made.
    there: bool,
    details: Value,
}

async fn fire(
    store: &PostgresStore,
    asker: &Asker<'_>,
    firing: &Firing,
    by: &Actor,
) -> Result<(Fired, Changed)> {
    const DOING: &str = "firing a schedule";
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let (fired, changed) = fire_within(&mut tx, asker, store.time(), firing, by).await?;
    let ended = match fired {
        Fired::Lost => tx.rollback().await,
        Fired::Enqueued(_) => tx.commit().await,
    };
    ended.map_err(failed(DOING))?;
    session.keep();
    Ok((fired, changed))
}

/// In a transaction that is rolled back when it is `Lost`.
pub async fn fire_within(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    time: Option<Micros>,
    firing: &Firing,
    by: &Actor,
) -> Result<(Fired, Changed)> {
    let mut changed = Changed::default();
    if !asker.owns_schedule(tx, &firing.name).await? || !advance(tx, time, firing).await? {
        return Ok((Fired::Lost, changed));
    }
    let mut fresh = without_a_job(tx, firing).await?;
    hand_over(tx, firing, &mut fresh).await?;
    let (times, rows): (Vec<Timestamp>, Vec<NewRow>) = fresh.into_iter().unzip();
    let inserted = match rows.is_empty() {
        true => Vec::new(),
        false => insert::insert(tx, asker, time, &rows, by).await?,
    };
    let fired: Vec<(Timestamp, Inserted)> = times.into_iter().zip(inserted).collect();
    if firing.makes_room(&fired) {
        change::cancel(tx, time, &firing.cancel, by, &mut changed).await?;
        let touched: Vec<_> = changed.ids.iter().chain(&changed.asked).map(|id| id.0).collect();
        if !touched.is_empty() {
            insert::audit(tx, time, by, "job.cancel", "job", "ok", &touched, None).await?;
        }
    }
    remember(tx, time, &firing.name, &fired).await?;
    let jobs: Vec<_> = fired.iter().map(|(_, job)| job.id.0).collect();
    let details = Some(firing.told(&fired));
    insert::audit(tx, time, by, firing.occasion.action(), &firing.name, "ok", &jobs, details).await?;
    alerts::raise(tx, time, &firing.news).await?;
    let woken = insert::ready_queues(&rows).into_iter().chain(changed.woken.iter().cloned()).collect();
    wake::at_commit(tx, woken).await?;
    Ok((Fired::Enqueued(fired), changed))
}

async fn advance(tx: &mut PgConnection, time: Option<Micros>, firing: &Firing) -> Result<bool> {
    let (next, missed, error) = match &firing.occasion {
        Occasion::Tick { next, missed, error, .. } => (*next, *missed, error.as_deref()),
        Occasion::Run | Occasion::Backfill => (None, 0, None),
    };
    // What is filled in later was not the last.
    let last = firing.jobs.last().filter(|_| firing.occasion != Occasion::Backfill);
    let row = sqlx::query(include_str!("schedule_fire.sql"))
        .bind(time)
        .bind(&firing.name)
        .bind(firing.occasion.revision())
        .bind(next.map(Micros::from))
        .bind(last.map(|(at, _)| Micros::from(*at)))
        .bind(i64::try_from(missed).unwrap_or(i64::MAX))
        .bind(error)
        .fetch_optional(tx)
        .await
        .map_err(failed("advancing a schedule"))?;
    Ok(row.is_some())
}

/// The schedule's row is locked, so what is not there now is not there at the commit.
async fn without_a_job(tx: &mut PgConnection, firing: &Firing) -> Result<Vec<(Timestamp, NewRow)>> {
    let times: Vec<_> = firing.jobs.iter().map(|(at, _)| Micros::from(*at)).collect();
    let known: Vec<Micros> = sqlx::query_scalar(
        "SELECT fire_time FROM compline.schedule_fire WHERE schedule = $1 AND fire_time = ANY ($2)",
    )
    .bind(&firing.name)
    .bind(times)
    .fetch_all(tx)
    .await
    .map_err(failed("looking for fire times that have their job"))?;
    let known: BTreeSet<Timestamp> = known.into_iter().map(Timestamp::from).collect();
    Ok(firing.jobs.iter().filter(|(at, _)| !known.contains(at)).cloned().collect())
}

/// Keys of jobs that make room go to those that come in their place.
async fn hand_over(tx: &mut PgConnection, firing: &Firing, fresh: &mut [(Timestamp, NewRow)]) -> Result<()> {
    let wanted = keys(fresh);
    if firing.cancel.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(include_str!("keys_hand_over.sql"))
        .bind(rows::uuids(&firing.cancel))
        .bind(wanted)
        .fetch_all(tx)
        .await
        .map_err(failed("handing over unique keys"))?;
    let given: Vec<(Vec<u8>, JobId)> = rows.iter().map(|row| (row.get(0), JobId(row.get(1)))).collect();
    wait_for_holders(fresh, &given);
    Ok(())
}

async fn remember(
    tx: &mut PgConnection,
    time: Option<Micros>,
    name: &str,
    fired: &[(Timestamp, Inserted)],
) -> Result<()> {
    let (times, jobs): (Vec<_>, Vec<_>) = fired.iter().map(|(at, job)| (Micros::from(*at), job.id.0)).unzip();
    sqlx::query(
        "INSERT INTO compline.schedule_fire (schedule, fire_time, job_id, fired_at, tenant)
         SELECT $2, f.at, f.job, coalesce($1::timestamptz, now()), (SELECT tenant FROM compline.schedule WHERE name = $2)
         FROM unnest($3::timestamptz[], $4::uuid[]) AS f (at, job)",
    )
    .bind(time)
    .bind(name)
    .bind(times)
    .bind(jobs)
    .execute(tx)
    .await
    .map_err(failed("remembering fire times"))?;
    Ok(())
}

fn schedule_row(row: &PgRow) -> sqlx::Result<ScheduleRow> {
    Ok(ScheduleRow {
        name: row.try_get("name")?,
        tenant: row.try_get("tenant")?,
        source: Source::of(row.try_get("source")?),
        definition: text(row, "definition")?.unwrap_or_default().into(),
        digest: row.try_get("digest")?,
        enabled: row.try_get("enabled")?,
        revision: row.try_get("revision")?,
        next_fire: rows::time(row, "next_fire")?,
        last_fire: rows::time(row, "last_fire")?,
        missed: u64::try_from(row.try_get::<i64, _>("missed")?).unwrap_or(0),
        last_error: row.try_get("last_error")?,
        error_at: rows::time(row, "error_at")?,
        paused_at: rows::time(row, "paused_at")?,
        paused_by: row.try_get("paused_by")?,
        reason: row.try_get("reason")?,
        retired_at: rows::time(row, "retired_at")?,
        created_at: rows::time(row, "created_at")?.unwrap_or_default(),
        changed_at: rows::time(row, "changed_at")?.unwrap_or_default(),
    })
}
