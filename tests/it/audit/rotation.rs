//! Keys that sign the log one after the other: whoever believes the first one follows, and nobody else gets in between.

use std::sync::Arc;

use ::audit::note::SigningKey;
use ::audit::{Checkpoint, Vkey};
use engine::audit::Shelf;
use engine::audit::export::{self, export};
use engine::audit::grower::catch_up;
use engine::audit::new_key;
use engine::audit::rotate::RotateError;
use engine::audit::shelf::checkpoints;
use engine::audit::signer::SignError;
use engine::audit::verify::Finding;
use jobkit::Clock;
use store::SignedRow;

use super::{Log, ORIGIN};
use crate::support::store::{TestStore, ada, promises};

promises![
    whoever_believes_one_key_follows_to_the_other_and_the_old_one_signs_nothing_more,
    an_anchor_that_was_away_is_told_why_another_key_signs,
    what_the_old_key_signs_afterwards_is_named,
    a_hand_over_that_was_forged_is_named,
    of_a_hand_over_and_a_signature_at_once_one_is_kept,
];

fn another() -> Arc<SigningKey> {
    Arc::new(new_key(ORIGIN).unwrap())
}

fn keys(keys: &[&Arc<SigningKey>]) -> Vec<Vkey> {
    keys.iter().map(|key| key.vkey().clone()).collect()
}

/// Puts a checkpoint of the log as it stands into the database, past everybody who asks.
async fn smuggle(log: &Log, extension: Option<String>, by: &[&SigningKey]) -> u64 {
    log.write(1).await;
    let standing = catch_up(&log.t.store).await.unwrap();
    let mut checkpoint = Checkpoint::new(ORIGIN, standing.edge.size(), standing.edge.root());
    checkpoint.extensions.extend(extension);
    let last = log.t.store.last_checkpoint().await.unwrap().unwrap().size;
    let row = SignedRow { size: checkpoint.size, at: log.t.clock.now(), note: checkpoint.sign(by).unwrap() };
    assert!(log.t.store.put_checkpoint(&row, last).await.unwrap());
    checkpoint.size
}

fn problems(findings: &[Finding]) -> Vec<(u64, &str)> {
    let told = findings.iter().map(|finding| match finding {
        Finding::Signature { size, problem, .. } => (*size, problem.as_str()),
        other => panic!("{other:?}"),
    });
    told.collect()
}

async fn whoever_believes_one_key_follows_to_the_other_and_the_old_one_signs_nothing_more(t: TestStore) {
    let mut log = Log::with(t, 300).await;
    let (old, new) = (log.secret.clone(), another());
    let before = log.t.everything_audited().await.len();

    let handed = log.signer(&old).hand_over(&new, &ada()).await.unwrap();

    let said = log.t.everything_audited().await.split_off(before);
    let [entry] = &said[..] else { panic!("one entry: {said:?}") };
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("audit.key_rotate", ada().name.as_str()));
    assert_eq!(entry.details["to"], new.vkey().to_string());
    assert_eq!(log.t.store.handovers().await.unwrap(), std::slice::from_ref(&handed));
    log.write(3).await;
    let refused = log.sign().await.unwrap_err();
    let told = new.vkey().to_string();
    assert!(
        matches!(&refused, SignError::HandedOver { size, to } if *size == handed.size && *to == told),
        "{refused}"
    );
    assert!(matches!(
        log.signer(&old).hand_over(&another(), &ada()).await.unwrap_err(),
        RotateError::Sign(SignError::HandedOver { .. })
    ));
    log.secret = new.clone();
    let signed = log.sign().await.unwrap();
    assert!(signed > handed.size);

    for believed in [&old, &new] {
        for anchored in [true, false] {
            let verified = log.verify_with(&keys(&[believed]), anchored).await;
            assert_eq!((verified.findings, verified.entries), (Vec::new(), signed));
        }
    }
    let stranger = log.verify_with(&keys(&[&another()]), false).await.findings;
    assert!(problems(&stranger).iter().all(|(_, problem)| problem.contains("no key that is believed")));
    // Whoever takes it along has both keys.
    let out = log.folder.path().join("out");
    export(log.t.store.as_ref(), &out, &export::Wish { keys: &keys(&[&new]), from: 0, openings: false })
        .await
        .unwrap();
    let listed = std::fs::read_to_string(out.join("keys")).unwrap();
    assert!([&old, &new].iter().all(|key| listed.contains(&key.vkey().to_string())), "{listed}");
}

