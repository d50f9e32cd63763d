//! Alerts: news, what it is folded into, and what is sent of it.

use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, TryFutureExt};
use jiff::Timestamp;
use jobkit::{IdGenerator, JobId};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::rows::{self, Micros, micros};
use super::sessions::within;
use super::{LONG, PostgresStore, contention, failed, insert};
use store::alerts::{Digest, digest};
use store::{
    Actor, AlertDetail, AlertFilter, AlertId, AlertRow, AlertWork, Alerts, DEFAULT_PAGE, Delivery,
    DeliveryEnd, DeliveryRow, Nature, News, NewsChange, Result, Told, WaitingQueue,
};

const FOLDING: &str = "folding news into alerts";
const TELLING: &str = "writing down what is told";
const LISTING: &str = "listing alerts";

#[async_trait]
impl Alerts for PostgresStore {
    async fn raise(&self, news: &[News]) -> Result<()> {
        let doing = "raising an alert";
        let raised = async {
            let mut session = self.cold.acquire().await.map_err(failed(doing))?;
            let mut tx = session.begin().await.map_err(failed(doing))?;
            raise(&mut tx, self.time(), news).await?;
            tx.commit().await.map_err(failed(doing))?;
            session.keep();
            Ok(())
        };
        self.answered(doing, raised).await
    }

    async fn fold(&self, limit: usize, ids: &IdGenerator) -> Result<usize> {
        let fold = contention::patiently(FOLDING, || fold(self, limit, ids).boxed());
        within(self.limit_for(limit), FOLDING, fold).await
    }

    async fn alert_work(&self) -> Result<AlertWork> {
        let doing = "looking for alerts";
        let row = sqlx::query(include_str!("alert_work.sql")).bind(self.time()).fetch_one(&self.cold);
        let row = self.answered(doing, row.map_err(failed(doing))).await?;
        Ok(AlertWork { news: row.get(0), to_tell: row.get(1), to_send: row.get(2) })
    }

    async fn alerts_to_tell(&self, limit: usize) -> Result<Vec<AlertRow>> {
        let doing = "looking for alerts to tell";
        let rows = sqlx::query(include_str!("alerts_to_tell.sql"))
            .bind(self.time())
            .bind(rows::count(limit))
            .fetch_all(&self.cold)
            .map_err(failed(doing));
        let rows = self.answered(doing, rows).await?;
        rows.iter().map(alert_row).collect::<sqlx::Result<_>>().map_err(failed(doing))
    }

    async fn tell(&self, alert: &AlertRow, told: &Told) -> Result<bool> {
        self.answered(TELLING, tell(self, alert, told)).await
    }

    async fn close_untold(&self, quiet_for: Duration, limit: usize) -> Result<u64> {
        let doing = "closing alerts that nobody was told of";
        let closed = sqlx::query(include_str!("alerts_close_untold.sql"))
            .bind(self.time())
            .bind(micros(quiet_for))
            .bind(rows::count(limit))
            .execute(&self.cold)
            .map_err(failed(doing));
        Ok(within(LONG, doing, closed).await?.rows_affected())
    }

    async fn take_deliveries(&self, route: &str, limit: usize, hold: Duration) -> Result<Vec<Delivery>> {
        let doing = "taking messages to send";
        let rows = sqlx::query(include_str!("delivery_take.sql"))
            .bind(self.time())
            .bind(rows::count(limit))
            .bind(micros(hold))
            .bind(route)
            .fetch_all(&self.cold)
            .map_err(failed(doing));
        let rows = self.answered(doing, rows).await?;
        rows.iter().map(delivery).collect::<sqlx::Result<_>>().map_err(failed(doing))
    }

