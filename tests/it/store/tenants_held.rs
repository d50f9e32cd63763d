//! Tenants held by PostgreSQL itself: what the policies show when no statement says whose rows are meant, and who may be
//! the role that they hold. SQLite has no such thing.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::{Isolation, JobFilter, NewRow, Scope, Store};
use store_postgres::{PgOptions, PostgresStore, RowSecurity};

use super::tenants;
use crate::support::postgres::{self, OwnServer};
use crate::support::store::{TestStore, ada};

/// Tables in which nothing is one tenant's. A table that is not here has a policy, or holds nothing that anybody asks for:
/// decide which, for a new one.
const OF_NO_TENANT: &[&str] = &[
    "alert",
    "alert_delivery",
    "alert_news",
    "audit_anchor",
    "audit_checkpoint",
    "audit_epoch",
    "audit_opening",
    "audit_segment",
    "audit_tile",
    "audit_tree",
    "breaker",
    "bucket",
    "caller_rate",
    "era",
    "follower",
    "identity_failure",
    "identity_recovery",
    "identity_session",
    "installation",
    "kind",
    "limit_rule",
    "limit_set",
    "migration",
    "model",
    "model_standing",
    "queue",
    // Under keys that are the caller's own.
    "request",
    "worker",
];

async fn of_two(t: &TestStore) {
    for name in ["north", "south"] {
        let worker = t.worker().await;
        t.add(|row| row.tenant = Some(name.into())).await;
        t.run(worker, crate::support::store::retry(60)).await;
        let parent = t.add(|row| row.tenant = Some(name.into())).await;
        t.add(|row| {
            row.tenant = Some(name.into());
            row.after = vec![parent];
        })
        .await;
        t.change(parent, store::Change::Discard).await;
    }
}

async fn as_tenant(connection: &mut PgConnection, tenant: &str) {
    let sql = "SELECT set_config('role', 'compline_tenant', false), set_config('compline.tenant', $1, false)";
    sqlx::query(sql).bind(tenant).execute(connection).await.unwrap();
}

