//! The audit log searched, and what is personal in it erased, on SQLite.

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::AuditEntry;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::row::RowExt;
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit as log};
use store::evidence::{Halving, REDACT};
use store::{Actor, AuditSearch, Erasing, Evidence, Position, Result};

const SEARCHING: &str = "searching the audit log";

#[async_trait]
impl Evidence for SqliteStore {
    async fn search_audit(&self, wanted: &AuditSearch, limit: usize) -> Result<Vec<(Position, AuditEntry)>> {
        let wanted = wanted.clone();
        self.read(SEARCHING, async |connection| {
            let last = sqlx::query_scalar(include_str!("seq_last.sql")).fetch_optional(&mut *connection);
            let Some(last) = last.await? else { return Ok(Vec::new()) };
            let start = match wanted.begins() {
                Some(time) => first_since(connection, time, last).await?,
                None => 0,
            };
            let end = match wanted.ends() {
                Some(time) => first_since(connection, time, last).await?,
                None => last.saturating_add(1),
            };
            let end = wanted.before.unwrap_or(i64::MAX).min(end);
            let AuditSearch { actor, action, object, outcome, tenant, request, job, from, until, .. } =
                wanted.clone();
            let rows = sqlx::query(include_str!("audit_search.sql"))
                .bind(end)
                .bind(start)
                .bind(from.map(Timestamp::as_microsecond))
                .bind(until.map(Timestamp::as_microsecond))
                .bind(actor)
                .bind(action)
                .bind(object)
                .bind(outcome)
                .bind(tenant)
                .bind(request)
                .bind(job.map(|job| job.0.as_bytes().to_vec()))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await?;
            rows.iter().map(log::entry_of).collect()
        })
        .await
    }

    async fn erase_openings(
        &self,
        of: &Erasing,
        basis: &str,
        limit: usize,
        by: &Actor,
    ) -> Result<Vec<String>> {
        let (of, basis, by) = (of.clone(), basis.to_owned(), by.clone());
        self.write("erasing what opens commitments", move |tx, now| {
            async move { erase(tx, now, of, &basis, limit, &by).await }.boxed()
        })
        .await
    }
}

async fn first_since(connection: &mut SqliteConnection, time: Timestamp, last: i64) -> Done<i64> {
    let mut halving = Halving::new(time, last);
    while let Some(number) = halving.ask() {
        let row = sqlx::query(include_str!("seq_at.sql")).bind(number).fetch_optional(&mut *connection);
        let entry = row.await?.map(|row| Ok::<_, Abort>((row.try_get("seq")?, row.time("at")?)));
        halving.told(entry.transpose()?);
    }
    Ok(halving.found())
}

async fn erase(
    tx: &mut Tx,
    now: i64,
    of: Erasing,
    basis: &str,
    limit: usize,
    by: &Actor,
) -> Done<Vec<String>> {
    let (subject, commitments, before, field) = match of {
        Erasing::Subject(subject) => (Some(subject), None, None, None),
        Erasing::Commitments(these) => (None, Some(json!(these).to_string()), None, None),
        Erasing::Before { at, field } => (None, None, Some(at.as_microsecond()), field),
    };
    let rows = sqlx::query(include_str!("openings_erase.sql"))
        .bind(subject)
        .bind(commitments)
        .bind(before)
        .bind(field)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
    let mut erased: Vec<String> = rows.iter().map(|row| row.text("commitment")).collect::<Done<_>>()?;
    erased.sort_unstable();
    if !erased.is_empty() {
        let details = json!({ "basis": basis, "commitments": erased });
        log::object(tx, now, by, REDACT, "audit", Some(details)).await?;
    }
    Ok(erased)
}
