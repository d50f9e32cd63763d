//! The audit log searched, and what is personal in it erased, on PostgreSQL.

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::AuditEntry;
use serde_json::json;
use sqlx::{Connection, Row};

use super::rows::{self, Micros};
use super::sessions::within;
use super::{LONG, PostgresStore, audit_log, failed};
use store::evidence::{Halving, REDACT};
use store::{Actor, AuditSearch, Erasing, Evidence, Position, Result};

const SEARCHING: &str = "searching the audit log";
const ERASING: &str = "erasing what opens commitments";

#[async_trait]
impl Evidence for PostgresStore {
    async fn search_audit(&self, wanted: &AuditSearch, limit: usize) -> Result<Vec<(Position, AuditEntry)>> {
        within(LONG, SEARCHING, search(self, wanted, limit)).await
    }

    async fn erase_openings(
        &self,
        of: &Erasing,
        basis: &str,
        limit: usize,
        by: &Actor,
    ) -> Result<Vec<String>> {
        self.answered(ERASING, erase(self, of, basis, limit, by)).await
    }
}

async fn search(
    store: &PostgresStore,
    wanted: &AuditSearch,
    limit: usize,
) -> Result<Vec<(Position, AuditEntry)>> {
    let last: Option<i64> = sqlx::query_scalar(include_str!("seq_last.sql"))
        .fetch_optional(&store.cold)
        .await
        .map_err(failed(SEARCHING))?;
    let Some(last) = last else { return Ok(Vec::new()) };
    let start = match wanted.begins() {
        Some(time) => first_since(store, time, last).await?,
        None => 0,
    };
    let end = match wanted.ends() {
        Some(time) => first_since(store, time, last).await?,
        None => last.saturating_add(1),
    };
    let end = wanted.before.unwrap_or(i64::MAX).min(end);
    let AuditSearch { actor, action, object, outcome, tenant, request, job, from, until, .. } = wanted;
    let rows = sqlx::query(include_str!("audit_search.sql"))
        .bind(end)
        .bind(start)
        .bind(from.map(Micros::from))
        .bind(until.map(Micros::from))
        .bind(actor)
        .bind(action)
        .bind(object)
        .bind(outcome)
        .bind(tenant)
        .bind(request)
        .bind(job.map(|job| job.0))
        .bind(rows::count(limit))
        .fetch_all(&store.cold)
        .await
        .map_err(failed(SEARCHING))?;
    rows.iter().map(audit_log::entry).collect()
}

async fn first_since(store: &PostgresStore, time: Timestamp, last: i64) -> Result<i64> {
    let mut halving = Halving::new(time, last);
    while let Some(number) = halving.ask() {
        let row = sqlx::query(include_str!("seq_at.sql")).bind(number).fetch_optional(&store.cold).await;
        let row = row.map_err(failed(SEARCHING))?;
        halving.told(row.map(|row| (row.get("seq"), row.get::<Micros, _>("at").into())));
    }
    Ok(halving.found())
}

async fn erase(
    store: &PostgresStore,
    of: &Erasing,
    basis: &str,
    limit: usize,
    by: &Actor,
) -> Result<Vec<String>> {
    let mut session = store.cold.acquire().await.map_err(failed(ERASING))?;
    let mut tx = session.begin().await.map_err(failed(ERASING))?;
    let (subject, commitments, before, field) = match of {
        Erasing::Subject(subject) => (Some(subject), None, None, None),
        Erasing::Commitments(these) => (None, Some(these), None, None),
        Erasing::Before { at, field } => (None, None, Some(Micros::from(*at)), field.as_ref()),
    };
    let mut erased: Vec<String> = sqlx::query_scalar(include_str!("openings_erase.sql"))
        .bind(subject)
        .bind(commitments)
        .bind(before)
        .bind(field)
        .bind(rows::count(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(ERASING))?;
    erased.sort_unstable();
    if !erased.is_empty() {
        let details = json!({ "basis": basis, "commitments": erased });
        let entry = by.entry(REDACT, "audit", "ok", details);
        audit_log::append_on(&mut tx, store.time(), &entry).await?;
    }
    tx.commit().await.map_err(failed(ERASING))?;
    session.keep();
    Ok(erased)
}
