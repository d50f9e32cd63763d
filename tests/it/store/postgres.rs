//! What only the store on PostgreSQL promises.

use jobkit::OnConflict;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::state::JobState;
use store::{Change, JobFilter, KindRow, Release, Store, StoreError};

use crate::support::postgres;
use crate::support::store::{ALL, TestStore, ada, unique};

/// Whoever folds second has done nothing to its session, and would open another one every second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_another_folding_keeps_its_session() {
    let t = TestStore::postgres().await;
    let mut other = PgConnection::connect(t.url()).await.unwrap();
    let mut folding = other.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('compline.alert_news'))")
        .execute(&mut *folding)
        .await
        .unwrap();
    let sessions = "SELECT pid FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid";
    assert_eq!(t.store.alert_work().await.unwrap(), store::AlertWork::default());
    let before: Vec<i32> = sqlx::query_scalar(sessions).fetch_all(&mut *folding).await.unwrap();

    for _ in 0..5 {
        assert_eq!(t.store.fold(10, &t.ids).await.unwrap(), 0);
    }

    let after: Vec<i32> = sqlx::query_scalar(sessions).fetch_all(&mut *folding).await.unwrap();
    assert_eq!(after, before);
    folding.commit().await.unwrap();
}

/// The statements that run all day, as the engine's sessions plan them: no table of jobs is ever scanned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hot_statement_uses_an_index() {
    let url = postgres::database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let session =
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
                   SET enable_mergejoin = off; SET enable_bitmapscan = off";
    sqlx::raw_sql(session).execute(&mut connection).await.unwrap();
    for (name, sql, parameters) in [
        ("claim", include_str!("../../../store/postgres/src/claim.sql"), 6),
        ("claim_fair", include_str!("../../../store/postgres/src/claim_fair.sql"), 6),
        ("claim_look", include_str!("../../../store/postgres/src/claim_look.sql"), 1),
        ("finish", include_str!("../../../store/postgres/src/finish.sql"), 6),
        ("end", include_str!("../../../store/postgres/src/end.sql"), 9),
        ("requeue", include_str!("../../../store/postgres/src/requeue.sql"), 11),
        ("end_live", include_str!("../../../store/postgres/src/end_live.sql"), 5),
        ("stage", include_str!("../../../store/postgres/src/stage.sql"), 2),
        ("stage_next", include_str!("../../../store/postgres/src/stage_next.sql"), 1),
        ("ready_queues", include_str!("../../../store/postgres/src/ready_queues.sql"), 1),
        ("free", include_str!("../../../store/postgres/src/free.sql"), 3),
        ("held_steps", include_str!("../../../store/postgres/src/held_steps.sql"), 3),
        ("save_step", include_str!("../../../store/postgres/src/save_step.sql"), 8),
        ("save_progress", include_str!("../../../store/postgres/src/save_progress.sql"), 7),
        ("keys_take", include_str!("../../../store/postgres/src/keys_take.sql"), 5),
        ("replace", include_str!("../../../store/postgres/src/replace.sql"), 11),
        ("lanes", include_str!("../../../store/postgres/src/lanes.sql"), 7),
        ("buckets_lock", include_str!("../../../store/postgres/src/buckets_lock.sql"), 2),
        ("buckets_look", include_str!("../../../store/postgres/src/buckets_look.sql"), 2),
        ("buckets_move", include_str!("../../../store/postgres/src/buckets_move.sql"), 3),
        ("buckets_lock_open", include_str!("../../../store/postgres/src/buckets_lock_open.sql"), 4),
        ("claim_lanes", include_str!("../../../store/postgres/src/claim_lanes.sql"), 10),
        ("put_lanes", include_str!("../../../store/postgres/src/put_lanes.sql"), 2),
        ("put_lanes_ended", include_str!("../../../store/postgres/src/put_lanes_ended.sql"), 2),
        ("laned_jobs", include_str!("../../../store/postgres/src/laned_jobs.sql"), 3),
        ("prune", include_str!("../../../store/postgres/src/prune.sql"), 8),
        ("retry_live", include_str!("../../../store/postgres/src/retry_live.sql"), 2),
        ("revive", include_str!("../../../store/postgres/src/revive.sql"), 2),
    ] {
        let plan = plan(&mut connection, name, sql, parameters).await;
        let scans = plan.lines().filter(|line| line.contains("Seq Scan on") && !line.contains("unnest"));
        assert_eq!(scans.collect::<Vec<_>>(), [""; 0], "{name}:\n{plan}");
        // But for the one that counts them.
        assert_eq!(
            plan.contains("job_held"),
            name == "buckets_look",
            "{name} looks at all jobs of a worker:\n{plan}"
        );
    }
    let rescue = include_str!("../../../store/postgres/src/rescue.sql");
    let rescue = plan(&mut connection, "rescue", rescue, 4).await;
    assert!(rescue.contains("job_held"), "{rescue}");
    // The check can fail.
    let all = plan(&mut connection, "all", "SELECT * FROM compline.job WHERE kind = $1", 1).await;
    assert!(all.contains("Seq Scan on job"), "{all}");
}

