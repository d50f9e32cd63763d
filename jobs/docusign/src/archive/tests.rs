use jobkit::testing::Bench;
use serde_json::{Value, json};

use super::*;
use crate::apply_event::go;
use crate::config::AccountConfig;
use crate::phase::Status;
use crate::send_envelope::SendEnvelope;
use crate::tests::{FakeProvider, PDF, Play, account, args, completed, kept, zip};

async fn completed_envelope() -> (Bench, Archive, FakeProvider) {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    let sent = completed(&bench, &send, &args("a")).await;
    provider.set(sent["envelope"].as_str().unwrap(), Status::Completed);
    provider.world().zip = zip(&[("report.pdf", PDF), ("Summary.pdf", PDF)]);
    let mut kept = kept(&bench, "a");
    // A sweep did not find it, before it was heard of again.
    kept.envelope.missed = 1;
    let ctx = bench.ctx("docusign.apply_event", 1);
    go(&mut kept, &ctx, Phase::Completed, Duration::from_secs(1_200)).await.unwrap();
    bench.host.kept().let_go(bench.id);
    (bench.beside(), Archive { accounts }, provider)
}

fn wanted() -> ArchiveArgs {
    ArchiveArgs { key: "a".into() }
}

#[tokio::test]
async fn documents_certificate_and_events_are_kept_with_their_hashes() {
    let (bench, job, provider) = completed_envelope().await;

    let first = completed(&bench, &job, &wanted()).await;
    let again = completed(&bench, &job, &wanted()).await;

    let names: Vec<&str> =
        first["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["001-report.pdf", "certificate.pdf", "audit_events.json"]);
    let stored = bench.host.stored_artifacts();
    for file in &kept(&bench, "a").envelope.archive {
        assert_eq!(file.sha256, hex(&Sha256::digest(&stored[&file.name])));
    }
    assert_eq!(stored["001-report.pdf"], PDF);
    assert_eq!((again["was_there"].clone(), provider.count("documents")), (json!(true), 1));
}

#[tokio::test]
async fn what_is_not_whole_is_never_kept() {
    let whole = zip(&[("report.pdf", PDF), ("Summary.pdf", PDF)]);
    for length in 0..whole.len() {
        let (bench, job, provider) = completed_envelope().await;
        provider.world().zip = whole[..length].to_vec();

        let torn = bench.run(&job, &wanted(), 1).await;

        assert!(matches!(torn, Err(Failure::Transient(_))), "{length}: {torn:?}");
        assert!(bench.host.stored_artifacts().is_empty(), "{length}");
        assert_eq!(kept(&bench, "a").phase, Phase::Completed);
    }
}

/// Providers count what is asked of one envelope.
#[tokio::test]
async fn documents_are_not_fetched_again_because_of_the_events() {
    let (bench, job, provider) = completed_envelope().await;
    provider
        .play("audit_events", [Play::Refuse(Fault::EnvelopeLimit, "Burst_Envelope_Polling_Limit_Exceeded")]);

    let refused = bench.run(&job, &wanted(), 1).await;
    completed(&bench, &job, &wanted()).await;

    assert!(matches!(refused, Err(Failure::NotNow { .. })), "{refused:?}");
    assert_eq!((provider.count("documents"), provider.count("audit_events")), (1, 2));
}

#[tokio::test]
async fn only_what_is_completed_is_archived() {
    let (accounts, _) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    completed(&bench, &send, &args("a")).await;
    let job = Archive { accounts };

    for key in ["a", "b"] {
        let refused = bench.run(&job, &ArchiveArgs { key: key.into() }, 1).await;
        assert!(
            matches!(&refused, Err(Failure::Permanent(cause)) if cause.to_string().starts_with("key: ")),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_crash_at_any_point_archives_once() {
    for point in 0..2 {
        for crash in [jobkit::testing::Crash::BeforeStored(point), jobkit::testing::Crash::AfterStored(point)]
        {
            let (bench, job, _) = completed_envelope().await;
            let begun = kept(&bench, "a").record.version;
            // What came before is counted too.
            let crash = match crash {
                jobkit::testing::Crash::BeforeStored(at) => jobkit::testing::Crash::BeforeStored(4 + at),
                jobkit::testing::Crash::AfterStored(at) => jobkit::testing::Crash::AfterStored(4 + at),
            };
            bench.host.crash_at(crash);
            let args = wanted();
            tokio::select! {
                biased;
                () = bench.host.crashed() => {}
                _ = bench.run(&job, &args, 1) => {}
            }

            let value: Value = completed(&bench, &job, &wanted()).await;

            assert_eq!(value["files"].as_array().unwrap().len(), 3);
            assert_eq!(kept(&bench, "a").record.version, begun + 1);
        }
    }
}

/// Purged, say, before they were fetched: trying again is of no use, and nobody but a person can do anything.
#[tokio::test]
async fn documents_that_are_gone_are_told_to_a_person_and_not_asked_for_again() {
    for (fault, code) in
        [(Fault::Gone, "ENVELOPE_HAS_BEEN_PURGED"), (Fault::Missing, "ENVELOPE_DOES_NOT_EXIST")]
    {
        let (bench, job, provider) = completed_envelope().await;
        provider.play("documents", [Play::Refuse(fault, code)]);

        if fault == Fault::Missing {
            provider.play("documents", [Play::Refuse(fault, code)]);
            let once = bench.run(&job, &wanted(), 1).await;
            assert!(matches!(once, Err(Failure::NotNow { .. })), "{once:?}");
        }
        let asked = provider.count("documents");

        let gone = bench.run(&job, &wanted(), 1).await;
        bench.host.kept().let_go(bench.id);
        bench.clock.advance(Duration::from_secs(86_400));
        let sweep = crate::Reconcile { accounts: job.accounts.clone() };
        let sweeping = bench.beside();
        completed(&sweeping, &sweep, &crate::reconcile::ReconcileArgs::default()).await;
        bench.host.kept().let_go(sweeping.id);

        assert!(matches!(gone, Err(Failure::Permanent(_))), "{gone:?}");
        let news: Vec<_> = bench.host.kept().news().into_iter().map(|news| (news.rule, news.about)).collect();
        assert_eq!(news, [("docusign.unresolved".to_owned(), "default/documents_gone".to_owned())]);
        let left = kept(&bench, "a");
        assert_eq!(
            (left.phase, left.envelope.problem.unwrap().code.as_deref()),
            (Phase::Completed, Some(code))
        );
        assert_eq!((provider.count("documents"), bench.host.spawned().len()), (asked + 1, 0));
        // They were restored there, and a person asks for them.
        completed(&bench.beside(), &job, &wanted()).await;
        let kept = kept(&bench, "a");
        assert_eq!((kept.phase, kept.envelope.problem), (Phase::Archived, None));
    }
}

/// A provider that does not find it once may only look in the wrong place.
#[tokio::test]
async fn documents_that_are_missed_once_are_asked_for_again_and_nobody_is_told() {
    let (bench, job, provider) = completed_envelope().await;
    provider.play("documents", [Play::Refuse(Fault::Missing, "ENVELOPE_DOES_NOT_EXIST")]);
    let due = kept(&bench, "a").record.due_at;

    let once = bench.run(&job, &wanted(), 1).await;
    let between = kept(&bench, "a");
    completed(&bench, &job, &wanted()).await;

    assert!(matches!(once, Err(Failure::NotNow { .. })), "{once:?}");
    assert_eq!((between.phase, between.record.due_at), (Phase::Completed, due));
    assert_eq!((kept(&bench, "a").phase, kept(&bench, "a").envelope.missed), (Phase::Archived, 0));
    assert!(bench.host.kept().news().is_empty());
}

/// They are another thing than the documents, which were there a moment ago.
#[tokio::test]
async fn events_that_are_missed_are_asked_for_again_and_no_documents_are_called_gone() {
    for fault in [Fault::Missing, Fault::Gone] {
        let (bench, job, provider) = completed_envelope().await;
        provider.play("audit_events", [Play::Refuse(fault, "ENVELOPE_DOES_NOT_EXIST")]);

        let once = bench.run(&job, &wanted(), 1).await;
        completed(&bench, &job, &wanted()).await;

        assert!(matches!(once, Err(Failure::Transient(_))), "{once:?}");
        assert!(bench.host.kept().news().is_empty());
        assert_eq!((kept(&bench, "a").phase, provider.count("documents")), (Phase::Archived, 1));
    }
}