async fn count(connection: &mut PgConnection, from: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM compline.{from}"));
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_has_a_policy_or_holds_nothing_of_a_tenants() {
    let t = TestStore::postgres().await;
    let mut connection = PgConnection::connect(t.url()).await.unwrap();
    let tables = "SELECT c.relname::text, c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
                  FROM pg_class c WHERE c.relnamespace = 'compline'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1";
    for row in &sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let (table, guarded): (String, bool) = (row.get(0), row.get(1));
        assert_ne!(guarded, OF_NO_TENANT.contains(&table.as_str()), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_forgets_whose_rows_it_means_gets_the_tenants_own() {
    let t = TestStore::postgres().await;
    of_two(&t).await;
    let mut connection = PgConnection::connect(t.url()).await.unwrap();
    let all = count(&mut connection, "job").await;
    let tables = ["job", "job_history", "job_attempt"];
    as_tenant(&mut connection, "north").await;

    for table in tables {
        assert!(count(&mut connection, table).await > 0, "{table} shows the tenant's own");
    }
    assert_eq!(count(&mut connection, "job").await * 2, all);
    assert_eq!(count(&mut connection, "job WHERE tenant = 'south'").await, 0);
    assert_eq!(count(&mut connection, "job_history WHERE tenant IS DISTINCT FROM 'north'").await, 0);
    for unset in ["", "nowhere"] {
        as_tenant(&mut connection, unset).await;
        for table in tables {
            assert_eq!(count(&mut connection, table).await, 0, "{table} for `{unset}`");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_tenants_writes_nothing_and_reads_nothing_else() {
    let t = TestStore::postgres().await;
    of_two(&t).await;
    let mut connection = PgConnection::connect(t.url()).await.unwrap();
    as_tenant(&mut connection, "north").await;

    for statement in [
        "UPDATE compline.job SET tenant = 'north'",
        "DELETE FROM compline.job",
        "INSERT INTO compline.audit_entry (at, actor, action, object, outcome) VALUES (now(), 'a', 'b', 'c', 'd')",
        "SELECT * FROM compline.identity_user",
        "SELECT * FROM compline.unique_key",
        "SELECT * FROM compline.request",
        "SELECT reason FROM compline.queue",
        "SELECT compline.enqueue('system.noop')",
    ] {
        let refused = sqlx::query(statement).execute(&mut connection).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{statement}: {refused}");
    }
}

/// With the policies, neither a missing condition nor a missing policy would show in the other tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statements_hold_alone_where_policies_are_off() {
    for number in 0..4 {
        let mut t = TestStore::postgres().await;
        let options = PgOptions {
            row_security: RowSecurity::Off,
            manual_clock: Some(t.clock.clone()),
            ..PgOptions::default()
        };
        t.store = PostgresStore::connect(t.url(), &options).unwrap();
        assert_eq!(t.store.isolation().await.unwrap(), Isolation::Statements);
        match number {
            0 => tenants::what_is_anothers_is_answered_as_what_never_was(t).await,
            1 => tenants::lists_have_ones_own_alone(t).await,
            2 => tenants::nobody_sees_and_touches_nothing(t).await,
            _ => tenants::whatever_two_tenants_do_in_any_order_neither_hears_of_the_other(t).await,
        }
    }
}

fn connect(url: &str, row_security: RowSecurity) -> Arc<PostgresStore> {
    PostgresStore::connect(url, &PgOptions { row_security, ..PgOptions::default() }).unwrap()
}

async fn amiss(store: &PostgresStore) -> Vec<String> {
    match store.isolation().await.unwrap() {
        Isolation::Policies { amiss, .. } => amiss,
        Isolation::Statements => panic!("policies are not off"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_would_let_rows_through_is_named() {
    let server = OwnServer::start();
    let url = server.url();
    let store = connect(&url, RowSecurity::Required);
    store.migrate().await.unwrap();
    assert_eq!(amiss(&store).await, Vec::<String>::new());
    store.insert(&Scope::Tenant("north".into()), &[row_of("north")], &ada()).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();

    for (wrong, right, told) in [
        ("ALTER ROLE compline_tenant BYPASSRLS", "ALTER ROLE compline_tenant NOBYPASSRLS", "has BYPASSRLS"),
        ("ALTER ROLE compline_tenant SUPERUSER", "ALTER ROLE compline_tenant NOSUPERUSER", "is a superuser"),
        ("ALTER ROLE compline_tenant LOGIN", "ALTER ROLE compline_tenant NOLOGIN", "can sign in"),
        (
            "ALTER TABLE compline.job_step DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE compline.job_step ENABLE ROW LEVEL SECURITY",
            "job_step is guarded by no policy",
        ),
        (
            "CREATE POLICY wide ON compline.job USING (true)",
            "DROP POLICY wide ON compline.job",
            "policy wide of the table job",
        ),
        (
            "CREATE TABLE compline.new_thing (tenant text)",
            "DROP TABLE compline.new_thing",
            "new_thing is guarded by no policy",
        ),
        (
            "GRANT UPDATE ON compline.job TO compline_tenant",
            "REVOKE UPDATE ON compline.job FROM compline_tenant",
            "may write to the table job",
        ),
        (
            "GRANT SELECT ON compline.worker TO compline_tenant",
            "REVOKE SELECT ON compline.worker FROM compline_tenant",
            "may read the table worker",
        ),
        (
            "GRANT pg_read_all_data TO compline_tenant",
            "REVOKE pg_read_all_data FROM compline_tenant",
            "is a member of pg_read_all_data",
        ),
    ] {
        sqlx::query(wrong).execute(&mut connection).await.unwrap();
        let found = amiss(&store).await;
        assert!(found.iter().any(|found| found.contains(told)), "{wrong}: {found:?}");
        sqlx::query(right).execute(&mut connection).await.unwrap();
    }
    // A policy of the right name that holds nobody.
    sqlx::raw_sql(
        "DROP POLICY tenants ON compline.job;
         CREATE POLICY tenants ON compline.job USING (current_user <> 'compline_tenant' OR true)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    assert_eq!(amiss(&store).await, ["the table job shows rows to a request of no tenant"]);
}

fn row_of(tenant: &str) -> NewRow {
    let ids = jobkit::IdGenerator::new(Arc::new(jobkit::testing::ManualClock::default()));
    NewRow {
        id: ids.next(),
        kind: "test.kind".into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 3,
        when: jobkit::When::Now,
        args: "{}".into(),
        unique: None,
        tenant: Some(tenant.into()),
        tags: Vec::new(),
        metadata: None,
        after: Vec::new(),
        on_parent_failure: jobkit::OnParentFailure::Cancel,
        comes_with: None,
        lane: None,
        uploads: Vec::new(),
        approval: None,
    }
}

/// Roles belong to the cluster: databases that are migrated at once make one, and whoever may not make it does without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_databases_make_one_role_and_who_may_not_does_without() {
    let server = OwnServer::start();
    let mut admin = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query("CREATE ROLE maker LOGIN CREATEROLE").execute(&mut admin).await.unwrap();
    sqlx::query("CREATE ROLE plain LOGIN").execute(&mut admin).await.unwrap();
    let mut urls = Vec::new();
    for (database, owner) in [("one", "maker"), ("two", "maker"), ("three", "maker"), ("four", "plain")] {
        let sql = format!("CREATE DATABASE {database} OWNER {owner}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        let url = server.url().replace("//postgres@", &format!("//{owner}@"));
        urls.push(format!("{}/{database}", url.rsplit_once('/').unwrap().0));
    }
    let stores: Vec<_> = urls.iter().map(|url| connect(url, RowSecurity::Auto)).collect();

    let migrated = futures::future::join_all(stores.iter().map(|store| store.migrate())).await;

    assert!(migrated.iter().all(Result::is_ok), "{migrated:?}");
    for store in &stores[..3] {
        assert_eq!(amiss(store).await, Vec::<String>::new());
    }
    // It may have come before the role.
    stores[3].migrate().await.unwrap();
    let found = amiss(&stores[3]).await;
    assert_eq!(found, ["the role plain may not become compline_tenant"]);
    // By the statements alone, and not at all where policies are required.
    let north = Scope::Tenant("north".into());
    stores[3].insert(&north, &[row_of("north")], &ada()).await.unwrap();
    assert_eq!(stores[3].jobs(&north, &JobFilter::default()).await.unwrap().len(), 1);
    let strict = connect(&urls[3], RowSecurity::Required);
    let refused = strict.jobs(&north, &JobFilter::default()).await.unwrap_err().to_string();
    assert!(refused.contains("store.row_security"), "{refused}");
    assert_eq!(strict.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap().len(), 1);

    // What the runbook has an administrator do.
    sqlx::query("GRANT compline_tenant TO plain").execute(&mut admin).await.unwrap();
    let again = connect(&urls[3], RowSecurity::Required);
    again.migrate().await.unwrap();
    assert_eq!(amiss(&again).await, Vec::<String>::new());
    assert_eq!(again.jobs(&north, &JobFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_served_a_tenant_is_the_engines_again() {
    let url = postgres::database().await;
    let options = PgOptions { connections: 2, ..PgOptions::default() };
    let store = PostgresStore::connect(&url, &options).unwrap();
    let (north, south) = (Scope::Tenant("north".into()), Scope::Tenant("south".into()));
    for name in ["north", "south"] {
        store.insert(&Scope::Tenant(name.into()), &[row_of(name)], &ada()).await.unwrap();
    }

    for _ in 0..10 {
        for (scope, seen) in [(&north, 1), (&Scope::Installation, 2), (&south, 1), (&Scope::Nobody, 0)] {
            let jobs = store.jobs(scope, &JobFilter::default()).await.unwrap();
            assert_eq!(jobs.len(), seen, "{scope:?}");
        }
    }
}
