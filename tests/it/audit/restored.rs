//! A database that was restored to an earlier state on purpose: the log goes on, and nobody can forget what was lost.

use std::sync::Arc;

use ::audit::epoch::name_in;
use ::audit::note::Vkey;
use engine::audit::export::{self, export};
use engine::audit::new_key;
use engine::audit::restore::{Declared, RestoreError};
use engine::audit::signer::SignError;
use engine::audit::verify::Finding;
use jobkit::Clock;
use store::EpochRow;

use super::{Log, ORIGIN};
use crate::support::store::{TestStore, ada, promises};

promises![
    a_restored_log_goes_on_and_what_was_lost_is_told_for_ever,
    a_log_whose_key_had_changed_goes_on_too,
    a_key_that_handed_over_declares_nothing_though_the_database_forgot_that,
    nothing_is_signed_in_an_epoch_before_the_one_that_an_anchor_has,
    nothing_is_declared_where_nothing_was_lost_or_somebody_changed_entries,
    a_statement_that_no_believed_key_has_signed_is_named,
    whoever_signs_in_the_old_epoch_beyond_its_end_is_named,
];

/// 300 entries are signed, a backup is taken, 40 more are signed, and the backup is restored.
async fn restored(t: TestStore) -> Log {
    let log = Log::with(t, 300).await;
    lose(&log).await;
    log
}

async fn lose(log: &Log) {
    back_up(log).await;
    log.write(40).await;
    assert_eq!(log.sign().await.unwrap(), 340);
    restore(log).await;
    log.write(5).await;
    assert!(matches!(log.sign().await.unwrap_err(), SignError::SetBack { signed: 340, .. }));
}

const TABLES: [&str; 4] = ["audit_entry", "audit_checkpoint", "audit_tree", "audit_tile"];

async fn back_up(log: &Log) {
    for table in TABLES {
        log.tamper(&format!("CREATE TABLE {{}}kept_{table} AS SELECT * FROM {{}}{table}")).await;
    }
}

async fn restore(log: &Log) {
    let overriding = if log.is_sqlite().await { "" } else { "OVERRIDING SYSTEM VALUE" };
    for table in TABLES {
        log.tamper(&format!("DELETE FROM {{}}{table}")).await;
        log.tamper(&format!("INSERT INTO {{}}{table} {overriding} SELECT * FROM {{}}kept_{table}")).await;
    }
}

fn first(log: &Log) -> Vec<Vkey> {
    vec![log.secret.vkey().clone()]
}

async fn a_restored_log_goes_on_and_what_was_lost_is_told_for_ever(t: TestStore) {
    let mut log = restored(t).await;

    let done = log.signer(&log.secret).declare_restored("the disk broke", &ada()).await.unwrap();

    assert_eq!(done, Declared { number: 2, common: 300, signed: 340 });
    let said = log.t.everything_audited().await.pop().unwrap();
    assert_eq!((said.action.as_str(), &said.details["lost"]), ("audit.epoch", &40.into()));
    assert_eq!(said.details["reason"], "the disk broke");
    log.write(3).await;
    let signed = log.sign().await.unwrap();
    assert!(signed > 305);
    let epoch: Vkey = log.secret.vkey().named(&name_in(ORIGIN, 2));
    for (believed, anchored) in [(first(&log), true), (first(&log), false), (vec![epoch.clone()], true)] {
        let verified = log.verify_with(&believed, anchored).await;
        assert_eq!((verified.findings, verified.entries), (Vec::new(), signed));
        let lost: Vec<_> = verified.lost.iter().map(ToString::to_string).collect();
        let told = "40 entries of epoch 1 after 300 were lost by a restore that was declared";
        assert!(matches!(&lost[..], [one] if one.starts_with(told)), "{lost:?}");
    }
    // What the anchor had of the first epoch it has still, and the second one beside it.
    let kept = |path: &str| std::fs::read_dir(log.folder.path().join(path)).unwrap().count();
    assert!(kept("checkpoints") > 0 && kept("epochs/2/checkpoints") > 0 && kept("epochs/2/statements") == 1);
    let out = log.folder.path().join("out");
    export(log.t.store.as_ref(), &out, &export::Wish { keys: &[epoch], from: 0, openings: false })
        .await
        .unwrap();
    let first_key = log.secret.vkey().to_string();
    let second = log.folder.path().join("epochs/2");
    for (folder, anchor) in
        [(out.as_path(), Some(second.as_path())), (&second, None), (log.folder.path(), None)]
    {
        let mut python = std::process::Command::new("python3");
        python.arg(out.join("verify.py")).arg(folder).args(["--key", &first_key]);
        let ran = python
            .args(anchor.map(|anchor| ["--anchor".as_ref(), anchor]).into_iter().flatten())
            .output()
            .unwrap();
        let told = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(told.contains("all is well"), "{folder:?}: {told}");
        assert_eq!(
            told.contains("40 entries of epoch 1 after 300 were lost"),
            folder != log.folder.path(),
            "{told}"
        );
    }

    // Another key takes over in the new epoch, and the first one still leads there.
    let (before, new) = (first(&log), Arc::new(new_key(ORIGIN).unwrap()));
    log.signer(&log.secret).hand_over(&new, &ada()).await.unwrap();
    log.secret = new;
    log.write(2).await;
    log.sign().await.unwrap();
    assert_eq!(log.verify_with(&before, true).await.findings, []);
}

