//! What only this store promises: plans, the file, and the writer.

use std::sync::Arc;

use jobkit::testing::ManualClock;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::Barrier;

use super::*;
use store::{AuditLog, Position, Store, StoreError};

async fn store() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.migrate().await.unwrap();
    (store, folder)
}

async fn open(folder: &tempfile::TempDir) -> SqliteStore {
    let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
    SqliteStore::open(&url, Arc::new(ManualClock::default())).await.unwrap()
}

fn row(n: u128) -> NewRow {
    NewRow {
        id: JobId(Uuid::from_u128(n)),
        kind: "test.kind".into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 3,
        when: jobkit::When::Now,
        args: "{}".into(),
        unique: None,
        tenant: None,
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

/// One such reader kept the process from ending.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_end_does_not_keep_the_store_open() {
    let (store, _folder) = store().await;
    let _stuck = store.readers.acquire().await.unwrap();

    store.close().await;

    assert!(store.insert(&Scope::Installation, &[row(1)], &Actor::system()).await.is_err());
}

async fn plan(store: &SqliteStore, sql: &str) -> Vec<String> {
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(sql).fetch_all(&store.readers).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hot_statement_walks_over_the_jobs() {
    let (store, _folder) = store().await;
    for (name, sql) in [
        ("claim", include_str!("claim.sql")),
        ("claim_audit", include_str!("claim_audit.sql")),
        ("claim_look", claim::LOOK),
        ("claim_tenants", claim::CLAIM_TENANTS),
        ("claim_fair", claim::CLAIM_FAIR),
        ("claim_these", claim::CLAIM_THESE),
        ("lanes", lanes::LANES),
        ("buckets_lock", lanes::BUCKETS_LOCK),
        ("buckets_look", lanes::BUCKETS_LOOK),
        ("buckets_move", lanes::BUCKETS_MOVE),
        ("claim_lanes", lanes::CLAIM_LANES),
        ("put_lanes", include_str!("put_lanes.sql")),
        ("put_lanes_ended", include_str!("put_lanes_ended.sql")),
        ("stage", claim::STAGE),
        ("stage_next", claim::STAGE_NEXT),
        ("ready_queues", claim::READY_QUEUES),
        ("finish_audit", include_str!("finish_audit.sql")),
        ("finish", include_str!("finish.sql")),
        ("finish_live", include_str!("finish_live.sql")),
        ("held", finish::HELD),
        ("recorded", finish::RECORDED),
        ("attempt", finish::ATTEMPT),
        ("requeue", finish::REQUEUE),
        ("alive", finish::ALIVE),
        ("end", ending::END),
        ("end_live", ending::END_LIVE),
        ("end_news", ending::END_NEWS),
        ("alert_fold", alerts::FOLD),
        ("alert_work", alerts::WORK),
        ("alerts_to_tell", alerts::TO_TELL),
        ("delivery_take", alerts::TAKE),
        ("waiting_queues", alerts::WAITING_QUEUES),
        ("alert_end", include_str!("alert_end.sql")),
        ("alert_withdraw", include_str!("alert_withdraw.sql")),
        ("alert_deliveries", include_str!("alert_deliveries.sql")),
        ("delivery_end", include_str!("delivery_end.sql")),
        ("schedules_due", include_str!("schedules_due.sql")),
        ("schedules_next", include_str!("schedules_next.sql")),
        ("schedule_fire", include_str!("schedule_fire.sql")),
        ("schedule_set_back", include_str!("schedule_set_back.sql")),
        ("live_fires", include_str!("live_fires.sql")),
        ("fires", include_str!("fires.sql")),
        ("forget_fires", include_str!("forget_fires.sql")),
        ("keys_hand_over", include_str!("keys_hand_over.sql")),
        ("marks", include_str!("marks.sql")),
        ("see_marks", include_str!("see_marks.sql")),
        ("forget_marks_before", include_str!("forget_marks_before.sql")),
        ("forget_marks_unseen", include_str!("forget_marks_unseen.sql")),
        ("follow", include_str!("follow.sql")),
        ("keys_release", ending::KEYS_RELEASE),
        ("dependents", ending::DEPENDENTS),
        ("forget_parents", ending::FORGET_PARENTS),
        ("forget_children", ending::FORGET_CHILDREN),
        ("links", ending::LINKS),
        ("free", ending::FREE),
        ("parents", insert::PARENTS),
        ("keys_held", insert::KEYS_HELD),
        ("has_dependents", insert::HAS_DEPENDENTS),
        ("replace", insert::REPLACE),
        ("beat", worker::BEAT),
        ("holdings", worker::HOLDINGS),
        ("held_steps", step::HELD_STEPS),
        ("save_step", step::SAVE_STEP),
        ("save_progress", step::SAVE_PROGRESS),
        ("save_audit", step::SAVE_AUDIT),
        ("holds", models::HOLDS),
        ("prune_due", prune::PRUNE_DUE),
        ("job", read::JOB),
    ] {
        let plan = plan(&store, sql).await;
        // Scans of json_each, of recursive tables and of constant rows walk over what the caller gave.
        let harmless = ["VIRTUAL TABLE", "CONSTANT ROW"];
        let walked_over = [
            "job",
            "ended",
            "alive",
            "first",
            "other",
            "job_history",
            "job_attempt",
            "job_step",
            "attempt",
            "job_dependency",
            "edge",
            "unique_key",
            "held",
            "worker",
            "queue",
            "alert",
            "alert_delivery",
            "schedule",
            "schedule_fire",
            "trigger_mark",
            "follower",
            "head",
            "busy",
        ];
        for line in &plan {
            let Some(scan) = line.strip_prefix("SCAN ") else { continue };
            let table = scan.split(' ').next().unwrap_or_default();
            let is_harmless = harmless.iter().any(|kind| scan.contains(kind));
            assert!(
                is_harmless || !walked_over.contains(&table),
                "{name}.sql walks over `{table}`: {plan:#?}"
            );
        }
    }
}

/// A scan is not the only way to read too much: an index that only orders is read from its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn statements_that_look_often_are_bounded_by_their_index() {
    let (store, _folder) = store().await;
    for (name, sql, index) in [
        ("schedules_due", include_str!("schedules_due.sql"), "schedule_due (next_fire<?)"),
        ("schedules_next", include_str!("schedules_next.sql"), "schedule_due (next_fire>?)"),
        ("live_fires", include_str!("live_fires.sql"), "PRIMARY KEY (schedule=?)"),
        ("forget_fires", include_str!("forget_fires.sql"), "schedule_fire_fired_at (fired_at<?)"),
        ("marks", include_str!("marks.sql"), "PRIMARY KEY (source=? AND mark=?)"),
        ("see_marks", include_str!("see_marks.sql"), "PRIMARY KEY (source=? AND mark=?)"),
        ("forget_marks_before", include_str!("forget_marks_before.sql"), "PRIMARY KEY (source=? AND mark<?)"),
        ("alerts_to_tell", alerts::TO_TELL, "alert_to_tell (tell_at<?)"),
        ("alert_end", include_str!("alert_end.sql"), "alert_open (key=?)"),
        ("alert_work", alerts::WORK, "alert_delivery_due (due_at<?)"),
        ("delivery_take", alerts::TAKE, "alert_delivery_due (due_at<?)"),
        ("models", models::MODELS, "model_standing_of (model=?)"),
        ("record_find", records::FIND, "record_key (collection=? AND key=? AND <expr>=?)"),
        ("record_let_go", records::LET_GO, "record_key (collection=? AND key=? AND <expr>=?)"),
        ("record_look", records::LOOK, "record_key (collection=? AND key=? AND <expr>=?)"),
        ("record_named", records::NAMED, "PRIMARY KEY (collection=? AND name=?)"),
        ("record_taken", records::TAKEN, "PRIMARY KEY (collection=? AND name=?)"),
        ("record_names_gone", records::NAMES_GONE, "record_name_of (record=?)"),
        ("records", records::LIST, "record_key (collection=? AND key>?)"),
        ("records_due", records::DUE, "record_due (collection=? AND (due_at,key)>(?,?) AND due_at<?)"),
        ("reviews", reviews::REVIEWS, "review_of_job (job=?)"),
        ("review_decisions", reviews::DECISIONS, "review_decided (job=?)"),
        ("user_find", include_str!("user_find.sql"), "sqlite_autoindex_identity_user_1 (id=?)"),
        ("users", include_str!("users.sql"), "sqlite_autoindex_identity_user_1 (id>?)"),
        ("sessions", identities::SESSIONS, "identity_session_of_user (user_id=?)"),
        ("sessions_end", include_str!("sessions_end.sql"), "identity_session_of_user (user_id=?)"),
        ("sessions_forget", identities::FORGET[0], "identity_session_expires (expires_at<?)"),
        ("failures_forget", identities::FORGET[1], "identity_failure_last (last_at<?)"),
        ("rates_forget", include_str!("rates_forget.sql"), "caller_rate_keep_until (keep_until<?)"),
    ] {
        let plan = plan(&store, sql).await;
        assert!(plan.iter().any(|line| line.contains(index)), "{name}.sql: {plan:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_come_out_of_the_index_in_order() {
    let (store, _folder) = store().await;
    for sql in [include_str!("claim.sql"), claim::STAGE] {
        let plan = plan(&store, sql).await;
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY")), "{plan:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_answered_is_on_the_disk() {
    let (store, _folder) = store().await;
    // A claim lowers it for itself.
    store.claim(WorkerId(1), "default", 1).await.unwrap();

    let settings = store
        .write("reading the settings", |tx, _| {
            async move {
                let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *tx).await?;
                let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(tx).await?;
                Ok((synchronous, journal))
            }
            .boxed()
        })
        .await
        .unwrap();

    const FULL: i64 = 2;
    assert_eq!(settings, (FULL, "wal".to_string()));
}

/// Holds the writer until all the others wait, so that they share a transaction: the call that does it, a
/// barrier for when it does, and one that ends it.
fn hold_the_writer(
    store: &SqliteStore,
) -> (impl Future<Output = Result<()>> + '_, Arc<Barrier>, Arc<Barrier>) {
    let (hold, held) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (arrived, go) = (held.clone(), hold.clone());
    let first = store.write("holding the writer", |_, _| {
        async move {
            arrived.wait().await;
            go.wait().await;
            Ok(())
        }
        .boxed()
    });
    (first, held, hold)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_in_any_place_of_a_shared_transaction_is_alone_refused() {
    let (store, _folder) = store().await;
    let by = Actor::system();
    store.insert(&Scope::Installation, &[row(0)], &by).await.unwrap();
    for (bad, base) in [(0, 10), (1, 20), (2, 30), (3, 40)] {
        let (first, held, hold) = hold_the_writer(&store);
        let all = async {
            held.wait().await;
            // An id that is there already.
            let rows: Vec<_> = (0..4).map(|at| row(if at == bad { 0 } else { base + at })).collect();
            let inserts =
                rows.iter().map(|row| store.insert(&Scope::Installation, std::slice::from_ref(row), &by));
            let mut inserts = Box::pin(futures::future::join_all(inserts));
            assert!(futures::poll!(&mut inserts).is_pending());
            hold.wait().await;
            inserts.await
        };
        let (first, answers) = tokio::join!(first, all);

        first.unwrap();
        for (at, answer) in (0..).zip(&answers) {
            assert_eq!(answer.is_err(), at == bad, "{at} of a transaction whose {bad} is bad: {answer:?}");
            let there =
                store.job(&Scope::Installation, JobId(Uuid::from_u128(base + at))).await.unwrap().is_some();
            assert_eq!(there, at != bad, "{at} of a transaction whose {bad} is bad");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_one_does_not_undo_the_others_of_its_transaction() {
    let (store, _folder) = store().await;
    let store = Arc::new(store);
    let others = 20;
    let (first, held, hold) = hold_the_writer(&store);
    let all = async {
        held.wait().await;
        let writes = (0..others).map(|n| {
            store.write("pausing", move |tx, now| {
                async move {
                    sqlx::query(include_str!("pause.sql"))
                        .bind(format!("queue-{n:02}"))
                        .bind(now)
                        .bind("system")
                        .bind("")
                        .execute(tx)
                        .await?;
                    if n % 2 == 0 { Ok(()) } else { Err(StoreError::Refused("odd".into()).into()) }
                }
                .boxed()
            })
        });
        let mut writes = Box::pin(futures::future::join_all(writes));
        // Once looked at, each of them waits for the writer.
        assert!(futures::poll!(&mut writes).is_pending());
        hold.wait().await;
        writes.await
    };
    let (first, answers) = tokio::join!(first, all);

    first.unwrap();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), n % 2 == 0, "{n}: {answer:?}");
    }
    let queues = store
        .queues(&Scope::Installation)
        .await
        .unwrap()
        .into_iter()
        .map(|queue| queue.name)
        .collect::<Vec<_>>();
    let even: Vec<_> = (0..others).step_by(2).map(|n| format!("queue-{n:02}")).collect();
    assert_eq!(queues, even);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_cannot_be_changed_by_sql() {
    let (store, _folder) = store().await;
    store.pause("q", None, &Actor::system(), "").await.unwrap();

    for sql in [
        "UPDATE audit_entry SET actor = 'nobody'",
        "DELETE FROM audit_entry",
        "INSERT OR REPLACE INTO audit_entry (seq, at, actor, action, object, outcome)
         SELECT seq, at, 'nobody', action, object, outcome FROM audit_entry",
    ] {
        let changed = store
            .write("tampering", move |tx, _| async move { Ok(sqlx::query(sql).execute(tx).await?) }.boxed())
            .await;
        assert!(changed.is_err(), "{sql}");
    }

    let entries = store.audit_after(Position::START, 10).await.unwrap();
    assert_eq!(entries.iter().map(|(_, entry)| entry.actor.as_str()).collect::<Vec<_>>(), ["system"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let (store, _folder) = store().await;
    store
        .write("tampering", |tx, _| {
            async move { Ok(sqlx::query("UPDATE migration SET checksum = x'00'").execute(tx).await?) }.boxed()
        })
        .await
        .unwrap();

    assert!(matches!(store.migrate().await, Err(StoreError::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("jobs.db");
    for (url, says) in [
        ("sqlite://:memory:".to_string(), "names no file"),
        ("sqlite::memory:".to_string(), "names no file"),
        ("sqlite://".to_string(), "names no file"),
        (format!("sqlite://{}", missing.display()), "does not exist"),
    ] {
        let Err(error) = SqliteStore::open(&url, Arc::new(ManualClock::default())).await else {
            panic!("{url} was opened");
        };
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_what_waits_and_refuses_what_comes_later() {
    let (store, folder) = store().await;
    let mut listener = store.listen().await.unwrap();

    let by = Actor::system();
    let (paused, ()) = tokio::join!(store.pause("q", None, &by, ""), store.close());

    paused.unwrap();
    assert!(matches!(store.resume("q", &Actor::system()).await, Err(StoreError::Database { .. })));
    assert_eq!(listener.recv().await, None, "listeners hear that nothing more will come");
    let again = open(&folder).await;
    assert_eq!(again.queues(&Scope::Installation).await.unwrap()[0].name, "q");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_refusal_tells_its_cause() {
    let (store, _folder) = store().await;
    let by = Actor::system();
    store.insert(&Scope::Installation, &[row(1)], &by).await.unwrap();

    let again = store.insert(&Scope::Installation, &[row(1)], &by).await.unwrap_err();

    assert!(again.blames_the_data(), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_given_up_leaves_no_old_snapshot_behind() {
    let (store, _folder) = store().await;
    let by = Actor::system();
    store.insert(&Scope::Installation, &[row(1)], &by).await.unwrap();
    let all = JobFilter::default();
    // At every step on its way.
    for steps in 0..40 {
        let mut question = std::pin::pin!(store.jobs(&Scope::Installation, &all));
        for _ in 0..steps {
            if futures::poll!(&mut question).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    store.insert(&Scope::Installation, &[row(2)], &by).await.unwrap();

    for _ in 0..2 * READERS {
        let (one, two) =
            tokio::join!(store.jobs(&Scope::Installation, &all), store.jobs(&Scope::Installation, &all));
        assert_eq!((one.unwrap().len(), two.unwrap().len()), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_panicked_writes_on_and_keeps_nothing_of_what_it_was_at() {
    let (store, _folder) = store().await;
    let by = Actor::system();

    let broken = store.write("breaking", |tx, _| {
        async move {
            sqlx::query("INSERT INTO queue (name) VALUES ('half')").execute(tx).await?;
            panic!("out of luck")
        }
        .boxed()
    });
    let broken: Result<()> = broken.await;

    let told = format!("{:?}", broken.unwrap_err());
    assert!(told.contains("the writer panicked"), "{told}");
    store.insert(&Scope::Installation, &[row(1)], &by).await.unwrap();
    let queues: Vec<_> =
        store.queues(&Scope::Installation).await.unwrap().into_iter().map(|queue| queue.name).collect();
    assert!(!queues.contains(&"half".to_string()), "{queues:?}");
    assert_eq!(store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap().len(), 1);
}

/// Does something to the file behind the store's back.
async fn by_another_hand(store: &SqliteStore, sql: &'static str) {
    let done = store.write("by another hand", move |tx, _| {
        async move {
            sqlx::raw_sql(sql).execute(tx).await?;
            Ok(())
        }
        .boxed()
    });
    done.await.unwrap();
}

/// Both broke what shared a transaction with them: the one because it had no savepoint to go back to, the other because
/// it was undone when it stood already.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_fails_in_any_place_of_a_shared_transaction_fails_alone() {
    const REFUSES: &str = "CREATE TRIGGER refuses BEFORE UPDATE OF worker ON job WHEN NEW.queue = 'default'
        BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    const CANNOT_BE_READ: &str = "PRAGMA ignore_check_constraints = ON;
        UPDATE job SET attempt = -7 WHERE queue = 'default'";
    let by = Actor::system();
    for trouble in [REFUSES, CANNOT_BE_READ] {
        for (claim, base) in [(0, 10), (1, 20), (2, 30), (3, 40)] {
            let (store, _folder) = store().await;
            let info = WorkerInfo {
                name: "one".into(),
                version: "1".into(),
                lease: Duration::from_secs(30),
                queues: vec!["default".into()],
            };
            let worker = store.register(&info).await.unwrap();
            store.insert(&Scope::Installation, &[row(1)], &by).await.unwrap();
            by_another_hand(&store, trouble).await;
            let (first, held, hold) = hold_the_writer(&store);
            let all = async {
                held.wait().await;
                let rows: Vec<_> =
                    (0..4).map(|at| NewRow { queue: "other".into(), ..row(base + at) }).collect();
                let writes = rows.iter().zip(0..).map(|(row, at)| {
                    let (store, by) = (&store, &by);
                    async move {
                        if at == claim {
                            store.claim(worker, "default", 1).await.map(|_| ())
                        } else {
                            store
                                .insert(&Scope::Installation, std::slice::from_ref(row), by)
                                .await
                                .map(|_| ())
                        }
                    }
                });
                let mut writes = Box::pin(futures::future::join_all(writes));
                assert!(futures::poll!(&mut writes).is_pending());
                hold.wait().await;
                writes.await
            };
            let (first, answers) = tokio::join!(first, all);

            first.unwrap();
            for (at, answer) in (0..).zip(&answers) {
                assert_eq!(answer.is_err(), at == claim, "{at}, claim {claim}, {trouble}: {answer:?}");
                let there = store
                    .job(&Scope::Installation, JobId(Uuid::from_u128(base + at)))
                    .await
                    .unwrap()
                    .is_some();
                assert_eq!(there, at != claim, "{at}, claim {claim}, {trouble}");
            }
        }
    }
}