async fn an_anchor_that_was_away_is_told_why_another_key_signs(t: TestStore) {
    let mut log = Log::with(t, 30).await;
    let (old, new) = (log.secret.clone(), another());
    let mut away = log.signer(&old);
    away.shelves.clear();
    let handed = away.hand_over(&new, &ada()).await.unwrap();
    log.write(3).await;
    log.secret = new;

    let signed = log.sign().await.unwrap();

    let there: Vec<_> = checkpoints(&log.shelf() as &dyn Shelf).await.unwrap();
    let notes: Vec<_> = there.iter().map(|(_, note)| Checkpoint::unverified(note).unwrap().size).collect();
    assert_eq!(notes, [30, handed.size, signed]);
    assert_eq!(log.verify_with(&keys(&[&old]), true).await.findings, []);
}

async fn what_the_old_key_signs_afterwards_is_named(t: TestStore) {
    let log = Log::with(t, 30).await;
    let new = another();
    let handed = log.signer(&log.secret).hand_over(&new, &ada()).await.unwrap();

    let late = smuggle(&log, None, &[&log.secret]).await;

    for believed in [&log.secret, &new] {
        let findings = log.verify_with(&keys(&[believed]), true).await.findings;
        let [(size, problem)] = problems(&findings)[..] else { panic!("{findings:?}") };
        assert_eq!(size, late);
        assert!(
            problem.contains("had handed over") && problem.contains(&handed.size.to_string()),
            "{problem}"
        );
    }
    // And a second hand-over by it.
    let thief = another();
    let line = format!("handover {} {}", log.secret.vkey(), thief.vkey());
    smuggle(&log, Some(line), &[&log.secret, &thief]).await;
    let findings = log.verify_with(&keys(&[&log.secret]), true).await.findings;
    let to = [new.vkey().to_string(), thief.vkey().to_string()];
    let forked = |finding: &Finding| matches!(finding, Finding::Forked { to: told, .. } if *told == to);
    assert!(findings.iter().any(forked), "{findings:?}");
}

async fn a_hand_over_that_was_forged_is_named(t: TestStore) {
    let log = Log::with(t, 30).await;
    let thief = another();
    let line = format!("handover {} {}", log.secret.vkey(), thief.vkey());

    let forged = smuggle(&log, Some(line), &[&thief]).await;
    let after = smuggle(&log, None, &[&thief]).await;

    let findings = log.verify().await.findings;
    let told = problems(&findings);
    let unsigned = "it hands a key over, and not both keys that it names have signed it";
    let unknown = "no key that is believed has signed it";
    assert_eq!(told, [(forged, unsigned), (forged, unknown), (after, unknown)]);
    // Nobody was kept from signing by it.
    log.write(1).await;
    assert!(log.sign().await.unwrap() > after);
}

async fn of_a_hand_over_and_a_signature_at_once_one_is_kept(t: TestStore) {
    let log = Log::with(t, 30).await;
    let last = log.t.store.last_checkpoint().await.unwrap();
    log.write(3).await;
    let standing = catch_up(&log.t.store).await.unwrap();
    // This process has looked, and another one hands over before it signs.
    let handed = log.signer(&log.secret).hand_over(&another(), &ada()).await.unwrap();
    let row = SignedRow { size: handed.size + 1, ..handed.clone() };

    assert!(!log.t.store.put_checkpoint(&row, last.unwrap().size).await.unwrap());
    assert!(!log.t.store.put_checkpoint(&handed, handed.size).await.unwrap());
    assert!(matches!(log.signer(&log.secret).sign(&standing, None).await, Err(SignError::HandedOver { .. })));
    assert_eq!(log.t.store.last_checkpoint().await.unwrap(), Some(handed));
}
