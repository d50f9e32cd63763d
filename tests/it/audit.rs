//! The audit log as whoever owns the database might change it: each change is found and named, by the tree where the
//! tree was left as it was, and by an anchor where nothing was.

mod restored;
mod rotation;
mod segments;

use std::sync::Arc;
use std::time::Duration;

use ::audit::{SigningKey, Vkey};
use engine::audit::Shelf;
use engine::audit::bucket::Bucket;
use engine::audit::directory::Directory;
use engine::audit::grower::catch_up;
use engine::audit::new_key;
use engine::audit::signer::{Rhythm, SignError, Signer};
use engine::audit::verify::{Against, Finding, Verified, verify};
use jobkit::{Clock, Origin};
use store::{Actor, AlertFilter, Position, Scope, Store};
use tempfile::TempDir;

use crate::support::s3::S3;
use crate::support::store::{Connection, TestStore, promises};

promises![
    a_log_that_was_left_alone_fits,
    an_entry_that_was_altered_is_named_whatever_was_altered,
    an_entry_that_was_removed_is_missed,
    an_entry_that_was_put_in_is_named,
    entries_that_changed_places_are_named,
    a_tail_that_was_cut_off_with_its_leaves_is_missed_by_the_anchor,
    a_log_that_was_written_anew_does_not_fit_what_was_signed,
    what_another_key_signed_is_not_believed,
    nothing_is_signed_that_does_not_go_on_from_what_an_anchor_has,
    of_two_that_sign_whoever_looked_first_accuses_nobody,
    an_anchor_that_was_away_is_brought_up_to_date,
    people_are_told_that_nothing_is_signed_and_that_it_is_again,
    what_opens_a_commitment_is_missed_unless_an_entry_says_that_it_was_erased,
    a_bucket_whose_objects_are_locked_is_an_anchor,
    of_many_processes_that_let_the_tree_grow_each_entry_is_one_leaf,
];

/// A log that is signed, and an anchor of it.
struct Log {
    t: TestStore,
    secret: Arc<SigningKey>,
    folder: TempDir,
}

/// A year and a month and some days.
const KEEP: Duration = Duration::from_secs(400 * 86_400);

const ORIGIN: &str = "audit.example.com/test";

impl Log {
    async fn of(t: TestStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { t, secret: Arc::new(new_key(ORIGIN).unwrap()), folder }
    }

    /// With so many entries, of every kind that has columns of its own.
    async fn with(t: TestStore, entries: usize) -> Self {
        let log = Self::of(t).await;
        log.write(entries).await;
        log.sign().await.unwrap();
        log
    }

    async fn write(&self, entries: usize) {
        let origin = Origin { request: Some("r-1".into()), source: Some("c:x".into()), ..Origin::default() };
        let by = Actor::with_origin("user:ada", origin);
        for number in 0..entries {
            match number % 3 {
                0 => drop(self.t.store.insert(&Scope::Installation, &[self.t.row()], &by).await.unwrap()),
                1 => self.t.store.pause("default", None, &by, &format!("no. {number}")).await.unwrap(),
                _ => {
                    let entry = jobkit::AuditEntry {
                        at: None,
                        actor: "system".into(),
                        action: "backup.take".into(),
                        object: "ledger".into(),
                        outcome: "ok".into(),
                        tenant: Some("acme".into()),
                        origin: Origin::default(),
                        details: serde_json::json!({ "bytes": number }),
                    };
                    self.t.store.append_audit(&entry).await.unwrap();
                }
            }
        }
    }

    fn shelf(&self) -> Directory {
        Directory::new("one", self.folder.path())
    }

    fn signer(&self, secret: &Arc<SigningKey>) -> Signer {
        Signer {
            store: self.t.store.clone(),
            clock: self.t.clock.clone(),
            secret: secret.clone(),
            rhythm: Rhythm { every: Duration::from_secs(60), entries: 1 },
            shelves: vec![Arc::new(self.shelf())],
        }
    }

    /// Lets the tree grow by all that was written, whatever other tests' transactions hold back, and signs it.
    async fn sign(&self) -> Result<u64, SignError> {
        let written = self.t.connection().await.count_audited_behind(Position::START).await;
        while catch_up(&self.t.store).await.unwrap().edge.size() < written as u64 {
            tokio::task::yield_now().await;
        }
        let signed = self.signer(&self.secret).look().await?;
        Ok(signed.map_or(0, |signed| signed.size))
    }

