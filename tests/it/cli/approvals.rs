//! `compline approvals` as a script meets it: two people at two machines, of whom the second is played by the store.

use engine::adapters::clock::SystemClock;
use store::approvals::{ApprovalId, NewVote, Verdict, Voted};
use store::{Actor, Approvals as _, Scope, Store as _};

use crate::support::binary::{Place, Ran};

const RULES: &str = "
[approvals.\"jobs.run\"]
kinds = [\"system.noop\"]
[approvals.\"jobs.cancel\"]
[approvals.\"limits.pause\"]
people = 2
[approvals.\"audit.redact\"]
[limits.all]
kinds = [\"system.*\"]
concurrency = 7
";

fn place() -> Place {
    Place::new().file("compline.toml", RULES)
}

/// As somebody else at another machine.
fn gives(place: &Place, who: &str, id: &str) {
    let url = format!("sqlite://{}", place.path().join("compline.db").display());
    let id: ApprovalId = id.parse().unwrap();
    let give = async {
        let store =
            store_sqlite::SqliteStore::open(&url, std::sync::Arc::new(SystemClock::new())).await.unwrap();
        let shown = store.approval(&Scope::Installation, id).await.unwrap().unwrap();
        let vote =
            NewVote { approval: id, verdict: Verdict::Grant, sha256: Some(shown.hash()), reason: None };
        let voted = store.vote(&Scope::Installation, &vote, &Actor::new(who)).await.unwrap();
        assert!(matches!(voted, Voted::Done(..)), "{voted:?}");
        store.close().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(give);
}

/// The approval that the refusal asked for.
fn asked(ran: Ran) -> String {
    let ran = ran.expect(1).says(&["needs the approval of", "--approval"]);
    let rest = ran.err.split("approval ").nth(2).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_job_waits_for_somebody_else_than_who_enqueued_it() {
    let place = place();
    let job = place.enqueue(&["system.noop"]);
    place.work(0).says(&["0 completed"]);
    let shown = place.job(&job);
    let id = shown["approval"].as_str().unwrap();
    place.run(&["approvals", "list"]).expect(0).says(&[id, "jobs.run", "pending", "0 of 1", "cli:"]);
    let approval = place.run(&["approvals", "show", id, "--json"]).expect(0).json();
    assert_eq!(approval["what"]["job"], job);

    let own = ["approvals", "grant", id, "--sha256", approval["sha256"].as_str().unwrap()];
    place.run(&own).expect(1).says(&["whoever asked does not approve it"]);
    gives(&place, "cli:bob", id);

    place.work(0).says(&["1 completed"]);
    place.run(&["approvals", "show", id]).expect(0).says(&["used", "cli:bob"]);
    place.run(&own).expect(1).says(&["used already"]);
    place.run(&["approvals", "show", "019c0a2e-5a5c-7cc1-b6c0-0123456789ab"]).expect(3);
}

#[test]
fn a_command_is_given_again_as_it_was_approved_and_does_its_deed_once() {
    let place = place();
    let [one, other] = [(); 2].map(|()| place.enqueue(&["system.sleep", "--args", r#"{"ms":1}"#]));
    let id = asked(place.run(&["jobs", "cancel", "--kind", "system.sleep", "--yes"]));
    let later = place.enqueue(&["system.sleep", "--args", r#"{"ms":1}"#]);
    place
        .run(&["jobs", "cancel", &one, &other, "--approval", &id])
        .expect(1)
        .says(&["pending, and not granted"]);
    gives(&place, "cli:bob", &id);

    place.run(&["jobs", "cancel", &one, "--approval", &id]).expect(1).says(&["other bytes"]);
    place.run(&["jobs", "retry", &one, &other, "--approval", &id]).expect(1).says(&["something else"]);
    place.run(&["jobs", "cancel", "--approval", &id]).expect(0).says(&["2 jobs cancelled"]);

    for (job, state) in [(&one, "cancelled"), (&other, "cancelled"), (&later, "available")] {
        assert_eq!(place.job(job)["state"], state);
    }
    place.run(&["jobs", "retry", &one]).expect(0);
    place.run(&["jobs", "cancel", &one, &other, "--approval", &id]).expect(1);
    assert_eq!(place.job(&one)["state"], "available");
}

#[test]
fn a_limit_is_paused_by_two_and_what_is_taken_back_is_not_used() {
    let place = place();
    place.work(0);
    let pause = ["limits", "pause", "all", "--until", "2100-01-01T00:00:00Z", "--reason", "429"];
    let with = |id: &str| place.run(&[&pause[..], &["--approval", id]].concat());
    let id = asked(place.run(&pause));
    gives(&place, "cli:bob", &id);
    with(&id).expect(1).says(&["pending"]);
    gives(&place, "cli:eve", &id);
    place.run(&["approvals", "withdraw", &id, "--reason", "not today"]).expect(0).says(&["withdrawn"]);
    with(&id).expect(1).says(&["withdrawn, and not granted"]);

    let again = asked(place.run(&pause));
    assert_ne!(again, id);
    gives(&place, "cli:bob", &again);
    gives(&place, "cli:eve", &again);
    with(&again).expect(0).says(&["is paused until"]);
    with(&again).expect(1).says(&["cannot be used any more"]);

    let redact = ["audit", "redact", "--subject", "user:7", "--basis", "GDPR 17"];
    asked(place.run(&redact));
}

#[test]
fn what_cannot_be_meant_is_told_with_its_key() {
    let wrong = "[approvals.\"jobs.rum\"]\n[approvals.\"jobs.run\"]\nkinds = [\"system.bulk\"]\npeople = 3\n";
    let place = Place::new().file("compline.toml", wrong);
    place.run(&["config", "check"]).expect(2).says(&[
        "jobs.rum",
        "no action that can demand an approval",
        "approvals.\"jobs.run\".kinds",
        "engine alone",
        "use 1 or 2",
    ]);
}
