//! Brings the file to this version. sqlx's own migrator takes no lock on SQLite, so two processes that
//! start at once would both apply; here everything happens under the write lock of one transaction.

use sha2::{Digest, Sha256};
use sqlx::{Executor, Row, SqliteConnection};

use super::writer::{Done, Tx};
use store::{Migrated, Schema, StoreError};

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
        }
    };
}

const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_jobs"),
    migration!(2, "0002_audit"),
    migration!(5, "0005_positions"),
    migration!(6, "0006_schedules"),
    migration!(7, "0007_limits"),
    migration!(8, "0008_http"),
    migration!(9, "0009_triggers"),
    migration!(10, "0010_alerts"),
    migration!(11, "0011_followers"),
    migration!(12, "0012_bounds"),
    migration!(13, "0013_doors"),
    migration!(14, "0014_held_by_lane"),
    migration!(16, "0016_models_and_reviews"),
    migration!(17, "0017_tree"),
    migration!(18, "0018_identity"),
    migration!(19, "0019_access"),
    migration!(20, "0020_tenants"),
    migration!(21, "0021_rates"),
    migration!(22, "0022_segments"),
    migration!(23, "0023_approvals"),
    migration!(24, "0024_uploads"),
    migration!(25, "0025_handovers"),
    migration!(26, "0026_records"),
    migration!(27, "0027_installation"),
];

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, at INTEGER NOT NULL
) STRICT";

const NEEDED: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

pub(super) async fn schema(connection: &mut SqliteConnection) -> Done<Schema> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migration'";
    let found = match sqlx::query_scalar::<_, i64>(table).fetch_one(&mut *connection).await? {
        0 => 0,
        _ => {
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM migration")
                .fetch_one(connection)
                .await?
        }
    };
    Ok(Schema { found, needed: NEEDED })
}

/// A file that a newer program has migrated is fine: migrations only expand what this one knows.
pub(super) async fn migrate(tx: &mut Tx, now: i64) -> Done<Migrated> {
    sqlx::query(CREATE_TABLE).execute(&mut *tx).await?;
    let applied = sqlx::query("SELECT version, checksum FROM migration ORDER BY version")
        .fetch_all(&mut *tx)
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<sqlx::Result<Vec<(i64, Vec<u8>)>>>()?;
    let from = applied.last().map_or(0, |(version, _)| *version);

    for Migration { version, name, sql } in MIGRATIONS {
        let checksum = Sha256::digest(sql.as_bytes()).to_vec();
        if let Some((_, earlier)) = applied.iter().find(|(other, _)| other == version) {
            if *earlier != checksum {
                return Err(StoreError::Refused(format!(
                    "migration {name} was changed after it was applied to this file; use the program that \
                     made it, or restore the migration"
                ))
                .into());
            }
            continue;
        }
        tx.execute(sqlx::raw_sql(*sql)).await?;
        sqlx::query("INSERT INTO migration (version, name, checksum, at) VALUES (?, ?, ?, ?)")
            .bind(version)
            .bind(name)
            .bind(checksum)
            .bind(now)
            .execute(&mut *tx)
            .await?;
    }
    let to = MIGRATIONS.last().map_or(0, |migration| migration.version).max(from);
    Ok(Migrated { from, to })
}
