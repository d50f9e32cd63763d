//! Each rule can fail: a snippet that breaks it is caught, and one that looks alike is not.

use super::*;

fn caught(rule: fn(&Tree) -> Vec<String>, files: &[(&str, &str)], by: &str) {
    let found = rule(&Tree::of(files));
    assert_eq!(found.len(), 1, "{files:?} gave {found:?}");
    assert!(found[0].contains(by), "{found:?} does not name {by}");
}

fn allowed(rule: fn(&Tree) -> Vec<String>, files: &[(&str, &str)]) {
    assert_eq!(rule(&Tree::of(files)), Vec::<String>::new());
}

#[test]
fn a_forbidden_dependency_is_caught() {
    let with = |path: &'static str, line: &str| {
        let manifests = [
            ("Cargo.toml", "compline", "jobkit = {}\njournal = {}\nengine = {}"),
            ("engine/Cargo.toml", "compline-engine", "jobkit = {}\ncompline-store = {}\nlettre = {}"),
            ("store/Cargo.toml", "compline-store", "jobkit = {}\nsqlx = {}"),
            ("store/sqlite/Cargo.toml", "compline-store-sqlite", "compline-store = {}\nsqlx = {}"),
            ("jobs/jobkit/Cargo.toml", "jobkit", ""),
            ("jobs/journal/Cargo.toml", "journal", "jobkit = {}\niforest = {}\nlinfa = {}"),
            ("jobs/journal/iforest/Cargo.toml", "iforest", "ndarray = {}"),
            ("jobs/backup/Cargo.toml", "backup", "jobkit = {}\nsqlx = {}"),
        ];
        let text = |manifest: &str, name: &str, needs: &str| {
            let more = if manifest == path { line } else { "" };
            let root = "[workspace.dependencies]\nengine = { package = \"compline-engine\" }";
            let root = if manifest == "Cargo.toml" { root } else { "" };
            format!("[package]\nname = \"{name}\"\n[dependencies]\n{needs}\n{more}\n{root}\n")
        };
        Tree(manifests.iter().map(|(path, name, needs)| ((*path).into(), text(path, name, needs))).collect())
    };
    assert_eq!(crates_depend_only_downwards(&with("", "")), Vec::<String>::new());
    for (path, line) in [("Cargo.toml", "sqlx = {}"), ("engine/Cargo.toml", "compline-store-sqlite = {}")] {
        let for_tests = with(path, &format!("[dev-dependencies]\n{line}"));
        assert_eq!(crates_depend_only_downwards(&for_tests), Vec::<String>::new());
    }
    for (path, line) in [
        ("jobs/jobkit/Cargo.toml", "backup = {}"),
        ("jobs/jobkit/Cargo.toml", "sqlx = {}"),
        ("jobs/backup/Cargo.toml", "journal = {}"),
        ("jobs/backup/Cargo.toml", "compline = {}"),
        ("jobs/backup/Cargo.toml", "iforest = {}"),
        ("jobs/backup/Cargo.toml", "apalis-core = {}"),
        ("jobs/backup/Cargo.toml", "other = { package = \"journal\" }"),
        ("jobs/backup/Cargo.toml", "[dev-dependencies]\njournal = {}"),
        ("jobs/backup/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlinfa-trees = {}"),
        ("jobs/journal/iforest/Cargo.toml", "jobkit = {}"),
        ("jobs/backup/Cargo.toml", "engine = { package = \"compline-engine\" }"),
        ("jobs/backup/Cargo.toml", "engine.workspace = true"),
        ("engine/Cargo.toml", "journal = {}"),
        ("engine/Cargo.toml", "linfa = {}"),
        ("engine/Cargo.toml", "sqlx = {}"),
        ("engine/Cargo.toml", "compline-store-sqlite = {}"),
        ("engine/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ncompline-store-sqlite = {}"),
        ("store/Cargo.toml", "compline-store-sqlite = {}"),
        ("store/sqlite/Cargo.toml", "compline-engine = {}"),
        ("Cargo.toml", "linfa = {}"),
        ("Cargo.toml", "lettre = {}\n[dev-dependencies]\nlettre = {}"),
    ] {
        let found = crates_depend_only_downwards(&with(path, line));
        assert_eq!(found.len(), 1, "{path} with {line}: {found:?}");
        assert!(found[0].starts_with(path));
    }
}

#[test]
fn a_crate_out_of_its_place_is_caught() {
    let rule = crates_of_others_stay_in_their_place;
    for (path, text) in [
        ("engine/src/queue.rs", "use apalis::prelude::*;"),
        ("engine/src/worker/attempt.rs", "use {apalis_core::backend::Backend, std::fmt};"),
        ("engine/src/queue.rs", "fn f(tx: &mut sqlx::PgConnection) {}"),
        ("jobs/journal/src/score.rs", "use sqlx::Row;"),
        ("src/cli/serve.rs", "use axum::Router;"),
        ("engine/src/alerts/mail.rs", "use lettre::Message;"),
        ("engine/src/queue.rs", "use redis::Cmd;"),
        ("engine/src/webhooks.rs", "use reqwest::Client;"),
        ("src/config/check.rs", "use rustls::RootCertStore;"),
        ("src/cli/demo.rs", "use linfa_trees as trees;"),
        ("src/registry.rs", "use iforest::Forest;"),
    ] {
        caught(rule, &[(path, text)], path);
    }
    allowed(rule, &[("engine/src/worker/apalis_backend.rs", "use apalis_core::backend::Backend;")]);
    allowed(rule, &[("jobs/backup/src/adapters/postgres.rs", "use sqlx::PgConnection;")]);
    allowed(rule, &[("engine/src/queue.rs", "// use apalis::prelude::*;\nuse store::Store;")]);
}

