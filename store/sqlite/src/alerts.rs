//! Alerts: news, what it is folded into, and what is sent of it.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::IdGenerator;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::row::{RowExt, micros, packed, unpacked};
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit};
use store::alerts::{Digest, digest};
use store::{
    Actor, AlertDetail, AlertFilter, AlertId, AlertRow, AlertWork, Alerts, DEFAULT_PAGE, Delivery,
    DeliveryEnd, DeliveryRow, News, Result, Told, WaitingQueue,
};

pub(super) const FOLD: &str = include_str!("alert_fold.sql");
pub(super) const WORK: &str = include_str!("alert_work.sql");
pub(super) const TO_TELL: &str = include_str!("alerts_to_tell.sql");
pub(super) const TAKE: &str = include_str!("delivery_take.sql");
const CLOSE_UNTOLD: &str = include_str!("alerts_close_untold.sql");
pub(super) const WAITING_QUEUES: &str = include_str!("waiting_queues.sql");

const LISTING: &str = "listing alerts";

#[async_trait]
impl Alerts for SqliteStore {
    async fn raise(&self, news: &[News]) -> Result<()> {
        let news = news.to_vec();
        self.write("raising an alert", move |tx, now| async move { raise(tx, now, &news).await }.boxed())
            .await
    }

    async fn fold(&self, limit: usize, ids: &IdGenerator) -> Result<usize> {
        // As many as there may be alerts: whoever writes cannot ask for one.
        let ids: Vec<AlertId> = (0..limit).map(|_| AlertId(ids.next().0)).collect();
        self.write("folding news into alerts", move |tx, now| {
            async move { fold(tx, now, &ids).await }.boxed()
        })
        .await
    }

    async fn alert_work(&self) -> Result<AlertWork> {
        let now = self.now_us();
        self.read("looking for alerts", async |connection| {
            let row = sqlx::query(WORK).bind(now).fetch_one(connection).await?;
            Ok(AlertWork { news: row.try_get(0)?, to_tell: row.try_get(1)?, to_send: row.try_get(2)? })
        })
        .await
    }

    async fn alerts_to_tell(&self, limit: usize) -> Result<Vec<AlertRow>> {
        let now = self.now_us();
        self.read("looking for alerts to tell", async |connection| {
            let rows = sqlx::query(TO_TELL).bind(now).bind(most(limit)).fetch_all(connection).await?;
            rows.iter().map(alert_row).collect()
        })
        .await
    }

    async fn tell(&self, alert: &AlertRow, told: &Told) -> Result<bool> {
        let (alert, told) = (alert.clone(), told.clone());
        self.write("writing down what is told", move |tx, now| {
            async move { tell(tx, now, &alert, &told).await }.boxed()
        })
        .await
    }

    async fn close_untold(&self, quiet_for: Duration, limit: usize) -> Result<u64> {
        self.write("closing alerts that nobody was told of", move |tx, now| {
            async move {
                let before = now.saturating_sub(micros(quiet_for));
                let query = sqlx::query(CLOSE_UNTOLD).bind(now).bind(before).bind(most(limit));
                Ok(query.execute(tx).await?.rows_affected())
            }
            .boxed()
        })
        .await
    }

    async fn take_deliveries(&self, route: &str, limit: usize, hold: Duration) -> Result<Vec<Delivery>> {
        let route = route.to_owned();
        self.write("taking messages to send", move |tx, now| {
            async move {
                let again = now.saturating_add(micros(hold));
                let query = sqlx::query(TAKE).bind(now).bind(most(limit)).bind(again).bind(route);
                let rows = query.fetch_all(tx).await?;
                rows.iter().map(delivery).collect()
            }
            .boxed()
        })
        .await
    }

