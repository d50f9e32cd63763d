//! Tenants held by the database itself, beside the conditions of the statements.
//!
//! What a tenant asks is asked as the role `compline_tenant`, which the policies of migration 20 let see its own rows and
//! which may write nothing. What it changes is named by what it could see so; the change itself, with all that follows for
//! others who wait for it, is the engine's. Rows that it brought are looked at again as that role before the commit.
//!
//! Whoever has the whole installation, and the engine, go past all of it and pay nothing.

use jobkit::JobId;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres};
use uuid::Uuid;

use super::sessions::{Session, Sessions};
use super::{PostgresStore, failed};
use store::{Isolation, Result, Scope, StoreError};

/// Whether requests of tenants run as a role that policies hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowSecurity {
    /// Where the role is there.
    #[default]
    Auto,
    /// And where it is not, no request of a tenant is carried out.
    Required,
    Off,
}

const DOING: &str = "asking as a tenant";
const CHECKING: &str = "checking whether tenants are kept apart";

/// Who asks, and whether the database itself holds them.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    pub scope: &'a Scope,
    held: bool,
}

impl Asker<'static> {
    /// The engine itself.
    pub const ENGINE: Self = Asker { scope: &Scope::Installation, held: false };
}

impl<'a> Asker<'a> {
    /// By the statements' conditions alone.
    pub fn unheld(scope: &'a Scope) -> Self {
        Self { scope, held: false }
    }

    pub fn bound(&self) -> Option<&'a str> {
        self.scope.bound()
    }

    /// From here on the transaction is the tenant's, until it is let go of or ends.
    pub async fn hold(&self, tx: &mut PgConnection) -> Result<()> {
        let (true, Some(tenant)) = (self.held, self.bound()) else { return Ok(()) };
        sqlx::query(
            "SELECT set_config('role', 'compline_tenant', true), set_config('compline.tenant', $1, true)",
        )
        .bind(tenant)
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
        Ok(())
    }

    pub async fn let_go(&self, tx: &mut PgConnection) -> Result<()> {
        if self.held && self.bound().is_some() {
            sqlx::raw_sql("RESET ROLE").execute(tx).await.map_err(failed(DOING))?;
        }
        Ok(())
    }

    /// Those of these jobs that are within; all of them for whoever has everything.
    pub async fn own_jobs(&self, tx: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        let Some(tenant) = self.bound() else { return Ok(ids.to_vec()) };
        self.hold(tx).await?;
        let own = sqlx::query_scalar(include_str!("own_jobs.sql"))
            .bind(ids)
            .bind(tenant)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed(DOING))?;
        self.let_go(tx).await?;
        Ok(own)
    }

    /// Before the commit: what was written for a tenant is the tenant's, by the word of the database.
    pub async fn confirm(&self, tx: &mut PgConnection, written: &[JobId]) -> Result<()> {
        let ids: Vec<Uuid> = written.iter().map(|id| id.0).collect();
        if !self.held || self.bound().is_none() || self.own_jobs(tx, &ids).await?.len() == ids.len() {
            return Ok(());
        }
        let cause = "a job came out as another tenant's than the caller's; nothing was written";
        Err(StoreError::Database { doing: DOING, cause: cause.into() })
    }

    pub async fn owns_schedule(&self, tx: &mut PgConnection, name: &str) -> Result<bool> {
        let Some(tenant) = self.bound() else { return Ok(true) };
        self.hold(tx).await?;
        let own = sqlx::query("SELECT FROM compline.schedule WHERE name = $1 AND tenant = $2")
            .bind(name)
            .bind(tenant)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(DOING))?;
        self.let_go(tx).await?;
        Ok(own.is_some())
    }
}

/// Asks questions as whoever asks.
pub struct Reader<'s> {
    pool: &'s Sessions,
    /// In a transaction of the tenant's.
    held: Option<Session>,
}

impl Reader<'_> {
    pub async fn all(&mut self, query: Query<'_, Postgres, PgArguments>) -> sqlx::Result<Vec<PgRow>> {
        match &mut self.held {
            None => query.fetch_all(self.pool).await,
            Some(session) => query.fetch_all(&mut **session).await,
        }
    }

    pub async fn first(&mut self, query: Query<'_, Postgres, PgArguments>) -> sqlx::Result<Option<PgRow>> {
        Ok(self.all(query).await?.into_iter().next())
    }

    /// Everything was answered. Who does not come here has the session closed.
    pub async fn done(self) -> sqlx::Result<()> {
        if let Some(mut session) = self.held {
            sqlx::raw_sql("COMMIT").execute(&mut *session).await?;
            session.keep();
        }
        Ok(())
    }
}