    async fn end_delivery(&self, delivery: &Delivery, end: &DeliveryEnd) -> Result<()> {
        let doing = "writing down what became of a message";
        let (state, after, error) = match end {
            DeliveryEnd::Sent => ("sent", None, None),
            DeliveryEnd::Retry { after, error } => ("pending", Some(micros(*after)), Some(error)),
            DeliveryEnd::Dead { error } => ("dead", None, Some(error)),
        };
        let ended = sqlx::query(include_str!("delivery_end.sql"))
            .bind(self.time())
            .bind(delivery.alert.0)
            .bind(signed(delivery.telling))
            .bind(&delivery.route)
            .bind(signed(delivery.attempts))
            .bind(state)
            .bind(after)
            .bind(error)
            .execute(&self.cold)
            .map_err(failed(doing));
        self.answered(doing, ended).await.map(drop)
    }

    async fn waiting_queues(&self, longer_than: Duration) -> Result<Vec<WaitingQueue>> {
        let doing = "looking for queues that wait";
        let rows = sqlx::query(include_str!("waiting_queues.sql"))
            .bind(self.time())
            .bind(micros(longer_than))
            .fetch_all(&self.hot)
            .map_err(failed(doing));
        let waiting = |row: &PgRow| WaitingQueue {
            queue: row.get(0),
            first: JobId(row.get(1)),
            waits: Duration::from_micros(row.get::<i64, _>(2).unsigned_abs()),
        };
        Ok(self.answered(doing, rows).await?.iter().map(waiting).collect())
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>> {
        within(LONG, LISTING, list(self, None, filter)).await
    }

    async fn alert(&self, id: AlertId) -> Result<Option<AlertDetail>> {
        let detail = async {
            let Some(alert) = list(self, Some(id), &AlertFilter::default()).await?.pop() else {
                return Ok(None);
            };
            let rows = sqlx::query(include_str!("alert_deliveries.sql"))
                .bind(id.0)
                .fetch_all(&self.cold)
                .await
                .map_err(failed(LISTING))?;
            let deliveries = rows.iter().map(delivery_row).collect::<sqlx::Result<_>>();
            Ok(Some(AlertDetail { alert, deliveries: deliveries.map_err(failed(LISTING))? }))
        };
        within(LONG, LISTING, detail).await
    }

    async fn ack(&self, id: AlertId, by: &Actor) -> Result<bool> {
        within(LONG, "acknowledging the alert", ack(self, id, by)).await
    }

    async fn prune_alerts(&self, closed_for: Duration, limit: usize) -> Result<u64> {
        let doing = "pruning alerts";
        let gone = sqlx::query_scalar(include_str!("alerts_prune.sql"))
            .bind(self.time())
            .bind(micros(closed_for))
            .bind(rows::count(limit))
            .fetch_one(&self.cold)
            .map_err(failed(doing));
        Ok(within(LONG, doing, gone).await.map(i64::unsigned_abs)?)
    }
}

/// In the transaction of what it tells of.
pub async fn raise(tx: &mut PgConnection, time: Option<Micros>, news: &[News]) -> Result<()> {
    for news in news {
        sqlx::query(include_str!("alert_raise.sql"))
            .bind(time)
            .bind(&news.key)
            .bind(&news.rule)
            .bind(news.change.name())
            .bind(news.severity.name())
            .bind(&news.kind)
            .bind(&news.queue)
            .bind(&news.text)
            .bind(count(news.count))
            .bind(rows::uuids(&news.jobs))
            .bind(news.details.as_ref().map(Json))
            .execute(&mut *tx)
            .await
            .map_err(failed("raising an alert"))?;
    }
    Ok(())
}

async fn fold(store: &PostgresStore, limit: usize, ids: &IdGenerator) -> Result<usize> {
    let mut session = store.cold.acquire().await.map_err(failed(FOLDING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(FOLDING))?;
    // What began and ended is folded in that order, so by one at a time.
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext('compline.alert_news'))")
        .fetch_one(&mut *tx)
        .await
        .map_err(failed(FOLDING))?;
    if !alone {
        // The session is as good as new, and the next round wants one.
        tx.rollback().await.map_err(failed(FOLDING))?;
        session.keep();
        return Ok(0);
    }
    let mut taken = sqlx::query(include_str!("alert_fold.sql"))
        .bind(rows::count(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(FOLDING))?;
    taken.sort_by_key(|row| row.get::<i64, _>("seq"));
    let news = taken.iter().map(news).collect::<sqlx::Result<Vec<_>>>().map_err(failed(FOLDING))?;
    for digest in digest(news).into_values() {
        if digest.opens {
            open(&mut tx, store.time(), AlertId(ids.next().0), &digest).await?;
        }
        if digest.ends {
            let ended: Option<Uuid> = sqlx::query_scalar(include_str!("alert_end.sql"))
                .bind(store.time())
                .bind(&digest.news.key)
                .bind(&digest.news.text)
                .fetch_optional(&mut *tx)
                .await
                .map_err(failed(FOLDING))?;
            if let Some(id) = ended {
                withdraw(&mut tx, store.time(), AlertId(id)).await?;
            }
        }
    }
    tx.commit().await.map_err(failed(FOLDING))?;
    session.keep();
    Ok(taken.len())
}

async fn open(tx: &mut PgConnection, time: Option<Micros>, id: AlertId, digest: &Digest) -> Result<()> {
    let news = &digest.news;
    sqlx::query(include_str!("alert_open.sql"))
        .bind(time)
        .bind(id.0)
        .bind(&news.key)
        .bind(&news.rule)
        .bind(news.change.nature().name())
        .bind(news.severity.name())
        .bind(&news.kind)
        .bind(&news.queue)
        .bind(&news.text)
        .bind(count(news.count))
        .bind(rows::uuids(&news.jobs))
        .bind(news.details.as_ref().map(Json))
        .bind(Micros::from(digest.first_at))
        .bind(Micros::from(digest.last_at))
        .execute(tx)
        .await
        .map_err(failed(FOLDING))?;
    Ok(())
}

async fn tell(store: &PostgresStore, alert: &AlertRow, told: &Told) -> Result<bool> {
    let mut session = store.cold.acquire().await.map_err(failed(TELLING))?;
    let mut tx = session.begin().await.map_err(failed(TELLING))?;
    let telling: Option<i32> = sqlx::query_scalar(include_str!("alert_tell.sql"))
        .bind(store.time())
        .bind(alert.id.0)
        .bind(alert.version)
        .bind(i32::from(told.messages.is_some()))
        .bind(if told.messages.is_some() { count(alert.count) } else { 0 })
        .bind(told.look_again.map(micros))
        .bind(told.close)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(TELLING))?;
    if let Some(telling) = telling {
        for message in told.messages.iter().flatten() {
            sqlx::query(include_str!("alert_message.sql"))
                .bind(store.time())
                .bind(alert.id.0)
                .bind(telling)
                .bind(&message.route)
                .bind(Json(&message.text))
                .bind(micros(message.after))
                .execute(&mut *tx)
                .await
                .map_err(failed(TELLING))?;
        }
    }
    tx.commit().await.map_err(failed(TELLING))?;
    session.keep();
    Ok(telling.is_some())
}

async fn list(store: &PostgresStore, id: Option<AlertId>, filter: &AlertFilter) -> Result<Vec<AlertRow>> {
    let rows = sqlx::query(include_str!("alerts.sql"))
        .bind(id.map(|id| id.0))
        .bind(filter.open)
        .bind((!filter.rules.is_empty()).then_some(&filter.rules))
        .bind(rows::count(filter.limit.unwrap_or(DEFAULT_PAGE)))
        .bind(filter.before.map(|(at, _)| Micros::from(at)))
        .bind(filter.before.map(|(_, id)| id.0))
        .fetch_all(&store.cold)
        .await
        .map_err(failed(LISTING))?;
    rows.iter().map(alert_row).collect::<sqlx::Result<_>>().map_err(failed(LISTING))
}

async fn ack(store: &PostgresStore, id: AlertId, by: &Actor) -> Result<bool> {
    let doing = "acknowledging the alert";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    let acked = sqlx::query(include_str!("alert_ack.sql"))
        .bind(store.time())
        .bind(id.0)
        .bind(&by.name)
        .execute(&mut *tx)
        .await
        .map_err(failed(doing))?
        .rows_affected()
        > 0;
    if acked {
        withdraw(&mut tx, store.time(), id).await?;
        insert::audit(&mut tx, store.time(), by, "alert.ack", &id.to_string(), "ok", &[], None).await?;
    }
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(acked)
}

/// Nobody needs to hear any more that nobody has acknowledged it.
async fn withdraw(tx: &mut PgConnection, time: Option<Micros>, id: AlertId) -> Result<()> {
    sqlx::query(include_str!("alert_withdraw.sql"))
        .bind(time)
        .bind(id.0)
        .execute(tx)
        .await
        .map_err(failed("withdrawing messages"))?;
    Ok(())
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn signed(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn parsed<T: std::str::FromStr<Err = String>>(row: &PgRow, column: &str) -> sqlx::Result<T> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|problem: String| sqlx::Error::Decode(problem.into()))
}

fn time(row: &PgRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<Micros>, _>(column)?.map(Timestamp::from))
}

