//! What is shown on a terminal is written down as what is shown over HTTP is.

use serde_json::{Value, json};

use crate::support::binary::Place;

fn entries(place: &Place) -> Vec<Value> {
    let found = place.run(&["audit", "search", "--action", "access.", "--json"]).expect(0).json();
    found.as_array().unwrap().iter().rev().map(|found| found["entry"].clone()).collect()
}

/// What was done, and the jobs and parts that were shown.
fn told(entry: &Value) -> (Value, Value, Value) {
    (entry["action"].clone(), entry["details"]["jobs"].clone(), entry["details"]["parts"].clone())
}

#[test]
fn jobs_and_people_are_shown_with_an_entry() {
    let place = Place::new();
    let (good, bad) = (
        place.enqueue(&["system.noop"]),
        place.enqueue(&["system.fail", "--args", r#"{"message":"no"}"#, "--max-attempts", "1"]),
    );
    place.run(&["jobs", "list"]).expect(0);
    assert_eq!(entries(&place), [] as [Value; 0], "there is no error yet, and the list shows nothing else");
    place.work(1);

    place.run(&["jobs", "show", &good]).expect(0);
    place.run(&["jobs", "list"]).expect(0);
    place.run(&["jobs", "list", "--kind", "system.noop", "--json"]).expect(0);
    place.run(&["jobs", "wait", &good]).expect(0);
    place.run(&["users", "list"]).expect(0);
    let user = [
        "users",
        "create",
        "--email",
        "ada@example.org",
        "--name",
        "Ada",
        "--role",
        "owner",
        "--password-stdin",
    ];
    place.run_with_input(&user, "nanoseconds are eleven inches").expect(0);
    place.run(&["users", "show", "ada@example.org"]).expect(0);

    let all = entries(&place);
    let shown: Vec<_> = all.iter().map(told).collect();
    let job = |id: &str, parts: &[&str]| (json!("access.job"), json!([id]), json!(parts));
    assert_eq!(
        shown[..4],
        [job(&good, &["args"]), job(&bad, &["error"]), job(&good, &["args"]), job(&good, &["args"])]
    );
    let [.., user] = &all[..] else { panic!("an entry") };
    assert_eq!(
        (shown.len(), &user["action"], &user["details"]["parts"]),
        (5, &json!("access.user"), &json!(["user"]))
    );
    assert!(user["actor"].as_str().unwrap().starts_with("cli:") && !user.to_string().contains("ada@"));
}