/// And those of schedules, triggers and alerts come out of their index, bounded by it or in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_of_schedules_triggers_alerts_and_reviews_is_bounded_by_its_index() {
    use Bound::{By, InOrder};
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
        ("schedules_due", 4, By("schedule_due", "next_fire <=")),
        ("schedules_next", 1, By("schedule_due", "next_fire > n.now")),
        ("schedule_fire", 7, By("schedule_pkey", "name = $2")),
        ("schedule_set_back", 4, By("schedule_pkey", "name = $2")),
        ("live_fires", 2, By("schedule_fire_pkey", "schedule = $1")),
        ("fires", 5, By("schedule_fire_pkey", "schedule = $1")),
        ("forget_fires", 3, By("schedule_fire_fired_at", "fired_at <")),
        ("keys_hand_over", 2, By("unique_key_pkey", "key = ANY ($2)")),
        ("marks", 2, By("trigger_mark_pkey", "mark = ANY ($2)")),
        ("see_marks", 3, By("trigger_mark_pkey", "mark = ANY ($3)")),
        ("forget_marks_before", 3, By("trigger_mark_pkey", "mark < $2")),
        ("forget_marks_unseen", 4, By("trigger_mark_pkey", "source = $2")),
        ("follow", 9, By("follower_pkey", "name = $1")),
        ("forget_follower", 1, By("follower_pkey", "name = $1")),
        ("alert_work", 1, By("alert_delivery_due", "due_at <=")),
        ("alerts_to_tell", 2, By("alert_to_tell", "tell_at <=")),
        ("alert_fold", 1, InOrder("alert_news_pkey")),
        ("alert_end", 3, By("alert_open", "key = $2")),
        ("alert_tell", 7, By("alert_pkey", "id = $2")),
        ("alert_ack", 3, By("alert_pkey", "id = $2")),
        ("alert_deliveries", 1, By("alert_delivery_pkey", "alert_id = $1")),
        ("alerts_close_untold", 3, InOrder("alert_open")),
        ("alerts_prune", 3, By("alert_opened", "opened_at <")),
        ("delivery_take", 4, By("alert_delivery_due", "due_at <=")),
        ("delivery_end", 8, By("alert_delivery_pkey", "alert_id = $2")),
        ("holds", 3, By("job_pkey", "id = $1")),
        ("models", 4, InOrder("model_seq")),
        ("review_completed", 2, By("job_history_pkey", "id = $1")),
        ("reviews", 5, By("review_of_job", "job = $1")),
        ("review_decisions", 4, By("review_decided", "job = $1")),
        ("own_jobs", 2, By("job_pkey", "id = ANY ($1)")),
        ("tile_at", 3, By("audit_tile_place", "ROW(era")),
    ] {
        let plan = plan(&mut connection, name, sql, parameters).await;
        assert!(bound.holds(&plan), "{name} is not {bound:?}:\n{plan}");
        let scans = plan.lines().filter(|line| line.contains("Seq Scan on"));
        assert_eq!(scans.collect::<Vec<_>>(), [""; 0], "{name}:\n{plan}");
    }
    // The check can fail.
    let all = "SELECT * FROM compline.schedule WHERE next_fire + interval '1 s' <= $1 ORDER BY next_fire";
    let all = plan(&mut connection, "all", all, 1).await;
    assert!(!By("schedule_due", "next_fire").holds(&all), "{all}");
}

