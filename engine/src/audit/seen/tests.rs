use uuid::Uuid;

use super::*;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn sight(thing: Thing, tenant: Option<&str>, parts: &[&'static str]) -> Sight {
    Sight { thing, tenant: tenant.map(str::to_owned), parts: parts.iter().copied().collect() }
}

fn viewer(name: &str, source: &str) -> Viewer {
    (name.to_owned(), Some(source.to_owned()))
}

#[test]
fn what_is_said_is_not_said_again_and_what_is_more_is() {
    let (ada, elsewhere) = (viewer("user:ada", "c:1"), viewer("user:ada", "c:2"));
    let args = sight(Thing::Job(job(1)), None, &["args"]);
    let both = sight(Thing::Job(job(1)), None, &["args", "result"]);
    let other = sight(Thing::Job(job(2)), None, &["args"]);
    let mut minute = Minute::default();
    minute.said(ada.clone(), vec![args.clone()]);
    for (who, sights, fresh) in [
        (&ada, vec![args.clone()], vec![]),
        (&ada, vec![both.clone()], vec![both.clone()]),
        (&ada, vec![args.clone(), other.clone()], vec![other]),
        (
            &ada,
            vec![sight(Thing::Reviews(job(1)), None, &["args"])],
            vec![sight(Thing::Reviews(job(1)), None, &["args"])],
        ),
        (&elsewhere, vec![args.clone()], vec![args.clone()]),
        (&viewer("user:bob", "c:1"), vec![args.clone()], vec![args.clone()]),
        (&elsewhere, vec![sight(Thing::Job(job(3)), None, &[])], vec![]),
    ] {
        assert_eq!(minute.fresh(who, &sights), fresh, "{who:?} {sights:?}");
    }
    minute.said(ada.clone(), vec![both.clone()]);
    assert!(minute.fresh(&ada, &[both, args]).is_empty());
    assert_eq!(minute.count, 1);
}

#[test]
fn a_list_is_an_entry_for_each_tenant_and_each_set_of_parts() {
    let user = |number| UserId(Uuid::from_u128(number));
    let sights = [
        sight(Thing::Job(job(1)), Some("north"), &["args"]),
        sight(Thing::Job(job(2)), Some("north"), &["args"]),
        sight(Thing::Job(job(3)), Some("north"), &["args", "result"]),
        sight(Thing::Job(job(4)), None, &["args"]),
        sight(Thing::File { job: job(5), claim: 7, name: "ada.pdf".into() }, None, &["file"]),
        sight(Thing::User(user(8)), None, &["user"]),
        sight(Thing::User(user(9)), None, &["user"]),
        sight(Thing::Approval(ApprovalId(Uuid::from_u128(10))), Some("north"), &["what"]),
        sight(Thing::Upload(UploadId(Uuid::from_u128(11))), None, &["name"]),
        sight(Thing::Upload(UploadId(Uuid::from_u128(12))), None, &["name"]),
    ];
    let names = BTreeMap::from([("ada.pdf".to_owned(), "c:1".to_owned())]);

    let entries = entries(&Actor::new("user:bob"), &sights, &names);

    let told: Vec<_> = entries
        .iter()
        .map(|OfJobs { entry, jobs }| {
            let jobs: Vec<_> = jobs.iter().map(|job| job.0.as_u128()).collect();
            (
                entry.action.as_str(),
                entry.object.clone(),
                entry.tenant.as_deref(),
                jobs,
                entry.details.clone(),
            )
        })
        .collect();
    let of = |number| format!("job:{}", job(number));
    assert_eq!(
        told,
        [
            (
                "access.approval",
                format!("approval:{}", Uuid::from_u128(10)),
                Some("north"),
                vec![],
                json!({ "parts": ["what"] })
            ),
            (
                "access.artifact",
                of(5),
                None,
                vec![5],
                json!({ "parts": ["file"], "claim": "7", "personal": { "file": "c:1" } })
            ),
            ("access.job", of(4), None, vec![4], json!({ "parts": ["args"] })),
            ("access.job", "jobs".into(), Some("north"), vec![1, 2], json!({ "parts": ["args"] })),
            ("access.job", of(3), Some("north"), vec![3], json!({ "parts": ["args", "result"] })),
            (
                "access.upload",
                "uploads".into(),
                None,
                vec![],
                json!({ "parts": ["name"], "uploads": [Uuid::from_u128(11), Uuid::from_u128(12)] })
            ),
            (
                "access.user",
                "users".into(),
                None,
                vec![],
                json!({ "parts": ["user"], "users": [user(8), user(9)] })
            ),
        ]
    );
    assert!(entries.iter().all(|of| of.entry.actor == "user:bob"));
}