impl PostgresStore {
    pub(super) async fn asker<'a>(&self, scope: &'a Scope) -> Result<Asker<'a>> {
        let held = *scope != Scope::Installation && self.holds_tenants().await?;
        Ok(Asker { scope, held })
    }

    pub(super) async fn reader(&self, scope: &Scope) -> Result<Reader<'_>> {
        let asker = self.asker(scope).await?;
        if !asker.held {
            return Ok(Reader { pool: &self.cold, held: None });
        }
        let mut session = self.cold.acquire().await.map_err(failed(DOING))?;
        sqlx::raw_sql("BEGIN READ ONLY").execute(&mut *session).await.map_err(failed(DOING))?;
        asker.hold(&mut session).await?;
        Ok(Reader { pool: &self.cold, held: Some(session) })
    }

    /// Asked once: a role that an administrator makes later is used from the next start on.
    async fn holds_tenants(&self) -> Result<bool> {
        if self.row_security == RowSecurity::Off {
            return Ok(false);
        }
        let usable = async {
            let usable = sqlx::query_scalar(include_str!("tenant_usable.sql")).fetch_one(&self.cold).await;
            usable.map_err(failed(DOING))
        };
        match *self.tenants_held.get_or_try_init(|| usable).await? {
            false if self.row_security == RowSecurity::Required => Err(StoreError::Refused(
                "store.row_security is \"required\", and the role compline_tenant cannot be used; `compline doctor` \
                 says what is missing"
                    .into(),
            )),
            usable => Ok(usable),
        }
    }

    pub(super) async fn isolation_now(&self) -> Result<Isolation> {
        if self.row_security == RowSecurity::Off {
            return Ok(Isolation::Statements);
        }
        let mut session = self.cold.acquire().await.map_err(failed(CHECKING))?;
        let mut amiss: Vec<String> = sqlx::query_scalar(include_str!("tenant_amiss.sql"))
            .fetch_all(&mut *session)
            .await
            .map_err(failed(CHECKING))?;
        if amiss.is_empty() {
            amiss = shown_to_nobody(&mut session).await?;
        }
        session.keep();
        Ok(Isolation::Policies { amiss, required: self.row_security == RowSecurity::Required })
    }
}

/// Tables that show rows to a transaction that says of no tenant. Only the first pages are looked at: a table that is
/// guarded shows none, however long one looks.
async fn shown_to_nobody(session: &mut PgConnection) -> Result<Vec<String>> {
    let readable = "SELECT c.relname::text FROM pg_class c
                    WHERE c.relnamespace = 'compline'::regnamespace AND c.relkind = 'r'
                      AND has_table_privilege('compline_tenant', c.oid, 'SELECT') ORDER BY 1";
    let tables: Vec<String> =
        sqlx::query_scalar(readable).fetch_all(&mut *session).await.map_err(failed(CHECKING))?;
    let mut tx = session.begin().await.map_err(failed(CHECKING))?;
    let nobody =
        "SELECT set_config('role', 'compline_tenant', true), set_config('compline.tenant', '', true)";
    sqlx::query(nobody).execute(&mut *tx).await.map_err(failed(CHECKING))?;
    let mut amiss = Vec::new();
    for table in tables {
        // A name of our own schema, as the catalogue has it.
        let sql = format!("SELECT EXISTS (SELECT FROM compline.\"{table}\" WHERE ctid < '(64,0)')");
        let sql = sqlx::AssertSqlSafe(sql);
        let shown: bool = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.map_err(failed(CHECKING))?;
        if shown {
            amiss.push(format!("the table {table} shows rows to a request of no tenant"));
        }
    }
    tx.rollback().await.map_err(failed(CHECKING))?;
    Ok(amiss)
}

/// After each migration, and where nothing is to be done it does nothing. It is no reason not to start.
pub async fn make_role(connection: &mut PgConnection) {
    if let Err(problem) = sqlx::raw_sql(include_str!("tenant_role.sql")).execute(connection).await {
        tracing::debug!("the role compline_tenant could not be set up: {problem}");
    }
}
