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
        // Of another report, too: the key is what counts.
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

/// A backup of a moment at which the first request had failed, and the second had not been made yet.
#[tokio::test]
async fn what_was_asked_for_anew_before_the_database_was_restored_does_not_go_out_again() {
    let (job, provider) = fresh();
    let refuse = || provider.play("create", [Play::Refuse(Fault::Refused, "ANCHOR_TAG_PROCESSING_FAILURE")]);
    let mut mended = args("a");
    mended.subject = "The report, mended".into();
    let before = Bench::default();
    refuse();
    before.run(&job, &args("a"), 1).await.unwrap_err();
    before.host.kept().let_go(before.id);
    completed(&before.beside(), &job, &mended).await;
    let bench = restored(&before);
    provider.world().hides_marks = true;
    refuse();
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    provider.world().hides_marks = false;

    let again = bench.beside().run(&job, &mended, 1).await;

    assert!(
        matches!(&again, Err(Failure::Permanent(cause)) if cause.to_string().contains("went out after all"))
    );
    assert_eq!(provider.sent("a").len(), 1);
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