#[derive(Debug)]
pub(super) enum Bound {
    /// The index is asked for what lies within the condition.
    By(&'static str, &'static str),
    /// It is read from its beginning, and not for long.
    InOrder(&'static str),
}

impl Bound {
    pub(super) fn holds(&self, plan: &str) -> bool {
        let (Self::By(index, _) | Self::InOrder(index)) = self;
        let mut lines = plan.lines().skip_while(|line| !line.contains(&format!("using {index} ")));
        match self {
            Self::InOrder(_) => lines.next().is_some(),
            // The line below the node, which comes before any other node's.
            Self::By(_, condition) => lines
                .nth(1)
                .is_some_and(|line| line.trim().starts_with("Index Cond:") && line.contains(condition)),
        }
    }
}

/// A lane that is blocked is passed by: what a claim reads does not grow with the jobs that wait in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_blocked_lane_costs_the_claims_of_others_nothing() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let mut connection = PgConnection::connect(t.url()).await.unwrap();
    let waiting = "INSERT INTO compline.job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind,
            queue, args, lane)
        SELECT compline.uuid_v7(), 'available', 1, 1, 5, now(), now(), now(), 'k', 'default', '{}', lane
        FROM generate_series(1, 30000), unnest(ARRAY['x/1', 'x/2']) AS lane WHERE lane = 'x/1' OR random() < 0.001;
        ANALYZE compline.job";
    sqlx::raw_sql(waiting).execute(&mut connection).await.unwrap();
    let deep = "SELECT rank::text, id::text FROM compline.job WHERE lane = 'x/1' ORDER BY rank, id OFFSET 29980 LIMIT 1";
    let (rank, id): (String, String) = sqlx::query_as(deep).fetch_one(&mut connection).await.unwrap();
    for (name, sql, arguments) in [
        (
            "lanes",
            include_str!("../../../store/postgres/src/lanes.sql"),
            format!("NULL, {}, 'default', '', '~', '', 512", worker.0),
        ),
        (
            "claim_lanes",
            include_str!("../../../store/postgres/src/claim_lanes.sql"),
            format!(
                "NULL, {}, 'default', ARRAY['x/2'], ARRAY[5], ARRAY[timestamptz '-infinity'], ARRAY[gen_random_uuid()], '{{}}', '{{}}', '{{}}'",
                worker.0
            ),
        ),
        (
            "claim_behind",
            include_str!("../../../store/postgres/src/claim_lanes.sql"),
            format!(
                "NULL, {}, 'default', ARRAY['x/1'], ARRAY[5], ARRAY['{rank}'::timestamptz], ARRAY['{id}'::uuid], '{{}}', '{{}}', '{{}}'",
                worker.0
            ),
        ),
        ("ready_queues", include_str!("../../../store/postgres/src/ready_queues.sql"), "NULL".to_owned()),
    ] {
        let read = pages_read(&mut connection, name, sql, &arguments).await;
        // The lane of thirty thousand is hundreds of pages.
        assert!(read < 150, "{name} reads {read} pages");
    }
    let all = "SELECT count(*) FROM compline.job WHERE queue = $1 AND state = 'available' AND lane = 'x/1'";
    assert!(pages_read(&mut connection, "all", all, "'default'").await > 150, "the check can fail");
}

