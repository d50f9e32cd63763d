//! What the provider knows and our records do not, since the database was restored; and what it knows of others that use the account.

use super::*;

/// The records of a database that was restored to before anything was in it.
fn restored(bench: &Bench) -> Bench {
    let restored = Bench::default();
    restored.clock.set(bench.clock.now());
    restored.clock.run_freely();
    restored
}

#[tokio::test]
async fn what_went_out_before_the_database_was_restored_does_not_go_out_again() {
    for status in [Status::Sent, Status::Delivered, Status::Completed, Status::Declined, Status::Voided] {
        let (job, provider) = fresh();
        let before = Bench::default();
        provider.world().now = Some(before.clock.now());
        let first = completed(&before, &job, &args("a")).await;
        let id = first["envelope"].as_str().unwrap();
        provider.set(id, status);
        let bench = restored(&before);
        // Of another report, too: the key is what counts, and what was asked for then nobody knows.
        let mut other = args("a");
        other.subject = "The report again".into();

        let again = completed(&bench, &job, &other).await;

        assert_eq!((&again["envelope"], &again["was_there"]), (&json!(id), &json!(true)), "{status:?}");
        assert_eq!((provider.sent("a").len(), provider.count("create")), (1, 1));
        // The sweep finds out where it stands, at once.
        let kept = kept(&bench, "a");
        assert_eq!((kept.phase, kept.record.due_at), (Phase::Sent, Some(bench.clock.now())));
        assert_eq!(bench.host.kept().actions()[0].0, "docusign.envelope.recall");
    }
}

/// It may have other words, and go to somebody else.
#[tokio::test]
async fn a_draft_of_before_the_database_was_restored_is_not_taken() {
    let (job, provider) = fresh();
    let before = Bench::default();
    before.clock.run_freely();
    provider.play("send", [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    before_fails(&before, &job).await;
    let old: Vec<String> = provider.world().envelopes.keys().cloned().collect();
    let bench = restored(&before);
    bench.clock.advance(Duration::from_secs(1));
    // And the look that follows a lost answer does not take it either.
    provider.play("create", [Play::LostBefore]);

    let sent = completed(&bench, &job, &args("a")).await;

    assert_eq!(old.len(), 1);
    assert_ne!(json!(old[0]), sent["envelope"]);
    assert_eq!(provider.sent("a").len(), 1);
}

async fn before_fails(bench: &Bench, job: &SendEnvelope) {
    assert!(matches!(bench.run(job, &args("a"), 1).await, Err(Failure::Transient(_))));
}

/// A backup of each moment of an envelope's way, and what had been done to it since.
#[tokio::test]
async fn from_whatever_moment_the_database_comes_back_one_goes_out() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Backup {
        Drafting,
        Drafted,
        Failed,
        Sent,
    }
    for backup in [Backup::Drafting, Backup::Drafted, Backup::Failed, Backup::Sent] {
        for asked_anew in [false, true] {
            let (job, provider) = fresh();
            let bench = Bench::default();
            bench.clock.run_freely();
            // Until the backup.
            let refuse = [Play::Refuse(Fault::Refused, "ANCHOR_TAG_PROCESSING_FAILURE")];
            match backup {
                Backup::Drafting => provider.play("create", [Play::LostBefore; 3]),
                Backup::Drafted => provider.play("send", [Play::LostBefore; 3]),
                Backup::Failed => provider.play("create", refuse),
                Backup::Sent => {}
            }
            assert_eq!(bench.run(&job, &args("a"), 1).await.is_ok(), backup == Backup::Sent);
            bench.host.kept().let_go(bench.id);
            let record = bench.host.kept().one(envelope::COLLECTION, "a").unwrap();
            // Since then: what had been asked for was sent, or was refused, and something else was.
            let mut mended = args("a");
            let may_differ = matches!(backup, Backup::Drafting | Backup::Failed) && asked_anew;
            if may_differ {
                provider.play("create", refuse);
                let _ = bench.run(&job, &args("a"), 2).await;
                mended.subject = "The report, mended".into();
            }
            bench.host.kept().let_go(bench.id);
            completed(&bench.beside(), &job, &mended).await;
            let out = provider.sent("a");
            assert_eq!(out.len(), 1);
            // The database comes back, and with it the job that waited.
            let back = restored(&bench);
            back.host.kept().bring(record);

            let ended = back.run(&job, &args("a"), 2).await;

            let told = format!("{backup:?} {asked_anew}: {ended:?}");
            assert_eq!(provider.sent("a"), out, "{told}");
            assert_eq!(kept(&back, "a").envelope.envelope.as_ref(), out.first(), "{told}");
            assert!(kept(&back, "a").phase.is_out(), "{told}");
        }
    }
}

/// It is signed, and what is signed is archived, though nobody here knows how many documents there were.
#[tokio::test]
async fn what_was_recalled_is_followed_to_its_archive() {
    let (job, provider) = fresh();
    let before = Bench::default();
    completed(&before, &job, &args("a")).await;
    let id = provider.sent("a")[0].clone();
    provider.set(&id, Status::Completed);
    let bench = restored(&before);
    let mut other = args("a");
    other.documents.push(other.documents[0].clone());
    completed(&bench, &job, &other).await;
    bench.host.kept().let_go(bench.id);
    let files: [(&str, &[u8]); 3] = [
        ("report.pdf", crate::tests::PDF),
        ("annex.pdf", crate::tests::PDF),
        ("Summary.pdf", crate::tests::PDF),
    ];
    provider.world().zip = crate::tests::zip(&files);
    let sweep = crate::Reconcile { accounts: job.accounts.clone() };
    let sweeping = bench.beside();
    completed(&sweeping, &sweep, &crate::reconcile::ReconcileArgs::default()).await;
    bench.host.kept().let_go(sweeping.id);

    let archive = crate::Archive { accounts: job.accounts.clone() };
    completed(&bench.beside(), &archive, &crate::archive::ArchiveArgs { key: "a".into() }).await;

    let kept = kept(&bench, "a");
    assert_eq!((kept.phase, kept.envelope.archive.len()), (Phase::Archived, 4));
    // The log says nothing of what was asked for now, which is not what was signed.
    let told = json!([bench.host.kept().details(), kept.envelope.request_sha256]).to_string();
    assert!(!told.contains(&other.sha256()), "{told}");
}

/// Its upload may be gone by then.
#[tokio::test]
async fn what_went_out_is_recalled_without_its_documents() {
    let (mut job, provider) = fresh();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, crate::tests::PDF).unwrap();
    job.roots = vec![folder.path().into()];
    let mut wanted = args("a");
    wanted.documents[0].base64 = None;
    wanted.documents[0].path = file.to_str().map(str::to_owned);
    let before = Bench::default();
    completed(&before, &job, &wanted).await;
    std::fs::remove_file(&file).unwrap();

    let again = completed(&restored(&before), &job, &wanted).await;

    assert_eq!(again["was_there"], json!(true));
    assert_eq!(provider.sent("a").len(), 1);
}