/// The hand-over belongs to the first epoch and lies with it: in the folder of the second one it would be of another log.
async fn a_log_whose_key_had_changed_goes_on_too(t: TestStore) {
    let mut log = Log::with(t, 90).await;
    let (before, new) = (first(&log), Arc::new(new_key(ORIGIN).unwrap()));
    let handed = log.signer(&log.secret).hand_over(&new, &ada()).await.unwrap();
    log.secret = new;
    log.write(300 - usize::try_from(handed.size).unwrap()).await;
    assert_eq!(log.sign().await.unwrap(), 300);
    lose(&log).await;

    log.signer(&log.secret).declare_restored("the disk broke", &ada()).await.unwrap();

    log.write(3).await;
    log.sign().await.unwrap();
    let verified = log.verify_with(&before, true).await;
    assert_eq!((verified.findings, verified.lost.len()), (Vec::new(), 1));
}

/// The key of a backup's configuration is the old one, and what it would declare would shut out the one in office.
async fn a_key_that_handed_over_declares_nothing_though_the_database_forgot_that(t: TestStore) {
    let mut log = Log::with(t, 60).await;
    back_up(&log).await;
    let (old, new) = (log.secret.clone(), Arc::new(new_key(ORIGIN).unwrap()));
    let handed = log.signer(&old).hand_over(&new, &ada()).await.unwrap();
    restore(&log).await;
    log.write(5).await;

    let refused = log.signer(&old).declare_restored("the disk broke", &ada()).await.unwrap_err();

    let RestoreError::Sign(SignError::HandedOver { size, to }) = refused else { panic!("{refused}") };
    assert_eq!((size, to), (handed.size, new.vkey().to_string()));
    log.secret = new;
    log.signer(&log.secret).declare_restored("the disk broke", &ada()).await.unwrap();
    log.write(3).await;
    log.sign().await.unwrap();
    for key in [&old, &log.secret] {
        let verified = log.verify_with(&[key.vkey().clone()], true).await;
        assert_eq!((verified.findings, verified.lost.len()), (Vec::new(), 1));
    }
}

async fn nothing_is_signed_in_an_epoch_before_the_one_that_an_anchor_has(t: TestStore) {
    let log = Log::with(t, 60).await;
    back_up(&log).await;
    log.write(40).await;
    log.sign().await.unwrap();
    restore(&log).await;
    let done = log.signer(&log.secret).declare_restored("the disk broke", &ada()).await.unwrap();
    // A backup from between is restored, in which the first epoch still went on.
    log.tamper("DELETE FROM {}audit_epoch").await;
    log.tamper("DELETE FROM {}audit_checkpoint").await;
    log.write(60).await;

    let refused = log.sign().await.unwrap_err();

    assert!(matches!(refused, SignError::LaterEpoch { number: 2, .. }), "{refused} {done:?}");
}

async fn nothing_is_declared_where_nothing_was_lost_or_somebody_changed_entries(t: TestStore) {
    let log = Log::with(t, 30).await;
    let declare = async || log.signer(&log.secret).declare_restored("no", &ada()).await.unwrap_err();
    assert!(matches!(declare().await, RestoreError::NothingLost));
    let mut alone = log.signer(&log.secret);
    alone.shelves.clear();
    assert!(matches!(alone.declare_restored("no", &ada()).await.unwrap_err(), RestoreError::NoAnchor));
    // The log is written anew below what the database itself has signed.
    for table in ["audit_tree", "audit_tile"] {
        log.tamper(&format!("DELETE FROM {{}}{table}")).await;
    }
    log.tamper("UPDATE {}audit_entry SET actor = 'user:eve' WHERE seq = 7").await;

    let refused = declare().await;

    assert!(matches!(refused, RestoreError::Sign(SignError::Rewritten { signed: 30, .. })), "{refused}");
    assert_eq!(log.t.store.epochs().await.unwrap(), []);
}

async fn a_statement_that_no_believed_key_has_signed_is_named(t: TestStore) {
    let log = restored(t).await;
    let thief = Arc::new(new_key(ORIGIN).unwrap());
    let epoch = thief.named(&name_in(ORIGIN, 2)).unwrap();
    let statement = ::audit::epoch::Statement {
        number: 2,
        common: 300,
        common_root: ::audit::Hash([1; 32]),
        signed: 340,
        signed_root: ::audit::Hash([2; 32]),
        key: epoch.vkey().clone(),
    };
    let note = statement.sign(&thief, &epoch).unwrap();
    let row = EpochRow { number: 2, common: 300, at: log.t.clock.now(), note };
    assert!(log.t.store.put_epoch(&row).await.unwrap());
    assert!(!log.t.store.put_epoch(&row).await.unwrap());

    let verified = log.verify_with(&first(&log), true).await;

    let named = |finding: &Finding| matches!(finding, Finding::Epoch { number: 2, .. });
    assert!(verified.findings.iter().any(named), "{:?}", verified.findings);
    // Nor does whoever has the key sign in it.
    let refused = log.sign().await.unwrap_err();
    assert!(matches!(refused, SignError::Epoch { number: 2, .. }), "{refused}");
}

async fn whoever_signs_in_the_old_epoch_beyond_its_end_is_named(t: TestStore) {
    let log = restored(t).await;
    log.signer(&log.secret).declare_restored("the disk broke", &ada()).await.unwrap();
    // An anchor that was away when it was declared had more.
    let note = ::audit::Checkpoint::new(ORIGIN, 350, ::audit::Hash([3; 32])).sign(&[&log.secret]).unwrap();
    let day = log.folder.path().join("checkpoints/2026-12-31");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join(format!("{:020}", 350)), note).unwrap();

    let findings = log.verify_with(&first(&log), true).await.findings;

    let named = |finding: &Finding| match finding {
        Finding::SetBack { signed: 350, has: 300, .. } => true,
        Finding::Signature { size: 350, problem, .. } => problem.contains("had handed over"),
        _ => false,
    };
    assert!(findings.iter().any(named), "{findings:?}");
}