/// How many run limited is counted at claims that are near a limit, beside all that runs without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_without_a_limit_is_not_walked_over_to_count_what_runs_with_one() {
    let t = TestStore::postgres().await;
    let (one, other) = (t.worker().await, t.worker().await);
    let mut connection = PgConnection::connect(t.url()).await.unwrap();
    let running = format!(
        "INSERT INTO compline.job (id, state, worker, max_attempts, budget, priority, rank, run_at, created_at, kind, queue,
            args, lane)
        SELECT compline.uuid_v7(), 'running', n % 2 * {} + (1 - n % 2) * {}, 1, 1, 5, now(), now(), now(), 'k', 'default',
            '{{}}', CASE WHEN n % 10000 < 3 THEN 'x/1' END
        FROM generate_series(1, 30000) AS n;
        ANALYZE compline.job",
        one.0, other.0
    );
    sqlx::raw_sql(AssertSqlSafe(running)).execute(&mut connection).await.unwrap();
    let look = include_str!("../../../store/postgres/src/buckets_look.sql");

    let counted: (Option<String>, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(format!("SELECT bucket, running FROM ({look}) AS looked")))
            .bind(None::<String>)
            .bind(["x/1"].as_slice())
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(counted, (Some("x/1".to_owned()), Some(9)));
    sqlx::raw_sql("SET enable_seqscan = off; SET enable_bitmapscan = off")
        .execute(&mut connection)
        .await
        .unwrap();
    let read = pages_read(&mut connection, "look", look, "NULL, ARRAY['x/1']").await;
    assert!(read < 150, "it reads {read} pages");
    let all = "SELECT lane FROM compline.job WHERE worker + 0 IS NOT NULL AND queue = $1";
    assert!(pages_read(&mut connection, "all", all, "'default'").await > 150, "the check can fail");
}

/// By a statement that is carried out and taken back.
async fn pages_read(connection: &mut PgConnection, name: &str, sql: &str, arguments: &str) -> u64 {
    let explain = format!(
        "PREPARE \"{name}\" AS {sql};
         BEGIN; EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE \"{name}\"({arguments}); ROLLBACK"
    );
    let lines = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(connection).await.unwrap();
    let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
    let buffers = lines.iter().find(|line| line.contains("Buffers: shared")).unwrap();
    let number = |word: &str| word.split_once('=').and_then(|(_, number)| number.parse::<u64>().ok());
    let counted =
        buffers.split_whitespace().filter(|word| word.starts_with("hit=") || word.starts_with("read="));
    counted.filter_map(number).sum()
}

pub(super) async fn plan(connection: &mut PgConnection, name: &str, sql: &str, parameters: usize) -> String {
    let prepare = format!("PREPARE \"{name}\" AS {sql}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let nulls = vec!["NULL"; parameters].join(", ");
    let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE \"{name}\"{arguments}"));
    let lines = sqlx::raw_sql(explain).fetch_all(connection).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

