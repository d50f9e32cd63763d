//! The statements of users, sessions, tokens and callers on PostgreSQL come out of their index, as those in `postgres.rs` do.

use sqlx::{Connection, PgConnection};

use super::postgres::Bound::By;
use super::postgres::plan;
use crate::support::postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_of_users_and_sessions_is_bounded_by_its_index() {
    let url = postgres::database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    macro_rules! statements {
        ($(($name:literal, $parameters:literal, $bound:expr)),+ $(,)?) => {
            [$(($name, include_str!(concat!("../../../store/postgres/src/", $name, ".sql")), $parameters, $bound)),+]
        };
    }
    for (name, sql, parameters, bound) in statements![
        ("user_find", 3, By("identity_user_pkey", "id = ")),
        ("users", 2, By("identity_user_pkey", "id > $1")),
        ("user_update", 8, By("identity_user_pkey", "id = $1")),
        ("recovery_clear", 1, By("identity_recovery_pkey", "user_id = $1")),
        ("recovery_use", 2, By("identity_recovery_pkey", "code = $2")),
        ("session_find", 2, By("identity_session_pkey", "id = $2")),
        ("sessions", 2, By("identity_session_of_user", "user_id = $2")),
        ("session_update", 7, By("identity_session_pkey", "id = $2")),
        ("sessions_end", 5, By("identity_session_of_user", "user_id = $2")),
        ("sessions_forget", 3, By("identity_session_expires", "expires_at <")),
        ("failure_put", 5, By("identity_failure_pkey", "door = $1")),
        ("failures_forget", 3, By("identity_failure_last", "last_at <")),
        ("token_find", 3, By("access_token_pkey", "id = ")),
        ("tokens", 2, By("access_token_pkey", "id > $1")),
        ("token_update", 7, By("access_token_pkey", "id = $1")),
        ("token_used", 3, By("access_token_pkey", "id = $2")),
        ("rates_forget", 2, By("caller_rate_keep_until", "keep_until <")),
    ] {
        let plan = plan(&mut connection, name, sql, parameters).await;
        assert!(bound.holds(&plan), "{name} is not {bound:?}:\n{plan}");
        let scans = plan.lines().filter(|line| line.contains("Seq Scan on"));
        assert_eq!(scans.collect::<Vec<_>>(), [""; 0], "{name}:\n{plan}");
    }
}