#[test]
fn sql_out_of_its_place_is_caught() {
    let rule = sql_stays_in_the_store;
    caught(rule, &[("engine/src/queue.rs", "f(\"DELETE FROM compline.job\")")], "engine/src/queue.rs");
    caught(rule, &[("src/cli/jobs.rs", "f(r#\"\n  SELECT 1\"#)")], "src/cli/jobs.rs");
    caught(rule, &[("jobs/journal/src/rows.sql", "-- Rows.")], "rows.sql");
    allowed(
        rule,
        &[
            ("store/postgres/src/read.rs", "f(\"SELECT 1\")"),
            ("engine/src/queue.rs", "f(\"Select a queue\")"),
        ],
    );
}

#[test]
fn an_impure_decision_is_caught() {
    let rule = pure_files_do_nothing_but_compute;
    for text in [
        "async fn f() {}",
        "use tokio::sync::Mutex;",
        "use std::{fmt, fs};",
        "fn f() { let at = jiff::Timestamp::now(); }",
        "fn f(clock: &dyn Clock) {}",
    ] {
        caught(rule, &[("store/src/state.rs", text)], "store/src/state.rs");
    }
    let attempt = "engine/src/worker/attempt.rs";
    caught(rule, &[(attempt, "async fn decide(x: u8) {}\nasync fn act() {}")], "async");
    caught(rule, &[(attempt, "fn decide(x: u8) { if x { Zoned::now(); } }")], "now");
    allowed(
        rule,
        &[(attempt, "fn decide(x: u8) -> u8 { match x { _ => 1 } }\nasync fn act() { tokio::join!() }")],
    );
}

#[test]
fn a_fake_that_ships_is_caught() {
    let rule = production_does_not_use_the_testing_kit;
    caught(rule, &[("src/app.rs", "use jobkit::{Clock, testing::ManualClock};")], "ManualClock");
    caught(rule, &[("jobs/jobkit/src/ctx.rs", "use crate::testing::FakeHost;")], "FakeHost");
    allowed(rule, &[("src/app.rs", "#[cfg(test)]\nmod tests {\n    use jobkit::testing::Bench;\n}\n")]);
    allowed(rule, &[("jobs/journal/src/tests.rs", "use jobkit::testing::Bench;")]);
}

#[test]
fn an_unlisted_unsafe_is_caught() {
    caught(unsafe_is_listed, &[("tests/it/store.rs", "fn f() { unsafe { g() } }")], "tests/it/store.rs");
    allowed(unsafe_is_listed, &[("src/lib.rs", "#![forbid(unsafe_code)] // unsafe")]);
}

#[test]
fn a_file_without_a_reason_is_caught() {
    caught(files_open_with_their_reason, &[("engine/src/queue.rs", "use std::fmt;")], "engine/src/queue.rs");
    caught(
        files_open_with_their_reason,
        &[("migrations/sqlite/0001_jobs.sql", "CREATE TABLE job ();")],
        "0001",
    );
    allowed(
        files_open_with_their_reason,
        &[("engine/src/queue.rs", "//! Use cases.\n"), ("a.sql", "-- Claims.\n")],
    );
}

#[test]
fn a_file_too_long_is_caught() {
    caught(files_are_short, &[("engine/src/queue.rs", &"\n".repeat(LONGEST_FILE + 1))], "601 lines");
    allowed(files_are_short, &[("engine/src/queue.rs", &"\n".repeat(LONGEST_FILE))]);
}

#[test]
fn a_store_without_its_twin_is_caught() {
    let rule = both_stores_have_the_same_operations;
    let twins = [("store/sqlite/src/prune_steps.sql", ""), ("store/postgres/src/prune.sql", "")];
    allowed(rule, &twins);
    caught(rule, &[twins[0], twins[1], ("store/postgres/src/claim.sql", "")], "claim.sql");
    caught(rule, &[("store/postgres/src/insert_one.sql", "")], "insert is gone");
    let renumbered = [("migrations/sqlite/0002_audit.sql", ""), ("migrations/postgres/0003_audit.sql", "")];
    assert_eq!(rule(&Tree::of(&renumbered)).len(), 2);
    allowed(rule, &[("migrations/postgres/0003_enqueue.sql", "")]);
}

#[test]
fn a_table_of_tenants_that_one_list_lacks_is_caught() {
    let rule = the_role_of_tenants_is_asked_for_what_it_is_given;
    let (one, two) = ("ARRAY['job', 'record']", "ARRAY['job',\n 'record', 'upload']");
    caught(rule, &[(TENANT_ROLE, two), (TENANT_USABLE, one)], "tenant_usable.sql: lacks `upload`");
    caught(rule, &[(TENANT_ROLE, one), (TENANT_USABLE, two)], "tenant_role.sql: lacks `upload`");
    caught(rule, &[(TENANT_ROLE, "GRANT"), (TENANT_USABLE, two)], "are not found");
    allowed(rule, &[(TENANT_ROLE, two), (TENANT_USABLE, &two.replace('\n', " "))]);
}