/// A role that may do nothing but enqueue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_only_enqueue_can_do_that_and_nothing_else() {
    let url = postgres::database().await;
    let store = postgres::store(&url, std::sync::Arc::new(jobkit::testing::ManualClock::default()));
    let plain = KindRow {
        kind: "mail.send".into(),
        queue: "mail".into(),
        priority: 4,
        max_attempts: 7,
        encrypted: false,
        unique: false,
        internal: false,
        approval: None,
    };
    let kinds = [
        plain.clone(),
        KindRow { kind: "mail.secret".into(), encrypted: true, ..plain.clone() },
        KindRow { kind: "mail.once".into(), unique: true, ..plain.clone() },
        KindRow { kind: "mail.inside".into(), internal: true, ..plain },
    ];
    store.put_kinds(&kinds).await.unwrap();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let role = format!("app_{}", url.rsplit('_').next().unwrap());
    let grant = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA compline TO {role};
         GRANT EXECUTE ON FUNCTION compline.enqueue TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut owner).await.unwrap();
    let options = url.parse::<PgConnectOptions>().unwrap().username(&role);
    let mut app = PgConnection::connect_with(&options).await.unwrap();

    let call = "SELECT compline.enqueue('mail.send', '{\"to\": 7}', '{\"unique_key\": \"seven\", \"tags\": [\"a\"]}')";
    let id: uuid::Uuid = sqlx::query_scalar(call).fetch_one(&mut app).await.unwrap();
    // A tag may be as long as at the other doors.
    let longest =
        "SELECT compline.enqueue('mail.send', '{}', jsonb_build_object('tags', ARRAY[repeat('ö', 32)]))";
    sqlx::query(longest).execute(&mut app).await.unwrap();
    let again: uuid::Uuid = sqlx::query_scalar(call).fetch_one(&mut app).await.unwrap();
    assert_eq!(id, again, "the same key is the same job");
    assert_eq!(id.get_version_num(), 7);
    let job = store.job(ALL, jobkit::JobId(id)).await.unwrap().unwrap().job;
    assert_eq!(
        (job.queue.as_str(), job.priority, job.max_attempts, job.tags),
        ("mail", 4, 7, vec!["a".to_string()])
    );
    let actors = "SELECT actor FROM compline.audit_entry ORDER BY seq";
    let actors: Vec<String> = sqlx::query_scalar(actors).fetch_all(&mut owner).await.unwrap();
    assert_eq!(actors, [format!("sql:{role}"), format!("sql:{role}")]);

    for (call, field) in [
        ("SELECT compline.enqueue('mail.unknown')", "kind"),
        ("SELECT compline.enqueue('mail.secret')", "kind"),
        ("SELECT compline.enqueue('mail.once')", "kind: \"mail.once\" is encrypted or has a uniqueness rule"),
        ("SELECT compline.enqueue('mail.inside')", "kind: \"mail.inside\" is made by the engine alone"),
        ("SELECT compline.enqueue('mail.send', NULL)", "args"),
        ("SELECT compline.enqueue('mail.send', '{}', '[]')", "options"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"prioritee\": 1}')", "options.prioritee"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"priority\": 12}')", "priority"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"priority\": \"high\"}')", "options.priority"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"queue\": \"a b\"}')", "options.queue"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"run_at\": \"infinity\"}')", "options.run_at"),
        (
            "SELECT compline.enqueue('mail.send', '{}', '{\"run_at\": \"33715-01-01Z\"}')",
            "before the year 9999",
        ),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"delay_seconds\": 1e12}')", "before the year 9999"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"queue\": 5}')", "options.queue: must be a text"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"tenant\": 5}')", "options.tenant: must be a text"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"tags\": [\"a\", 1]}')", "options.tags"),
        (
            "SELECT compline.enqueue('mail.send', '{}', jsonb_build_object('tenant', repeat('ü', 101)))",
            "options.tenant: must be a text of 1 to 128 bytes",
        ),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"unique_key\": null}')", "options.unique_key"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"tags\": 7}')", "options.tags"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"tags\": [\"\"]}')", "options.tags"),
        ("SELECT compline.enqueue('mail.send', '{}', '{\"tags\": [null]}')", "options.tags"),
        (
            "SELECT compline.enqueue('mail.send', '{}', jsonb_build_object('tags', ARRAY['a', repeat('ö', 33)]))",
            "options.tags",
        ),
        (
            "SELECT compline.enqueue('mail.send', '{}', jsonb_build_object('tags', array_fill('a'::text, ARRAY[33])))",
            "options.tags",
        ),
        (
            "SELECT compline.enqueue('mail.send', '{}', '{\"metadata\": []}')",
            "options.metadata: must be an object",
        ),
        (
            "SELECT compline.enqueue('mail.send', '{}', jsonb_build_object('metadata', \
             (SELECT jsonb_object_agg(n, gen_random_uuid()) FROM generate_series(1, 500) n)))",
            "metadata",
        ),
    ] {
        let problem = sqlx::query(call).execute(&mut app).await.unwrap_err().to_string();
        assert!(problem.contains(field), "{call}: {problem}");
    }
    for forbidden in [
        "SELECT * FROM compline.job",
        "INSERT INTO compline.cancel_request VALUES (gen_random_uuid(), now(), 'x', 'y')",
        "DELETE FROM compline.audit_entry",
        "SELECT compline.uuid_v7()",
    ] {
        let problem = sqlx::query(forbidden).execute(&mut app).await.unwrap_err().to_string();
        assert!(problem.contains("permission denied"), "{forbidden}: {problem}");
    }
}