    async fn end_delivery(&self, delivery: &Delivery, end: &DeliveryEnd) -> Result<()> {
        let (delivery, end) = (delivery.clone(), end.clone());
        self.write("writing down what became of a message", move |tx, now| {
            async move {
                let (state, after, error) = match end {
                    DeliveryEnd::Sent => ("sent", None, None),
                    DeliveryEnd::Retry { after, error } => {
                        ("pending", Some(now.saturating_add(micros(after))), Some(error))
                    }
                    DeliveryEnd::Dead { error } => ("dead", None, Some(error)),
                };
                sqlx::query(include_str!("delivery_end.sql"))
                    .bind(now)
                    .bind(delivery.alert.0)
                    .bind(delivery.telling)
                    .bind(delivery.route)
                    .bind(delivery.attempts)
                    .bind(state)
                    .bind(after)
                    .bind(error)
                    .execute(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn waiting_queues(&self, longer_than: Duration) -> Result<Vec<WaitingQueue>> {
        let now = self.now_us();
        self.read("looking for queues that wait", async |connection| {
            let before = now.saturating_sub(micros(longer_than));
            let rows = sqlx::query(WAITING_QUEUES).bind(now).bind(before).fetch_all(connection).await?;
            let waiting = |row: &SqliteRow| {
                let waits = row.duration("waits_us")?.unwrap_or_default();
                Ok(WaitingQueue { queue: row.text("queue")?, first: row.id("id")?, waits })
            };
            rows.iter().map(waiting).collect()
        })
        .await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>> {
        self.read(LISTING, async |connection| list(connection, None, filter).await).await
    }

    async fn alert(&self, id: AlertId) -> Result<Option<AlertDetail>> {
        self.read(LISTING, async |connection| {
            let Some(alert) = list(connection, Some(id), &AlertFilter::default()).await?.pop() else {
                return Ok(None);
            };
            let rows =
                sqlx::query(include_str!("alert_deliveries.sql")).bind(id.0).fetch_all(connection).await?;
            let deliveries = rows.iter().map(delivery_row).collect::<Done<_>>()?;
            Ok(Some(AlertDetail { alert, deliveries }))
        })
        .await
    }

    async fn ack(&self, id: AlertId, by: &Actor) -> Result<bool> {
        let by = by.clone();
        self.write("acknowledging the alert", move |tx, now| {
            async move {
                let acked = sqlx::query(include_str!("alert_ack.sql"))
                    .bind(now)
                    .bind(id.0)
                    .bind(by.name.clone())
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    > 0;
                if acked {
                    withdraw(tx, now, id).await?;
                    audit::object(tx, now, &by, "alert.ack", &id.to_string(), None).await?;
                }
                Ok(acked)
            }
            .boxed()
        })
        .await
    }

    async fn prune_alerts(&self, closed_for: Duration, limit: usize) -> Result<u64> {
        self.write("pruning alerts", move |tx, now| {
            async move {
                let before = now.saturating_sub(micros(closed_for));
                let mut gone = 0;
                for sql in [include_str!("alerts_prune_deliveries.sql"), include_str!("alerts_prune.sql")] {
                    let done = sqlx::query(sql).bind(before).bind(most(limit)).execute(&mut *tx).await?;
                    gone = done.rows_affected();
                }
                Ok(gone)
            }
            .boxed()
        })
        .await
    }
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// In the transaction of what it tells of.
pub(super) async fn raise(tx: &mut Tx, now: i64, news: &[News]) -> Done<()> {
    for news in news {
        sqlx::query(include_str!("alert_raise.sql"))
            .bind(now)
            .bind(news.key.clone())
            .bind(news.rule.clone())
            .bind(news.change.name())
            .bind(news.severity.name())
            .bind(news.kind.clone())
            .bind(news.queue.clone())
            .bind(news.text.clone())
            .bind(count(news.count))
            .bind(packed(&news.jobs))
            .bind(news.details.as_ref().map(ToString::to_string))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn fold(tx: &mut Tx, now: i64, ids: &[AlertId]) -> Done<usize> {
    let mut taken = sqlx::query(FOLD).bind(most(ids.len())).fetch_all(&mut *tx).await?;
    taken.sort_by_key(|row| row.get::<i64, _>("seq"));
    let news = taken.iter().map(news).collect::<Done<Vec<_>>>()?;
    for (digest, id) in digest(news).into_values().zip(ids) {
        if digest.opens {
            open(tx, now, *id, &digest).await?;
        }
        if digest.ends {
            let ended = sqlx::query(include_str!("alert_end.sql"))
                .bind(now)
                .bind(digest.news.key)
                .bind(digest.news.text)
                .fetch_all(&mut *tx)
                .await?;
            for row in &ended {
                withdraw(tx, now, alert_id(row, "id")?).await?;
            }
        }
    }
    Ok(taken.len())
}

async fn open(tx: &mut Tx, now: i64, id: AlertId, digest: &Digest) -> Done<()> {
    let news = digest.news.clone();
    sqlx::query(include_str!("alert_open.sql"))
        .bind(now)
        .bind(id.0)
        .bind(news.key)
        .bind(news.rule)
        .bind(news.change.nature().name())
        .bind(news.severity.name())
        .bind(news.kind)
        .bind(news.queue)
        .bind(news.text)
        .bind(count(news.count))
        .bind(packed(&news.jobs))
        .bind(news.details.map(|details| details.to_string()))
        .bind(digest.first_at.as_microsecond())
        .bind(digest.last_at.as_microsecond())
        .execute(tx)
        .await?;
    Ok(())
}

async fn tell(tx: &mut Tx, now: i64, alert: &AlertRow, told: &Told) -> Done<bool> {
    let is_told = told.messages.is_some();
    let rows = sqlx::query(include_str!("alert_tell.sql"))
        .bind(now)
        .bind(alert.id.0)
        .bind(alert.version)
        .bind(i32::from(is_told))
        .bind(if is_told { count(alert.count) } else { 0 })
        .bind(told.look_again.map(|after| now.saturating_add(micros(after))))
        .bind(told.close)
        .fetch_all(&mut *tx)
        .await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let telling: i32 = row.small("tellings")?;
    for message in told.messages.iter().flatten() {
        sqlx::query(include_str!("alert_message.sql"))
            .bind(now.saturating_add(micros(message.after)))
            .bind(alert.id.0)
            .bind(telling)
            .bind(message.route.clone())
            .bind(message.text.to_string())
            .execute(&mut *tx)
            .await?;
    }
    Ok(true)
}

/// Nobody needs to hear any more that nobody has acknowledged it.
async fn withdraw(tx: &mut Tx, now: i64, id: AlertId) -> Done<()> {
    sqlx::query(include_str!("alert_withdraw.sql")).bind(now).bind(id.0).execute(tx).await?;
    Ok(())
}

async fn list(
    connection: &mut SqliteConnection,
    id: Option<AlertId>,
    filter: &AlertFilter,
) -> Done<Vec<AlertRow>> {
    let rules = (!filter.rules.is_empty()).then(|| serde_json::to_string(&filter.rules)).transpose()?;
    let rows = sqlx::query(include_str!("alerts.sql"))
        .bind(id.map(|id| id.0))
        .bind(filter.open)
        .bind(rules)
        .bind(most(filter.limit.unwrap_or(DEFAULT_PAGE)))
        .bind(filter.before.map(|(at, _)| at.as_microsecond()))
        .bind(filter.before.map(|(_, id)| id.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(alert_row).collect()
}

fn alert_id(row: &SqliteRow, column: &str) -> Done<AlertId> {
    Ok(AlertId(row.try_get::<Uuid, _>(column)?))
}

fn parsed<T: std::str::FromStr<Err = String>>(row: &SqliteRow, column: &str) -> Done<T> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|problem: String| Abort::Sql(sqlx::Error::Decode(problem.into())))
}

fn news(row: &SqliteRow) -> Done<(Timestamp, News)> {
    let news = News {
        key: row.text("key")?,
        rule: row.text("rule")?,
        change: parsed(row, "change")?,
        severity: parsed(row, "severity")?,
        kind: row.text_if_any("kind")?,
        queue: row.text_if_any("queue")?,
        text: row.text("text")?,
        count: row.small("count")?,
        jobs: unpacked(row.try_get("jobs")?),
        details: row.json_if_any("details")?,
    };
    Ok((row.time("at")?, news))
}

fn alert_row(row: &SqliteRow) -> Done<AlertRow> {
    Ok(AlertRow {
        id: alert_id(row, "id")?,
        key: row.text("key")?,
        rule: row.text("rule")?,
        nature: parsed(row, "nature")?,
        severity: parsed(row, "severity")?,
        kind: row.text_if_any("kind")?,
        queue: row.text_if_any("queue")?,
        text: row.text("text")?,
        count: row.small("count")?,
        jobs: unpacked(row.try_get("jobs")?),
        details: row.json_if_any("details")?,
        opened_at: row.time("opened_at")?,
        last_at: row.time("last_at")?,
        closed_at: row.time_if_any("closed_at")?,
        acked_at: row.time_if_any("acked_at")?,
        acked_by: row.text_if_any("acked_by")?,
        tellings: row.small("tellings")?,
        told_count: row.small("told_count")?,
        version: row.small("version")?,
    })
}

fn delivery(row: &SqliteRow) -> Done<Delivery> {
    Ok(Delivery {
        alert: alert_id(row, "alert_id")?,
        telling: row.small("telling")?,
        route: row.text("route")?,
        message: serde_json::from_str(row.try_get("message")?)?,
        attempts: row.small("attempts")?,
    })
}

fn delivery_row(row: &SqliteRow) -> Done<DeliveryRow> {
    Ok(DeliveryRow {
        telling: row.small("telling")?,
        route: row.text("route")?,
        state: row.text("state")?,
        attempts: row.small("attempts")?,
        due_at: row.time("due_at")?,
        ended_at: row.time_if_any("ended_at")?,
        error: row.text_if_any("error")?,
    })
}
