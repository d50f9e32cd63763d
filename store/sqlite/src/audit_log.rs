//! The audit log: written, read along, and who has read how far.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::AuditEntry;

use super::{SqliteStore, audit, insert};
use store::audit_log::ANY_WEIGHT;
use store::{Actor, AuditLog, AuditPage, Inserted, NewRow, OfJobs, Place, Position, Result, Scope};

#[async_trait]
impl AuditLog for SqliteStore {
    async fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        let entry = entry.clone();
        self.write("writing to the audit log", move |tx, now| {
            async move { audit::entry(tx, now, &entry).await }.boxed()
        })
        .await
    }

    async fn append_of_jobs(&self, entries: &[OfJobs]) -> Result<()> {
        let entries = entries.to_vec();
        self.write("writing to the audit log", move |tx, now| {
            async move {
                for OfJobs { entry, jobs } in &entries {
                    audit::row(tx, now, entry, jobs).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn audit_after(&self, position: Position, limit: usize) -> Result<Vec<(Position, AuditEntry)>> {
        Ok(self.audit_page(position, limit, ANY_WEIGHT).await?.entries)
    }

    async fn audit_page(&self, position: Position, limit: usize, most_bytes: u64) -> Result<AuditPage> {
        self.read("reading the audit log", async |connection| {
            audit::page(connection, position, limit, most_bytes).await
        })
        .await
    }

    async fn audit_head(&self) -> Result<Place> {
        self.read("looking for the end of the audit log", async |connection| {
            let head = sqlx::query_scalar(include_str!("audit_head.sql")).fetch_one(connection).await?;
            Ok(audit::at(head).into())
        })
        .await
    }

    async fn follower(&self, name: &str) -> Result<Place> {
        let name = name.to_owned();
        self.write("looking how far a reader of the audit log is", move |tx, _| {
            async move {
                let place = sqlx::query_scalar(include_str!("follower.sql")).bind(name).fetch_one(tx).await?;
                Ok(audit::at(place).into())
            }
            .boxed()
        })
        .await
    }

    async fn follow(
        &self,
        name: &str,
        from: Position,
        to: Position,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Option<Vec<Inserted>>> {
        let (name, by, rows) = (name.to_owned(), by.clone(), rows.to_vec());
        let ready: BTreeSet<_> =
            rows.iter().filter(|row| row.may_be_due()).map(|row| row.queue.clone()).collect();
        let inserted = self
            .write("enqueueing what follows", move |tx, now| {
                async move {
                    let moved = sqlx::query(include_str!("follow.sql"))
                        .bind(name)
                        .bind(from.seq)
                        .bind(to.seq)
                        .bind((!rows.is_empty()).then_some(now))
                        .execute(&mut *tx)
                        .await?;
                    match moved.rows_affected() {
                        0 => Ok(None),
                        _ => insert::insert(tx, &Scope::Installation, now, &rows, &by).await.map(Some),
                    }
                }
                .boxed()
            })
            .await?;
        if inserted.is_some() {
            self.bell.ring_for(ready);
        }
        Ok(inserted)
    }
}