/// Three calls are taken together; one look that is made twice must not eat what sending needs.
#[tokio::test]
async fn a_look_that_is_made_again_leaves_the_calls_that_sending_needs() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    bench.clock.run_freely();
    provider.play("find_by_key", [Play::LostBefore]);

    completed(&bench, &job, &args("a")).await;

    let taken: Vec<u32> = bench.host.taken().into_iter().map(|(_, _, count)| count).collect();
    assert_eq!(taken, [3, 1]);
}

#[tokio::test]
async fn it_is_looked_for_as_far_back_as_is_said_and_not_at_all_with_none() {
    for (hours, look_back, sent) in [(71, 72, 1), (73, 72, 2), (1, 0, 2)] {
        let config =
            AccountConfig { look_back: Duration::from_secs(look_back * 3_600), ..AccountConfig::default() };
        let (job, provider) = job(config);
        let before = Bench::default();
        provider.world().now = Some(before.clock.now());
        completed(&before, &job, &args("a")).await;
        let bench = restored(&before);
        bench.clock.advance(Duration::from_secs(hours * 3_600));

        completed(&bench, &job, &args("a")).await;

        assert_eq!(provider.sent("a").len(), sent, "{hours} {look_back}");
        assert_eq!(provider.count("find_by_key"), if look_back == 0 { 0 } else { 2 });
    }
}

/// Staging and production may share an account, and call their reports alike. Nobody has to think of that beforehand.
#[tokio::test]
async fn two_installations_of_one_account_do_not_take_each_others_envelopes() {
    let provider = FakeProvider::default();
    let of = |installation: Option<&str>| {
        let account = Account {
            name: "default".into(),
            installation: installation.map(str::to_owned),
            config: AccountConfig::default(),
            provider: Arc::new(provider.clone()),
        };
        SendEnvelope { accounts: Accounts::new([account]), roots: Vec::new() }
    };
    for (number, installation) in [None, None, Some("staging"), Some("production")].into_iter().enumerate() {
        let bench = Bench::default();
        bench.clock.run_freely();
        bench.host.is_of(uuid::Uuid::from_u128(number as u128));
        provider.play("create", [Play::LostBefore]);

        completed(&bench, &of(installation), &args("a")).await;
    }

    assert_eq!(provider.sent("a").len(), 4);
    let names: Vec<String> =
        provider.world().envelopes.values().map(|played| played.installation.clone()).collect();
    let drawn = |number| uuid::Uuid::from_u128(number).to_string();
    assert_eq!(names, [drawn(0), drawn(1), "staging".into(), "production".into()]);
}

/// An older version wrote it.
#[tokio::test]
async fn a_record_without_the_newer_names_goes_on() {
    let (job, provider) = fresh();
    provider.play("send", [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    before_fails(&bench, &job).await;
    let record = bench.host.kept().one(envelope::COLLECTION, "a").unwrap();
    let mut body = record.body.clone();
    for field in ["installation", "reference"] {
        body.as_object_mut().unwrap().remove(field);
    }

    let kept = Kept::of(jobkit::records::Record { body, ..record }).unwrap();

    let told = kept.envelope.reference(bench.clock.now());
    assert_eq!((told.installation.as_str(), &told.key), ("compline", &told.transaction));
}
