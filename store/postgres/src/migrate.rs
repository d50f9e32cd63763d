//! Brings the database to this version. The driver's migrator does the work; what is applied already is read first
//! and under its lock, so that several that start at once each tell the truth, and a program that finds nothing
//! to do needs no right to make schemas and tables.

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr};

use super::{audit_log, tenants};
use store::{Migrated, Schema, StoreError};

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "jobs", include_str!("../../../migrations/postgres/0001_jobs.sql")),
    (2, "audit", include_str!("../../../migrations/postgres/0002_audit.sql")),
    (3, "enqueue", include_str!("../../../migrations/postgres/0003_enqueue.sql")),
    (4, "insert", include_str!("../../../migrations/postgres/0004_insert.sql")),
    (5, "positions", include_str!("../../../migrations/postgres/0005_positions.sql")),
    (6, "schedules", include_str!("../../../migrations/postgres/0006_schedules.sql")),
    (7, "limits", include_str!("../../../migrations/postgres/0007_limits.sql")),
    (8, "http", include_str!("../../../migrations/postgres/0008_http.sql")),
    (9, "triggers", include_str!("../../../migrations/postgres/0009_triggers.sql")),
    (10, "alerts", include_str!("../../../migrations/postgres/0010_alerts.sql")),
    (11, "followers", include_str!("../../../migrations/postgres/0011_followers.sql")),
    (12, "bounds", include_str!("../../../migrations/postgres/0012_bounds.sql")),
    (13, "doors", include_str!("../../../migrations/postgres/0013_doors.sql")),
    (14, "held_by_lane", include_str!("../../../migrations/postgres/0014_held_by_lane.sql")),
    (15, "beginnings", include_str!("../../../migrations/postgres/0015_beginnings.sql")),
    (16, "models_and_reviews", include_str!("../../../migrations/postgres/0016_models_and_reviews.sql")),
    (17, "tree", include_str!("../../../migrations/postgres/0017_tree.sql")),
    (18, "identity", include_str!("../../../migrations/postgres/0018_identity.sql")),
    (19, "access", include_str!("../../../migrations/postgres/0019_access.sql")),
    (20, "tenants", include_str!("../../../migrations/postgres/0020_tenants.sql")),
    (21, "rates", include_str!("../../../migrations/postgres/0021_rates.sql")),
    (22, "segments", include_str!("../../../migrations/postgres/0022_segments.sql")),
    (23, "approvals", include_str!("../../../migrations/postgres/0023_approvals.sql")),
    (24, "uploads", include_str!("../../../migrations/postgres/0024_uploads.sql")),
    (25, "handovers", include_str!("../../../migrations/postgres/0025_handovers.sql")),
    (26, "records", include_str!("../../../migrations/postgres/0026_records.sql")),
    (27, "installation", include_str!("../../../migrations/postgres/0027_installation.sql")),
];

const NEEDED: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

pub(super) const DOING: &str = "migrating the database";

pub(super) async fn schema(connection: &mut PgConnection) -> sqlx::Result<Schema> {
    let applied = applied(connection).await?;
    Ok(Schema { found: newest(&applied), needed: NEEDED })
}

/// The connection is to be closed afterwards where this is given up: the lock is its session's.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<Migrated, StoreError> {
    let failed = |cause: MigrateError| StoreError::Database { doing: DOING, cause: cause.into() };
    connection.lock().await.map_err(failed)?;
    let migrated = under_lock(connection).await.map_err(failed)?;
    connection.unlock().await.map_err(failed)?;
    Ok(migrated)
}

async fn under_lock(connection: &mut PgConnection) -> Result<Migrated, MigrateError> {
    let earlier = applied(connection).await?;
    let migrator = migrator();
    let done = |migration: &Migration| {
        earlier
            .iter()
            .any(|(version, checksum)| *version == migration.version && *checksum == *migration.checksum)
    };
    if !migrator.iter().all(done) {
        migrator.run_direct(None, &mut *connection, false).await?;
    }
    tenants::make_role(connection).await;
    audit_log::begin_era_if_transactions_began_anew(connection).await?;
    Ok(Migrated { from: newest(&earlier), to: NEEDED.max(newest(&earlier)) })
}

fn migrator() -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
    // A newer version may have been here, and a table of our own keeps clear of the application's.
    migrator.set_ignore_missing(true);
    migrator.create_schema("compline");
    migrator.dangerous_set_table_name("compline.migration");
    // We have it.
    migrator.set_locking(false);
    migrator
}

async fn applied(connection: &mut PgConnection) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let table = "SELECT to_regclass('compline.migration') IS NOT NULL";
    match sqlx::query_scalar(table).fetch_one(&mut *connection).await? {
        true => {
            let applied = "SELECT version, checksum FROM compline.migration WHERE success ORDER BY version";
            sqlx::query_as(applied).fetch_all(connection).await
        }
        false => Ok(Vec::new()),
    }
}

fn newest(applied: &[(i64, Vec<u8>)]) -> i64 {
    applied.last().map_or(0, |(version, _)| *version)
}
