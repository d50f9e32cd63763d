//! A role of PostgreSQL, or two that take turns: while clients still come as the one, the other gets a new password.
//!
//! The two are members of a role that owns everything and cannot sign in, and act as it, so that nothing belongs to one of them. The server is told a verifier
//! that was computed here, never a password: a log of its statements has nothing in it. With one role alone whoever has read the old password is
//! refused until he reads again.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, TryFutureExt};
use jobkit::redact::ExposeSecret;
use jobkit::{Databases, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::secret::{OfTheSystem, Randomness, password};
use crate::target::{Answer, InUse, Target, TargetError, Verdict};

mod scram;

/// Whoever takes longer to answer is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server says to a password that is not the one.
const WRONG_PASSWORD: &str = "28P01";
/// What it says to whoever may not come at all.
const TURNED_AWAY: &str = "28000";

/// What the configuration says of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// One of `[databases]`, which may change the roles.
    pub database: String,
    /// Two that take turns, or one. The one that is in use comes first.
    pub roles: Vec<String>,
    /// The role that the two are members of, and act as. One that is missing is made of theirs, never this one.
    pub owner: String,
    /// What the new credential must be able to do; each statement is rolled back.
    pub must: Vec<String>,
}

pub struct Postgres {
    config: PostgresConfig,
    databases: Arc<dyn Databases>,
}

/// What readers get.
#[derive(Serialize, Deserialize)]
struct Value {
    engine: String,
    username: String,
    password: String,
    host: String,
    port: u16,
    dbname: String,
    /// All of it in one.
    url: String,
}

impl Postgres {
    pub fn new(config: PostgresConfig, databases: Arc<dyn Databases>) -> Self {
        Self { config, databases }
    }

    fn refused(&self, problem: impl Into<String>) -> TargetError {
        TargetError::Refused { target: self.name(), problem: problem.into() }
    }

    fn admin(&self) -> Result<PgConnectOptions, TargetError> {
        let url =
            self.databases.url(&self.config.database).map_err(|problem| self.refused(problem.to_string()))?;
        // What cannot be read may hold a password, so nothing of it is told.
        let options = PgConnectOptions::from_str(url.expose_secret());
        let options = options.map_err(|_| {
            self.refused(format!("databases.{}.url is no URL of PostgreSQL", self.config.database))
        })?;
        Ok(options.disable_statement_logging().application_name("compline secret_rotation"))
    }

    fn value(&self, text: &SecretString) -> Result<Value, TargetError> {
        let not_ours = || {
            self.refused(
                "the value in the store is not one of a role: JSON with username, password and the others",
            )
        };
        serde_json::from_str(text.expose_secret()).map_err(|_| not_ours())
    }

    async fn connected(
        &self,
        options: &PgConnectOptions,
        doing: &'static str,
    ) -> Result<Result<PgConnection, sqlx::Error>, TargetError> {
        match tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await {
            Ok(done) => Ok(done),
            Err(late) => Err(self.away(doing, late)),
        }
    }

    fn away(&self, doing: &'static str, cause: impl Into<jobkit::outcome::Cause>) -> TargetError {
        TargetError::Away { target: self.name(), doing, cause: cause.into() }
    }

    /// What is wrong with a call that whoever administers the server made.
    fn failed(&self, doing: &'static str, cause: sqlx::Error) -> TargetError {
        match code_of(&cause).as_deref() {
            Some("42501") => self.refused(format!(
                "{doing}: the user of databases.{} lacks the right; it needs CREATEROLE, and ADMIN OPTION on the roles",
                self.config.database
            )),
            Some(code) if is_lasting(code) => self.refused(format!("{doing}: {}", told(&cause))),
            _ => self.away(doing, cause),
        }
    }

    async fn as_admin(&self, doing: &'static str) -> Result<PgConnection, TargetError> {
        let connected = self.connected(&self.admin()?, doing).await?;
        connected.map_err(|cause| self.failed(doing, cause))
    }

    /// As a client comes: anew, by name and password.
    async fn comes(
        &self,
        role: &str,
        password: &str,
    ) -> Result<Result<PgConnection, sqlx::Error>, TargetError> {
        let options = self.admin()?.username(role).password(password);
        self.connected(&options, "signing in with a value").await
    }

