//! The bytes that are to be signed: the ones that were there when it began, and nobody else's.

use super::*;

#[tokio::test]
async fn documents_that_changed_meanwhile_are_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, crate::tests::PDF).unwrap();
    let (mut job, provider) = fresh();
    job.roots = vec![folder.path().to_owned()];
    let mut wanted = args("a");
    wanted.documents[0].base64 = None;
    wanted.documents[0].path = file.to_str().map(str::to_owned);
    provider.play("create", [Play::LostAfter]);
    provider.play("find_by_key", [Play::AsEver, Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    bench.run(&job, &wanted, 1).await.unwrap_err();

    std::fs::write(&file, b"%PDF-1.7\nanother\n%%EOF\n").unwrap();
    let changed = bench.run(&job, &wanted, 2).await;

    assert!(
        matches!(&changed, Err(Failure::Permanent(cause)) if cause.to_string().starts_with("documents: ")),
        "{changed:?}"
    );
    assert!(provider.sent("a").is_empty());
}

/// Addresses stand in records and in the audit log.
#[tokio::test]
async fn a_tenant_sends_no_file_that_another_left() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    let other = bench.beside();
    let unknown =
        jobkit::ChildResult { id: other.id, state: "unknown".into(), result: None, error: None, attempts: 0 };
    bench.host.child_ended(unknown);
    for address in [format!("file:{}/1/report.pdf", other.id), "file:report.pdf".into(), "report.pdf".into()]
    {
        let mut wanted = args("a");
        wanted.documents[0].base64 = None;
        wanted.documents[0].artifact = Some(address);

        let refused = job.run(wanted, &bench.ctx_of(SendEnvelope::KIND, 1, Some("south"))).await;

        assert!(
            matches!(&refused, Err(Failure::Permanent(cause)) if cause.to_string().contains("artifact: no job of this tenant")),
            "{refused:?}"
        );
    }
    assert!(provider.world().calls.iter().all(|call| call == "find_by_key"));
}

#[tokio::test]
async fn an_artifact_that_is_gone_ends_the_job_and_is_told_by_its_number() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    let mut wanted = args("a");
    wanted.documents[0].base64 = None;
    wanted.documents[0].artifact = Some("memory:report.pdf".into());

    let gone = bench.run(&job, &wanted, 1).await;

    let Err(failure @ Failure::Permanent(_)) = gone else { panic!("{gone:?}") };
    assert_eq!(
        failure.to_string(),
        "documents[0].artifact: there is none at this address, or no more; make it anew"
    );
    assert_eq!(provider.world().calls, ["find_by_key"]);
}

/// What a file is called may be somebody's name.
#[tokio::test]
async fn a_path_that_is_wrong_is_told_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lovelace.pdf")).unwrap();
    let (mut job, _) = fresh();
    job.roots = vec![folder.path().to_owned()];
    for path in ["/elsewhere/lovelace.pdf".into(), folder.path().join("lovelace.pdf")] {
        let mut wanted = args("a");
        wanted.documents[0].base64 = None;
        wanted.documents[0].path = path.to_str().map(str::to_owned);

        let refused = job.check(&wanted).err().unwrap_or_default();
        let ended = Bench::default().run(&job, &wanted, 1).await;

        let Err(failure @ Failure::Permanent(_)) = ended else { panic!("{ended:?}") };
        let told = failure.chain();
        assert!(told.starts_with("documents[0].path: "), "{told}");
        assert!(!told.contains("lovelace") && !refused.contains("lovelace"), "{told}; {refused}");
    }
}
