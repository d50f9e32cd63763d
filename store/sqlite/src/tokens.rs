//! Tokens of services. One hand writes, so whoever changes one sees what was changed before.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::row::{RowExt, micros};
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit};
use store::tokens::{
    Before, Decided, NewToken, TokenChange, TokenChanged, TokenRow, Tokens, Which, token_changed,
    token_created,
};
use store::{Actor, Result, StoreError, TokenId};

const READING: &str = "reading tokens";
pub(super) const FIND: &str = include_str!("token_find.sql");
pub(super) const LIST: &str = include_str!("tokens.sql");

#[async_trait]
impl Tokens for SqliteStore {
    async fn create_token(&self, token: &NewToken, by: &Actor) -> Result<TokenRow> {
        let (token, by) = (token.clone(), by.clone());
        self.write("creating a token", move |tx, now| {
            async move { create(tx, now, &token, &by).await }.boxed()
        })
        .await
    }

    async fn token(&self, which: &Which) -> Result<Option<(TokenRow, Timestamp)>> {
        let now = moment(self.now_us());
        self.read(READING, async |connection| Ok(find(connection, which).await?.map(|token| (token, now))))
            .await
    }

    async fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(READING, async |connection| {
            let rows = sqlx::query(LIST).bind(after).bind(limit).fetch_all(connection).await?;
            rows.iter().map(token_row).collect()
        })
        .await
    }

    async fn change_token(&self, id: TokenId, change: &TokenChange, by: &Actor) -> Result<TokenChanged> {
        let (change, by) = (change.clone(), by.clone());
        self.write("changing a token", move |tx, now| {
            async move { apply(tx, now, id, &change, &by).await }.boxed()
        })
        .await
    }

    async fn token_used(&self, id: TokenId, at_most_every: Duration) -> Result<()> {
        self.write("writing when a token was used", move |tx, now| {
            async move {
                let query = sqlx::query(include_str!("token_used.sql")).bind(now).bind(id.0);
                query.bind(micros(at_most_every)).execute(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

async fn create(tx: &mut Tx, now: i64, new: &NewToken, by: &Actor) -> Done<TokenRow> {
    let inserted = sqlx::query(include_str!("token_insert.sql"))
        .bind(now)
        .bind(new.id.0)
        .bind(new.name.clone())
        .bind(new.hash.to_vec())
        .bind(json!(new.permissions).to_string())
        .bind(new.tenant.clone())
        .bind(json!(new.networks).to_string())
        .bind(by.name.clone())
        .bind(micros(new.life))
        .execute(&mut *tx)
        .await?;
    let created = match inserted.rows_affected() {
        0 => None,
        _ => find(tx, &Which::Id(new.id)).await?,
    };
    let Some(token) = created else {
        return Err(StoreError::Refused("there is or was a token of this name".into()).into());
    };
    audit::entry(tx, now, &token_created(by, &token)).await?;
    Ok(token)
}

async fn find(connection: &mut SqliteConnection, which: &Which) -> Done<Option<TokenRow>> {
    let (id, name) = match which {
        Which::Id(id) => (Some(id.0), None),
        Which::Name(name) => (None, Some(name.clone())),
    };
    let row = sqlx::query(FIND).bind(id).bind(name).fetch_optional(connection).await?;
    row.as_ref().map(token_row).transpose()
}

async fn apply(tx: &mut Tx, now: i64, id: TokenId, change: &TokenChange, by: &Actor) -> Done<TokenChanged> {
    let Some(token) = find(tx, &Which::Id(id)).await? else { return Ok(TokenChanged::Unknown) };
    let applied = match change.apply(&token, moment(now)) {
        Decided::Same => return Ok(TokenChanged::Same(Box::new(token))),
        Decided::Refused(why) => return Ok(TokenChanged::Refused(why)),
        Decided::Apply(applied) => applied,
    };
    let to = &applied.token;
    sqlx::query(include_str!("token_update.sql"))
        .bind(id.0)
        .bind(to.hash.to_vec())
        .bind(to.before.as_ref().map(|before| before.hash.to_vec()))
        .bind(to.before.as_ref().map(|before| before.until.as_microsecond()))
        .bind(to.expires_at.as_microsecond())
        .bind(to.rotated_at.map(|at| at.as_microsecond()))
        .bind(to.revoked_at.map(|at| at.as_microsecond()))
        .execute(&mut *tx)
        .await?;
    audit::entry(tx, now, &token_changed(by, &applied)).await?;
    Ok(TokenChanged::Done(Box::new(applied.token)))
}

fn bad(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem.into()))
}

fn token_row(row: &SqliteRow) -> Done<TokenRow> {
    let hash = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| bad("a hash has 32 bytes"));
    let names = |column| serde_json::from_str(&row.text(column)?).map_err(bad);
    let before: Option<Vec<u8>> = row.try_get("hash_before")?;
    let before = match (before, row.time_if_any("before_until")?) {
        (Some(bytes), Some(until)) => Some(Before { hash: hash(bytes)?, until }),
        _ => None,
    };
    Ok(TokenRow {
        id: TokenId(row.try_get("id")?),
        name: row.text("name")?,
        hash: hash(row.try_get("hash")?)?,
        before,
        permissions: names("permissions")?,
        tenant: row.text_if_any("tenant")?,
        networks: names("networks")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        expires_at: row.time("expires_at")?,
        rotated_at: row.time_if_any("rotated_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
        used_at: row.time_if_any("used_at")?,
    })
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or_default()
}