    async fn tested(&self, text: &SecretString) -> Result<Verdict, TargetError> {
        let value = self.value(text)?;
        let mut client = match self.comes(&value.username, &value.password).await? {
            Ok(client) => client,
            Err(cause) if code_of(&cause).as_deref() == Some(WRONG_PASSWORD) => return Ok(Verdict::Refused),
            // Nobody was asked for a password, so that nothing is known of this one.
            Err(cause) if code_of(&cause).as_deref() == Some(TURNED_AWAY) => {
                return Err(self.refused(format!(
                    "the server turns `{}` away without asking for a password; pg_hba.conf must ask for scram-sha-256 where this worker \
                     comes from, and a role that is there must be one that signs in (LOGIN)",
                    value.username
                )));
            }
            Err(cause) => return Err(self.failed("signing in with a value", cause)),
        };
        for (number, statement) in self.config.must.iter().enumerate() {
            let mut transaction =
                client.begin().await.map_err(|cause| self.failed("trying a value", cause))?;
            let done = sqlx::query(AssertSqlSafe(statement.as_str())).execute(&mut *transaction).await;
            if let Err(cause) = done {
                return Err(match code_of(&cause) {
                    Some(code) if is_lasting(&code) => {
                        self.refused(format!("must[{number}] fails with this credential: {}", told(&cause)))
                    }
                    _ => self.away("trying a value", cause),
                });
            }
            transaction.rollback().await.map_err(|cause| self.failed("trying a value", cause))?;
        }
        let _ = client.close().await;
        self.asks_for_a_password(&value).await?;
        Ok(Verdict::Accepted)
    }

    /// The role gets this password. One that is not there is made, if it is to be.
    async fn change(
        &self,
        role: &str,
        password: &SecretString,
        is_to_be: bool,
        doing: &'static str,
    ) -> Result<(), TargetError> {
        let verifier = scram::verifier(password.expose_secret(), &OfTheSystem)?;
        let mut admin = self.as_admin(doing).await?;
        let there = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)");
        let is_there: bool =
            there.bind(role).fetch_one(&mut admin).await.map_err(|cause| self.failed(doing, cause))?;
        if !is_there && !is_to_be {
            return Ok(());
        }
        let (name, owner) = (quoted(role), quoted(&self.config.owner));
        let mut statements = Vec::new();
        if !is_there {
            if self.config.owner.is_empty() {
                return Err(self.refused(format!(
                    "there is no role `{role}`; make it, or name the owner, and it is made"
                )));
            }
            statements.push(format!("CREATE ROLE {name} LOGIN IN ROLE {owner}"));
            // What it makes belongs to both.
            statements.push(format!("ALTER ROLE {name} SET role = {owner}"));
        }
        // The verifier has neither a quote nor a backslash in it.
        statements.push(format!("ALTER ROLE {name} PASSWORD '{verifier}'"));
        let all = async {
            let mut transaction = admin.begin().await?;
            for statement in statements {
                sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        all.map_err(|cause| self.failed(doing, cause)).await
    }

    /// A server that asks nobody for a password cannot be shown to refuse one.
    async fn asks_for_a_password(&self, like: &Value) -> Result<(), TargetError> {
        let role = &like.username;
        let guess = password(&OfTheSystem)?;
        match self.comes(role, guess.expose_secret()).await? {
            Ok(_) => Err(self.refused(format!(
                "the server lets `{role}` in with any password; pg_hba.conf must ask for scram-sha-256 where this worker comes from"
            ))),
            Err(cause) if code_of(&cause).as_deref() == Some(WRONG_PASSWORD) => Ok(()),
            Err(cause) => Err(self.failed("signing in with a guess", cause)),
        }
    }
}

impl Target for Postgres {
    fn name(&self) -> String {
        format!("postgres {}", self.config.roles.join(", "))
    }

    fn has_overlap(&self) -> bool {
        self.config.roles.len() > 1
    }

    fn make(
        &self,
        current: Option<&SecretString>,
        randomness: &dyn Randomness,
    ) -> Result<SecretString, TargetError> {
        let before = current.map(|current| self.value(current)).transpose()?.map(|value| value.username);
        let username = next(&self.config.roles, before.as_deref());
        let username = username.ok_or_else(|| self.refused("roles: name one or two"))?;
        let admin = self.admin()?;
        let password = password(randomness)?;
        let (host, port) = (admin.get_host().to_owned(), admin.get_port());
        let dbname = admin.get_database().unwrap_or(username).to_owned();
        let url = url_of(username, &password, (&host, port), &dbname, admin.get_ssl_mode())
            .ok_or_else(|| self.refused("its address makes no URL"))?;
        let password = password.expose_secret().to_owned();
        let value = Value {
            engine: "postgres".into(),
            username: username.clone(),
            password,
            host,
            port,
            dbname,
            url,
        };
        let text = serde_json::to_string(&value).map_err(|_| self.refused("the value makes no JSON"))?;
        Ok(SecretString::from(text))
    }

    fn test<'a>(&'a self, value: &'a SecretString) -> Answer<'a, Verdict> {
        self.tested(value).boxed()
    }

