//! Tokens of services. Whoever changes one holds its row, so that two instances decide one after the other.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::identities::transaction;
use super::rows::{self, Micros};
use super::sessions::within;
use super::{LONG, PostgresStore, audit_log, contention, failed};
use store::tokens::{
    Before, Decided, NewToken, TokenChange, TokenChanged, TokenRow, Tokens, Which, token_changed,
    token_created,
};
use store::{Actor, Result, StoreError, TokenId};

const CREATING: &str = "creating a token";
const CHANGING: &str = "changing a token";
const READING: &str = "reading tokens";
const USING: &str = "writing when a token was used";

#[async_trait]
impl Tokens for PostgresStore {
    async fn create_token(&self, token: &NewToken, by: &Actor) -> Result<TokenRow> {
        transaction!(self, CREATING, |tx| create(&mut tx, self.time(), token, by))
    }

    async fn token(&self, which: &Which) -> Result<Option<(TokenRow, Timestamp)>> {
        let read = async {
            let mut session = self.cold.acquire().await.map_err(failed(READING))?;
            let found = find(&mut session, self.time(), which).await?;
            session.keep();
            Ok(found)
        };
        self.answered(READING, read).await
    }

    async fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>> {
        let read = async {
            let found = sqlx::query(include_str!("tokens.sql"))
                .bind(after.map_or(Uuid::nil(), |id| id.0))
                .bind(rows::count(limit))
                .fetch_all(&self.cold)
                .await;
            found.and_then(|rows| rows.iter().map(token_row).collect()).map_err(failed(READING))
        };
        within(LONG, READING, read).await
    }

    async fn change_token(&self, id: TokenId, change: &TokenChange, by: &Actor) -> Result<TokenChanged> {
        transaction!(self, CHANGING, |tx| apply(&mut tx, self.time(), id, change, by))
    }

    async fn token_used(&self, id: TokenId, at_most_every: Duration) -> Result<()> {
        let write = async {
            sqlx::query(include_str!("token_used.sql"))
                .bind(self.time())
                .bind(id.0)
                .bind(rows::micros(at_most_every))
                .execute(&self.cold)
                .await
                .map_err(failed(USING))?;
            Ok(())
        };
        self.answered(USING, write).await
    }
}

async fn create(tx: &mut PgConnection, time: Option<Micros>, new: &NewToken, by: &Actor) -> Result<TokenRow> {
    let inserted = sqlx::query(include_str!("token_insert.sql"))
        .bind(time)
        .bind(new.id.0)
        .bind(&new.name)
        .bind(new.hash)
        .bind(&new.permissions)
        .bind(&new.tenant)
        .bind(&new.networks)
        .bind(&by.name)
        .bind(rows::micros(new.life))
        .execute(&mut *tx)
        .await
        .map_err(failed(CREATING))?;
    let created = match inserted.rows_affected() {
        0 => None,
        _ => find(tx, time, &Which::Id(new.id)).await?,
    };
    let Some((token, _)) = created else {
        return Err(StoreError::Refused("there is or was a token of this name".into()));
    };
    audit_log::append_on(tx, time, &token_created(by, &token)).await?;
    Ok(token)
}

/// With the time at which it was read.
async fn find(
    connection: &mut PgConnection,
    time: Option<Micros>,
    which: &Which,
) -> Result<Option<(TokenRow, Timestamp)>> {
    let (id, name) = match which {
        Which::Id(id) => (Some(id.0), None),
        Which::Name(name) => (None, Some(name)),
    };
    let query = sqlx::query(include_str!("token_find.sql")).bind(time).bind(id).bind(name);
    let row = query.fetch_optional(connection).await;
    let read = |row: &PgRow| Ok((token_row(row)?, rows::time(row, "now")?.unwrap_or_default()));
    row.and_then(|row| row.as_ref().map(read).transpose()).map_err(failed(READING))
}

async fn apply(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: TokenId,
    change: &TokenChange,
    by: &Actor,
) -> Result<TokenChanged> {
    sqlx::query("SELECT FROM compline.access_token WHERE id = $1 FOR UPDATE")
        .bind(id.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(CHANGING))?;
    let Some((token, now)) = find(tx, time, &Which::Id(id)).await? else {
        return Ok(TokenChanged::Unknown);
    };
    let applied = match change.apply(&token, now) {
        Decided::Same => return Ok(TokenChanged::Same(Box::new(token))),
        Decided::Refused(why) => return Ok(TokenChanged::Refused(why)),
        Decided::Apply(applied) => applied,
    };
    let to = &applied.token;
    sqlx::query(include_str!("token_update.sql"))
        .bind(id.0)
        .bind(to.hash)
        .bind(to.before.as_ref().map(|before| before.hash))
        .bind(to.before.as_ref().map(|before| Micros::from(before.until)))
        .bind(Micros::from(to.expires_at))
        .bind(to.rotated_at.map(Micros::from))
        .bind(to.revoked_at.map(Micros::from))
        .execute(&mut *tx)
        .await
        .map_err(failed(CHANGING))?;
    audit_log::append_on(tx, time, &token_changed(by, &applied)).await?;
    Ok(TokenChanged::Done(Box::new(applied.token)))
}

fn token_row(row: &PgRow) -> sqlx::Result<TokenRow> {
    let hash = |bytes: Vec<u8>| {
        <[u8; 32]>::try_from(bytes).map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))
    };
    let before: Option<Vec<u8>> = row.try_get("hash_before")?;
    let before = match (before, rows::time(row, "before_until")?) {
        (Some(bytes), Some(until)) => Some(Before { hash: hash(bytes)?, until }),
        _ => None,
    };
    Ok(TokenRow {
        id: TokenId(row.try_get("id")?),
        name: row.try_get("name")?,
        hash: hash(row.try_get("hash")?)?,
        before,
        permissions: row.try_get("permissions")?,
        tenant: row.try_get("tenant")?,
        networks: row.try_get("networks")?,
        created_at: rows::time(row, "created_at")?.unwrap_or_default(),
        created_by: row.try_get("created_by")?,
        expires_at: rows::time(row, "expires_at")?.unwrap_or_default(),
        rotated_at: rows::time(row, "rotated_at")?,
        revoked_at: rows::time(row, "revoked_at")?,
        used_at: rows::time(row, "used_at")?,
    })
}