    async fn verify(&self) -> Verified {
        self.verify_with(&[self.secret.vkey().clone()], true).await
    }

    async fn verify_with(&self, keys: &[Vkey], anchored: bool) -> Verified {
        let shelf: Box<dyn Shelf> = Box::new(self.shelf());
        let shelves = if anchored { vec![shelf] } else { Vec::new() };
        verify(self.t.store.as_ref(), &Against { keep: Some(KEEP), keys, shelves: &shelves }).await.unwrap()
    }

    /// As whoever owns the database: with the triggers out of the way. `{}` is where the table's schema is written.
    async fn tamper(&self, sql: &str) {
        let mut owner = self.t.connection().await;
        match &owner {
            Connection::Postgres(_) => {
                for table in ["audit_entry", "audit_tile", "audit_checkpoint", "audit_segment", "audit_epoch"]
                {
                    owner.run(&format!("ALTER TABLE compline.{table} DISABLE TRIGGER ALL")).await;
                }
                owner.run(&sql.replace("{}", "compline.")).await;
            }
            Connection::Sqlite(_) => {
                for trigger in [
                    "audit_is_not_changed",
                    "audit_is_not_deleted",
                    "audit_is_not_replaced",
                    "audit_tile_is_not_changed",
                    "audit_tile_is_not_deleted",
                    "audit_checkpoint_is_not_changed",
                    "audit_checkpoint_is_not_deleted",
                    "audit_segment_is_dropped_once",
                    "audit_epoch_is_not_changed",
                    "audit_epoch_is_not_deleted",
                ] {
                    owner.run(&format!("DROP TRIGGER IF EXISTS {trigger}")).await;
                }
                owner.run(&sql.replace("{}", "")).await;
            }
        }
    }

    async fn is_sqlite(&self) -> bool {
        matches!(self.t.connection().await, Connection::Sqlite(_))
    }
}

async fn a_log_that_was_left_alone_fits(t: TestStore) {
    let log = Log::with(t, 700).await;
    log.write(5).await;
    log.sign().await.unwrap();
    log.write(3).await;

    let verified = log.verify().await;

    assert_eq!(verified.findings, []);
    assert_eq!((verified.entries, verified.anchored, verified.checkpoints), (705, 705, 4));
    assert!(verified.waiting <= 3, "{}", verified.waiting);
}

async fn an_entry_that_was_altered_is_named_whatever_was_altered(t: TestStore) {
    let log = Log::with(t, 9).await;
    let sqlite = log.is_sqlite().await;
    let changes = [
        "at = at + {second}",
        "actor = 'user:eve'",
        "action = 'backup.taken'",
        "object = 'Ledger'",
        "outcome = 'failed'",
        "tenant = 'acne'",
        "tenant = NULL",
        "request = 'r-2'",
        "source = 'c:y'",
        "jobs = {job}",
        "details = '{\"bytes\":  2}'",
        "details = NULL",
    ];
    let (second, job) = match sqlite {
        true => ("1000000", "x'00000000000000000000000000000001'"),
        false => ("interval '1 s'", "ARRAY['00000000-0000-0000-0000-000000000001'::uuid]"),
    };
    for change in changes {
        let change = change.replace("{second}", second).replace("{job}", job);
        log.tamper("CREATE TABLE {}kept AS SELECT * FROM {}audit_entry WHERE seq = 3").await;
        log.tamper(&format!("UPDATE {{}}audit_entry SET {change} WHERE seq = 3")).await;

        assert_eq!(
            log.verify_with(&[], false).await.findings,
            [Finding::Altered { leaf: 2, seq: 3 }],
            "{change}"
        );

        let back =
            ["at", "actor", "action", "object", "outcome", "tenant", "request", "source", "jobs", "details"];
        let back = back.map(|column| format!("{column} = (SELECT {column} FROM {{}}kept)")).join(", ");
        log.tamper(&format!("UPDATE {{}}audit_entry SET {back} WHERE seq = 3")).await;
        log.tamper("DROP TABLE {}kept").await;
    }
    assert_eq!(log.verify().await.findings, []);
}