fn jobs(row: &PgRow) -> sqlx::Result<Vec<JobId>> {
    Ok(row.try_get::<Vec<Uuid>, _>("jobs")?.into_iter().map(JobId).collect())
}

fn details(row: &PgRow) -> sqlx::Result<Option<serde_json::Value>> {
    Ok(row.try_get::<Option<Json<_>>, _>("details")?.map(|Json(details)| details))
}

fn news(row: &PgRow) -> sqlx::Result<(Timestamp, News)> {
    let news = News {
        key: row.try_get("key")?,
        rule: row.try_get("rule")?,
        change: parsed::<NewsChange>(row, "change")?,
        severity: parsed(row, "severity")?,
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        text: row.try_get("text")?,
        count: row.try_get::<i64, _>("count")?.unsigned_abs(),
        jobs: jobs(row)?,
        details: details(row)?,
    };
    Ok((time(row, "at")?.unwrap_or_default(), news))
}

fn alert_row(row: &PgRow) -> sqlx::Result<AlertRow> {
    Ok(AlertRow {
        id: AlertId(row.try_get("id")?),
        key: row.try_get("key")?,
        rule: row.try_get("rule")?,
        nature: parsed::<Nature>(row, "nature")?,
        severity: parsed(row, "severity")?,
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        text: row.try_get("text")?,
        count: row.try_get::<i64, _>("count")?.unsigned_abs(),
        jobs: jobs(row)?,
        details: details(row)?,
        opened_at: time(row, "opened_at")?.unwrap_or_default(),
        last_at: time(row, "last_at")?.unwrap_or_default(),
        closed_at: time(row, "closed_at")?,
        acked_at: time(row, "acked_at")?,
        acked_by: row.try_get("acked_by")?,
        tellings: row.try_get::<i32, _>("tellings")?.unsigned_abs(),
        told_count: row.try_get::<i64, _>("told_count")?.unsigned_abs(),
        version: row.try_get("version")?,
    })
}

fn delivery(row: &PgRow) -> sqlx::Result<Delivery> {
    let Json(message) = row.try_get("message")?;
    Ok(Delivery {
        alert: AlertId(row.try_get("alert_id")?),
        telling: row.try_get::<i32, _>("telling")?.unsigned_abs(),
        route: row.try_get("route")?,
        message,
        attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
    })
}

fn delivery_row(row: &PgRow) -> sqlx::Result<DeliveryRow> {
    Ok(DeliveryRow {
        telling: row.try_get::<i32, _>("telling")?.unsigned_abs(),
        route: row.try_get("route")?,
        state: row.try_get("state")?,
        attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
        due_at: time(row, "due_at")?.unwrap_or_default(),
        ended_at: time(row, "ended_at")?,
        error: row.try_get("error")?,
    })
}
