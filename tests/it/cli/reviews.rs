//! `compline jobs review` and `jobs reviews` as a script meets them.

use serde_json::json;

use crate::support::binary::Place;

#[test]
fn what_a_person_decides_is_written_down_and_looked_back_on() {
    let place = Place::new();
    let id = place.enqueue(&["system.noop"]);
    let review = |more: &[&str]| place.run(&[&["jobs", "review", &id], more].concat());
    review(&["JE-1", "--decision", "cleared"]).expect(1).says(&["is available", "jobs wait"]);
    place.work(0);
    place.run(&["jobs", "reviews", &id]).expect(0).says(&["nothing was decided"]);

    review(&["JE-1", "JE-2", "--decision", "follow_up", "--comment", "who is it?", "--by", "Ada"])
        .expect(0)
        .says(&["2 items", "follow_up"]);
    let told = review(&["JE-1", "--decision", "comment", "--comment", "the controller", "--json"]).expect(0);
    assert_eq!((&told.json()["job"], &told.json()["reviewed"]), (&json!(id), &json!(1)));
    review(&["JE-2", "--decision", "cleared"]).expect(0);

    place.run(&["jobs", "reviews", &id]).expect(0).says(&["DECISION", "JE-1", "the controller", "Ada"]);
    let items = |more: &[&str]| {
        let listed = place.run(&[&["jobs", "reviews", &id, "--json"], more].concat()).expect(0).json();
        let of = |review: &serde_json::Value| format!("{} {}", review["item"], review["decision"]);
        listed.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        items(&[]),
        [r#""JE-2" "cleared""#, r#""JE-1" "comment""#, r#""JE-2" "follow_up""#, r#""JE-1" "follow_up""#]
    );
    assert_eq!(items(&["--latest"]), [r#""JE-1" "follow_up""#, r#""JE-2" "cleared""#]);
    assert_eq!(items(&["--item", "JE-2"]), [r#""JE-2" "cleared""#, r#""JE-2" "follow_up""#]);
    place.run(&["jobs", "reviews", &id, "--limit", "1"]).expect(0).says(&["--limit shows more"]);

    review(&["JE-1", "--decision", "waived"]).expect(2).says(&["follow_up"]);
    review(&["JE-1", "--decision", "comment"]).expect(2).says(&["comment", "nothing was written down"]);
    review(&["--decision", "cleared"]).expect(2).says(&["ITEM"]);
    let nobody = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";
    place.run(&["jobs", "reviews", nobody]).expect(3).says(&["is not known", "jobs list"]);
    place.run(&["jobs", "review", nobody, "JE-1", "--decision", "cleared"]).expect(3).says(&["is not known"]);
}