async fn an_entry_that_was_removed_is_missed(t: TestStore) {
    let log = Log::with(t, 600).await;
    log.tamper("DELETE FROM {}audit_entry WHERE seq = 300").await;

    assert_eq!(log.verify().await.findings, [Finding::Missing { leaf: 299, after: 299 }]);
}

async fn an_entry_that_was_put_in_is_named(t: TestStore) {
    let log = Log::with(t, 9).await;
    // Where one was: the number is free, and its place lies within the tree.
    let columns = match log.is_sqlite().await {
        true => "at, actor, action, object, outcome",
        false => "at, actor, action, object, outcome, era, tx",
    };
    let overriding = if log.is_sqlite().await { "" } else { "OVERRIDING SYSTEM VALUE" };
    log.tamper(&format!(
        "INSERT INTO {{}}audit_entry (seq, {columns}) {overriding} SELECT -5, {columns} FROM {{}}audit_entry WHERE seq = 4"
    ))
    .await;

    let findings = log.verify().await.findings;

    // On SQLite it stands before all others, on PostgreSQL within the transaction of the fourth.
    assert_eq!(findings, [Finding::Extra { seq: -5 }]);
}

async fn entries_that_changed_places_are_named(t: TestStore) {
    let log = Log::with(t, 9).await;
    let swap = |from: i64, to: i64| format!("UPDATE {{}}audit_entry SET seq = {to} WHERE seq = {from}");
    if log.is_sqlite().await {
        for (from, to) in [(3, 1_000), (7, 3), (1_000, 7)] {
            log.tamper(&swap(from, to)).await;
        }
        // The number is part of what is hashed, so both are altered.
        let findings = log.verify().await.findings;
        assert_eq!(findings, [Finding::Altered { leaf: 2, seq: 3 }, Finding::Altered { leaf: 6, seq: 7 }]);
    } else {
        // There the place is the transaction's, which is hashed too.
        log.tamper(
            "UPDATE {}audit_entry SET tx = (SELECT tx FROM {}audit_entry WHERE seq = 7) WHERE seq = 3",
        )
        .await;
        let findings = log.verify().await.findings;
        assert_eq!(findings, [Finding::Missing { leaf: 2, after: 2 }, Finding::Extra { seq: 3 }]);
    }
}

/// What a thief would do who knows the tables: takes the end away, and lets the tree stand as it stood before.
async fn a_tail_that_was_cut_off_with_its_leaves_is_missed_by_the_anchor(t: TestStore) {
    let log = Log::with(t, 300).await;
    let before = log.t.store.tree().await.unwrap().unwrap();
    log.write(9).await;
    log.sign().await.unwrap();
    log.tamper("DELETE FROM {}audit_entry WHERE seq > 300").await;
    log.tamper("DELETE FROM {}audit_checkpoint WHERE size > 300").await;
    log.tamper("DELETE FROM {}audit_tree").await;
    log.t.store.grow(0, &before, &[]).await.unwrap();

    assert_eq!(
        log.verify_with(&[log.secret.vkey().clone()], false).await.findings,
        [],
        "nobody outside was asked"
    );
    let findings = log.verify().await.findings;

    let missing: Vec<_> =
        findings.iter().filter(|f| matches!(f, Finding::Missing { leaf: 300.., .. })).collect();
    assert_eq!(missing.len(), 9, "{findings:?}");
    assert!(
        findings.iter().any(|f| matches!(f, Finding::SetBack { signed: 309, has: 300, .. })),
        "{findings:?}"
    );
    assert_eq!(findings.len(), 10, "{findings:?}");
}

async fn a_log_that_was_written_anew_does_not_fit_what_was_signed(t: TestStore) {
    let log = Log::with(t, 300).await;
    log.tamper("UPDATE {}audit_entry SET outcome = 'failed' WHERE seq = 77").await;
    // The whole tree is made anew, so that it fits.
    log.tamper("DELETE FROM {}audit_tree").await;
    log.tamper("DELETE FROM {}audit_tile").await;
    while catch_up(&log.t.store).await.unwrap().edge.size() < 300 {}

    let alone = log.verify_with(&[log.secret.vkey().clone()], false).await.findings;
    let anchored = log.verify().await.findings;

    assert!(matches!(alone.as_slice(), [Finding::Root { size: 300, .. }]), "{alone:?}");
    assert!(anchored.contains(&Finding::Altered { leaf: 76, seq: 77 }), "{anchored:?}");
    assert!(anchored.contains(&Finding::Tile { path: "tile/0/000".into() }), "{anchored:?}");
    let refused =
        log.signer(&log.secret).sign(&catch_up(&log.t.store).await.unwrap(), None).await.unwrap_err();
    assert!(matches!(refused, SignError::Rewritten { signed: 300, .. }), "{refused}");
}