/// Whoever keeps a transaction open holds up those who need what it has, and nobody else; they hear of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_open_transaction_holds_makes_others_busy_and_leaves_nothing_half_done() {
    let t = TestStore::postgres().await;
    let parent = t.add(|_| {}).await;
    let mut held = t.row();
    held.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    held.after = vec![parent];
    let mut mine = t.connection().await;
    mine.run("BEGIN").await;
    t.store.insert_in(mine.transaction(), ALL, std::slice::from_ref(&held), &ada()).await.unwrap();
    let (plain, mut same_key, mut same_parent) = (t.row(), t.row(), t.row());
    same_key.unique = held.unique.clone();
    same_parent.after = vec![parent];
    let the_parent = JobFilter { ids: vec![parent], ..JobFilter::default() };

    let (key, child, cancelled) = tokio::join!(
        async { t.store.insert(ALL, &[plain.clone(), same_key.clone()], &ada()).await.map(drop) },
        async { t.store.insert(ALL, &[same_parent.clone()], &ada()).await.map(drop) },
        async { t.store.change(ALL, &the_parent, Change::Cancel, &ada(), 1).await.map(drop) },
    );

    for answer in [key, child, cancelled] {
        assert!(matches!(answer, Err(StoreError::Busy { .. })), "{answer:?}");
    }
    for row in [&plain, &same_key, &same_parent] {
        assert_eq!(t.store.job(ALL, row.id).await.unwrap(), None);
    }
    mine.run("COMMIT").await;
    let answers = t.insert(&[plain.clone(), same_key, same_parent]).await;
    assert_eq!(answers.iter().map(|row| row.duplicate).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((answers[0].id, answers[1].id), (plain.id, held.id));
}

/// SQL can write what we cannot read; such a job once stopped its queue on every worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_can_read_ends_alone_and_can_be_looked_at() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let ids = t.add_many(3).await;
    let mut sql = PgConnection::connect(t.url()).await.unwrap();
    let deep =
        "UPDATE compline.job SET metadata = (repeat('[', 200) || repeat(']', 200))::json WHERE id = $1";
    sqlx::query(deep).bind(ids[0].0).execute(&mut sql).await.unwrap();
    let nothing = "UPDATE compline.job SET tags = ARRAY['a', NULL] WHERE id = $1";
    sqlx::query(nothing).bind(ids[1].0).execute(&mut sql).await.unwrap();

    let claimed = t.claim(worker, 5).await;

    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), ids[1..]);
    assert_eq!(claimed[0].tags, ["a"]);
    assert_eq!(t.state(ids[0]).await, JobState::Discarded);
    let told = t.job(ids[0]).await.job;
    assert!(told.error.is_some_and(|error| error.contains("cannot be read")), "{:?}", told.metadata);
    assert_eq!(t.store.jobs(ALL, &JobFilter::default()).await.unwrap().len(), 3);
}

/// An answer that is not full says that there are no more, so the others once waited for the next look at all queues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_nobody_can_read_do_not_hide_those_behind_them() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let ids = t.add_many(5).await;
    let mut sql = PgConnection::connect(t.url()).await.unwrap();
    for unreadable in [ids[0], ids[1], ids[3]] {
        let deep =
            "UPDATE compline.job SET metadata = (repeat('[', 200) || repeat(']', 200))::json WHERE id = $1";
        sqlx::query(deep).bind(unreadable.0).execute(&mut sql).await.unwrap();
    }

    let claimed = t.claim(worker, 2).await;

    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2], ids[4]]);
}

/// Jobs that somebody else is just claiming are no reason to say that there are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_by_turns_looks_past_what_others_are_claiming() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    for _ in 0..60 {
        t.add(|row| row.tenant = Some("ada".into())).await;
    }
    let mut other = t.connection().await;
    other.run("BEGIN").await;
    other.run("SELECT FROM compline.job ORDER BY rank, id LIMIT 50 FOR UPDATE").await;

    assert_eq!(t.claim(worker, 3).await.len(), 3);
    assert_eq!(t.claim(worker, 20).await.len(), 7);
}