    fn set<'a>(&'a self, new: &'a SecretString, _: Option<&'a SecretString>) -> Answer<'a, ()> {
        async move {
            let value = self.value(new)?;
            let password = SecretString::from(value.password.as_str());
            self.change(&value.username, &password, true, "setting a password").await
        }
        .boxed()
    }

    fn in_use<'a>(&'a self, old: &'a SecretString) -> Answer<'a, InUse> {
        const DOING: &str = "asking who is signed in";
        async move {
            if !self.has_overlap() {
                return Ok(InUse::Unknown);
            }
            let mut admin = self.as_admin(DOING).await?;
            let asked = sqlx::query_as(
                "SELECT count(*), coalesce(array_agg(DISTINCT application_name) FILTER (WHERE application_name <> ''), '{}') \
                 FROM pg_stat_activity WHERE usename = $1",
            );
            let (count, who): (i64, Vec<String>) = asked
                .bind(self.value(old)?.username)
                .fetch_one(&mut admin)
                .await
                .map_err(|cause| self.failed(DOING, cause))?;
            Ok(InUse::By { count: count.unsigned_abs(), who })
        }
        .boxed()
    }

    fn cut<'a>(&'a self, old: &'a SecretString) -> Answer<'a, u64> {
        const DOING: &str = "ending the sessions of the old credential";
        async move {
            let mut admin = self.as_admin(DOING).await?;
            let ended = sqlx::query_scalar(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE usename = $1 AND pid <> pg_backend_pid()",
            );
            let ended: i64 = ended
                .bind(self.value(old)?.username)
                .fetch_one(&mut admin)
                .await
                .map_err(|cause| self.failed(DOING, cause))?;
            Ok(ended.unsigned_abs())
        }
        .boxed()
    }

    fn retire<'a>(&'a self, old: &'a SecretString, stays: &'a SecretString) -> Answer<'a, ()> {
        async move {
            let (old, stays) = (self.value(old)?, self.value(stays)?);
            // Whose password it is, and the others of the configuration: a role that was renamed has its password still. They stay for their next turn,
            // under a password that nobody knows. One that has the new password has no old one any more.
            let roles: BTreeSet<&str> =
                self.config.roles.iter().map(String::as_str).chain([old.username.as_str()]).collect();
            for role in roles.into_iter().filter(|role| *role != stays.username) {
                self.change(role, &password(&OfTheSystem)?, false, "retiring a password").await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// Whose turn it is. When nothing is known it is the last one's: the first may be in use under a password that nobody here has been told.
fn next<'a>(roles: &'a [String], before: Option<&str>) -> Option<&'a String> {
    let other = roles.iter().rev().find(|role| Some(role.as_str()) != before);
    other.or(roles.first())
}

/// Whoever reads it comes as safely as whoever administers does.
fn url_of(
    user: &str,
    password: &SecretString,
    (host, port): (&str, u16),
    dbname: &str,
    safely: PgSslMode,
) -> Option<String> {
    // A socket is no host of a URL.
    let at = if host.starts_with('/') { "localhost" } else { host };
    let mut url = url::Url::parse(&format!("postgres://{at}:{port}/")).ok()?;
    url.set_username(user).ok()?;
    url.set_password(Some(password.expose_secret())).ok()?;
    url.path_segments_mut().ok()?.push(dbname);
    if host.starts_with('/') {
        url.query_pairs_mut().append_pair("host", host);
    }
    let mode = match safely {
        PgSslMode::Prefer => return Some(url.into()),
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    url.query_pairs_mut().append_pair("sslmode", mode);
    Some(url.into())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// What the server says of a statement may repeat it, so its code is told, and its class.
fn told(error: &sqlx::Error) -> String {
    match code_of(error) {
        Some(code) => format!("the server says {code}"),
        None => "no answer".into(),
    }
}

/// Whether trying again is of no use: not of connections (08), resources (53), an operator (57) or the system (58).
fn is_lasting(code: &str) -> bool {
    !["08", "53", "57", "58", "40", "55", "XX"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_roles_take_turns_and_one_has_every_turn() {
        let two = ["a".to_owned(), "b".to_owned()];
        for (roles, before, expected) in [
            (&two[..], None, Some("b")),
            (&two, Some("b"), Some("a")),
            (&two, Some("a"), Some("b")),
            (&two, Some("of before"), Some("b")),
            (&two[..1], None, Some("a")),
            (&two[..1], Some("a"), Some("a")),
            (&[], None, None),
        ] {
            assert_eq!(next(roles, before).map(String::as_str), expected, "{roles:?} {before:?}");
        }
    }

    #[test]
    fn a_url_has_whatever_stands_in_names() {
        let password = SecretString::from("p-w_1");
        assert_eq!(
            url_of("app@a", &password, ("db.example", 5433), "my app", PgSslMode::VerifyFull).unwrap(),
            "postgres://app%40a:p-w_1@db.example:5433/my%20app?sslmode=verify-full"
        );
        assert_eq!(
            url_of("a", &password, ("/run/postgresql", 5432), "app", PgSslMode::Prefer).unwrap(),
            "postgres://a:p-w_1@localhost:5432/app?host=%2Frun%2Fpostgresql"
        );
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn what_lasts_is_not_tried_again() {
        for (code, lasts) in
            [("42704", true), ("22023", true), ("57P03", false), ("53300", false), ("08006", false)]
        {
            assert_eq!(is_lasting(code), lasts, "{code}");
        }
    }
}