async fn what_another_key_signed_is_not_believed(t: TestStore) {
    let log = Log::with(t, 30).await;
    let thief = Arc::new(new_key(ORIGIN).unwrap());
    log.tamper("DELETE FROM {}audit_checkpoint").await;
    let standing = catch_up(&log.t.store).await.unwrap();
    log.signer(&thief).sign(&standing, None).await.unwrap();

    let findings = log.verify_with(&[log.secret.vkey().clone()], false).await.findings;

    let [Finding::Signature { size: 30, problem, .. }] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(problem.contains("no key that is believed"), "{problem}");
}

async fn nothing_is_signed_that_does_not_go_on_from_what_an_anchor_has(t: TestStore) {
    let log = Log::with(t, 30).await;
    log.write(3).await;
    // A backup that was taken before the first entry is restored.
    for table in ["audit_entry", "audit_checkpoint", "audit_tree", "audit_tile"] {
        log.tamper(&format!("DELETE FROM {{}}{table}")).await;
    }
    log.write(5).await;

    let refused = log.sign().await.unwrap_err();

    assert!(matches!(refused, SignError::SetBack { signed: 30, has: 5, .. }), "{refused}");
    assert_eq!(log.t.store.last_checkpoint().await.unwrap(), None);
    let findings = log.verify().await.findings;
    assert!(
        findings.iter().any(|f| matches!(f, Finding::SetBack { signed: 30, has: 5, .. })),
        "{findings:?}"
    );
}

/// It had looked at the tree before the other signed more of it, and once took that for a database that was set back.
async fn of_two_that_sign_whoever_looked_first_accuses_nobody(t: TestStore) {
    let log = Log::with(t, 3).await;
    let before = catch_up(&log.t.store).await.unwrap();
    log.write(3).await;
    assert_eq!(log.sign().await.unwrap(), 6);

    let late = log.signer(&log.secret).sign(&before, None).await.unwrap();

    assert_eq!(late, None);
    assert_eq!(log.verify().await.findings, []);
}

async fn an_anchor_that_was_away_is_brought_up_to_date(t: TestStore) {
    let log = Log::of(t).await;
    log.write(300).await;
    let mut away = log.signer(&log.secret);
    away.shelves.clear();
    while catch_up(&log.t.store).await.unwrap().edge.size() < 300 {}
    away.look().await.unwrap();
    assert_eq!(log.verify().await.anchored, 0);

    // Before the next checkpoint.
    log.signer(&log.secret).see_to(None).await.unwrap();
    assert_eq!((log.verify().await.anchored, log.t.store.anchors().await.unwrap()[0].size), (300, 300));

    log.write(3).await;
    assert_eq!(log.sign().await.unwrap(), 303);

    let verified = log.verify().await;
    assert_eq!((verified.anchored, verified.findings), (303, Vec::new()));
    assert_eq!(log.t.store.anchors().await.unwrap()[0].size, 303);
}

async fn people_are_told_that_nothing_is_signed_and_that_it_is_again(t: TestStore) {
    let log = Log::with(t, 30).await;
    let signer = log.signer(&log.secret);
    let open = async || {
        log.t.store.fold(100, &log.t.ids).await.unwrap();
        let filter = AlertFilter { open: true, ..AlertFilter::default() };
        let alerts = log.t.store.alerts(&filter).await.unwrap();
        alerts.into_iter().map(|alert| alert.key).collect::<Vec<_>>()
    };
    signer.see_to(None).await.unwrap();
    assert_eq!(open().await, [""; 0]);

    signer.see_to(Some("the database was set back")).await.unwrap();
    signer.see_to(Some("the database was set back")).await.unwrap();
    assert_eq!(open().await, [format!("audit.refused/{ORIGIN}")]);

    signer.see_to(None).await.unwrap();
    assert_eq!(open().await, [""; 0]);
}