/// A claim that is still under way when its worker signs off is seen, or its jobs would run for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_does_not_retire_past_a_claim_that_is_under_way() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let mut claim = PgConnection::connect(t.url()).await.unwrap();
    let mut claim = claim.begin().await.unwrap();
    sqlx::query("SELECT FROM compline.worker WHERE id = $1 FOR SHARE")
        .bind(worker.0)
        .execute(&mut *claim)
        .await
        .unwrap();
    let run = "UPDATE compline.job SET state = 'running', worker = $1, claimed_at = now(), attempt = 1 WHERE id = $2";
    sqlx::query(run).bind(worker.0).bind(id.0).execute(&mut *claim).await.unwrap();

    let (retired, ()) = tokio::join!(t.store.retire(worker), async {
        let mut watch = PgConnection::connect(t.url()).await.unwrap();
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watch).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        claim.commit().await.unwrap();
    });

    assert!(matches!(retired, Err(StoreError::Refused(_))), "{retired:?}");
}

/// A caller that has gone may have come again with the same jobs under new ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_gave_up_waiting_for_its_turn_enqueues_nothing() {
    let t = TestStore::postgres().await;
    let mut other = t.connection().await;
    other.run("BEGIN").await;
    other.run("LOCK TABLE compline.job IN ACCESS EXCLUSIVE MODE").await;
    let (first, gone, last, by) = ([t.row()], [t.row()], [t.row()], ada());
    let mut under_way = t.store.insert(ALL, &first, &by);
    assert!(futures::poll!(&mut under_way).is_pending());
    let mut waiting = t.store.insert(ALL, &gone, &by);
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(waiting);
    let mut next = t.store.insert(ALL, &last, &by);
    assert!(futures::poll!(&mut next).is_pending());
    other.run("COMMIT").await;

    let (first_there, last_there) = tokio::join!(under_way, next);

    assert_eq!((first_there.unwrap()[0].id, last_there.unwrap()[0].id), (first[0].id, last[0].id));
    assert_eq!(t.store.job(ALL, gone[0].id).await.unwrap(), None);
}

/// What is still to come on its connection would come in the middle of the next call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_call_was_given_up_is_not_used_again() {
    let t = TestStore::postgres().await;
    let mut other = PgConnection::connect(t.url()).await.unwrap();
    let waiting = "SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut lock = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE compline.queue IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let mut watch = PgConnection::connect(t.url()).await.unwrap();
    let by = ada();
    let cut: i32 = tokio::select! {
        paused = t.store.pause("mail", None, &by, "") => panic!("{paused:?} past a lock"),
        pid = async {
            loop {
                if let Some(pid) = sqlx::query_scalar(waiting).fetch_optional(&mut watch).await.unwrap() {
                    return pid;
                }
            }
        } => pid,
    };
    lock.commit().await.unwrap();

    t.store.pause("mail", None, &by, "").await.unwrap();

    let ended = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
    let gone = async {
        while !sqlx::query_scalar::<_, bool>(ended).bind(cut).fetch_one(&mut watch).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.expect("the session ends");
}

/// A caller of the API who hangs up in the middle of a long question once left the database at work on it for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_does_not_go_on_with_a_question_that_was_given_up() {
    let t = TestStore::postgres().await;
    let mut other = t.connection().await;
    other.run("BEGIN").await;
    other.run("LOCK TABLE compline.queue IN ACCESS EXCLUSIVE MODE").await;
    let mut watch = PgConnection::connect(t.url()).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut until = async |wanted: i64| {
        let as_wanted = async {
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watch).await.unwrap() != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), as_wanted)
            .await
            .expect("the database sees it");
    };

    tokio::select! {
        queues = t.store.queues(ALL) => panic!("{queues:?} past a lock"),
        () = until(1) => {}
    }

    // The lock is held on: only who sees that nobody waits for an answer ends.
    until(0).await;
    other.run("ROLLBACK").await;
}