async fn what_opens_a_commitment_is_missed_unless_an_entry_says_that_it_was_erased(t: TestStore) {
    let log = Log::of(t).await;
    let opening =
        ::audit::Opening { field: "email".into(), salt: [7; 32].into(), value: "ada@example.com".into() };
    let commitment = opening.commit().to_string();
    let row = store::OpeningRow {
        commitment: commitment.clone(),
        field: opening.field.clone(),
        salt: *opening.salt,
        value: jobkit::Personal::new("ada@example.com".into()),
        subject: "user:1".into(),
        at: log.t.clock.now(),
    };
    log.t.store.put_opening(&row).await.unwrap();
    let entry = |action: &str, details| jobkit::AuditEntry {
        at: None,
        actor: "user:1".into(),
        action: action.into(),
        object: "user:1".into(),
        outcome: "ok".into(),
        tenant: None,
        origin: Origin::default(),
        details,
    };
    let created = entry("user.create", serde_json::json!({ "personal": { "email": commitment } }));
    log.t.store.append_audit(&created).await.unwrap();
    log.sign().await.unwrap();
    assert_eq!(log.verify().await.findings, []);
    log.tamper("UPDATE {}audit_opening SET value = 'eve@example.com'").await;
    let opened = Finding::Opening { seq: 1, commitment: commitment.clone() };
    assert_eq!(log.verify().await.findings, [opened]);

    log.tamper("DELETE FROM {}audit_opening").await;
    let missed = Finding::Redacted { seq: 1, commitment: commitment.clone() };
    assert_eq!(log.verify().await.findings, [missed]);

    let erased =
        entry("audit.redact", serde_json::json!({ "commitments": [commitment], "basis": "GDPR 17" }));
    log.t.store.append_audit(&erased).await.unwrap();
    log.sign().await.unwrap();
    assert_eq!(log.verify().await.findings, []);
}

async fn of_many_processes_that_let_the_tree_grow_each_entry_is_one_leaf(t: TestStore) {
    let log = Log::of(t).await;
    let grow = |store: Arc<dyn Store>| async move {
        for _ in 0..40 {
            catch_up(&store).await.unwrap();
        }
    };
    let stores = [log.t.store.clone(), log.t.another().await, log.t.another().await];
    let growers = futures::future::join_all(stores.map(grow));

    tokio::join!(growers, log.write(200), log.write(200), log.write(200));

    log.sign().await.unwrap();
    let verified = log.verify().await;
    // Jobs that were inserted together are one entry.
    let written = log.t.connection().await.count_audited_behind(Position::START).await as u64;
    assert_eq!((verified.entries, verified.findings), (written, Vec::new()));
}

/// Nothing is written twice there, so a bucket whose objects are locked will do.
async fn a_bucket_whose_objects_are_locked_is_an_anchor(t: TestStore) {
    let s3 = S3::start().await;
    s3.locked_bucket("books").await;
    let log = Log::of(t).await;
    let bucket = || Bucket::new("locked", Arc::new(s3.buckets(&["books"])), "s3://books/audit/");
    let sign = async |size: u64| {
        while catch_up(&log.t.store).await.unwrap().edge.size() < size {}
        let signer = Signer { shelves: vec![Arc::new(bucket())], ..log.signer(&log.secret) };
        assert_eq!(signer.look().await.unwrap().map(|signed| signed.size), Some(size));
        assert_eq!(log.t.store.anchors().await.unwrap()[0].size, size);
    };
    let found = async || {
        let keys = [log.secret.vkey().clone()];
        let shelves: Vec<Box<dyn Shelf>> = vec![Box::new(bucket())];
        let against = Against { keep: Some(KEEP), keys: &keys, shelves: &shelves };
        verify(log.t.store.as_ref(), &against).await.unwrap()
    };

    log.write(100).await;
    sign(100).await;
    log.write(200).await;
    sign(300).await;

    let verified = found().await;
    assert_eq!((verified.anchored, verified.findings), (300, vec![]));
    let refused = bucket().put("checkpoints/2026-01-02/00000000000000000300", b"another".to_vec()).await;
    assert!(store::chain(&refused.unwrap_err()).contains("never changed"));
    // Who owns the database changes an entry, its leaf and all that was made of it.
    log.tamper("UPDATE {}audit_entry SET actor = 'user:eve' WHERE seq = 120").await;
    assert_eq!(found().await.findings, [Finding::Altered { leaf: 119, seq: 120 }]);
}
