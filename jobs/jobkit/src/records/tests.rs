use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::testing::Bench;

fn change(key: &str) -> RecordChange {
    RecordChange {
        id: RecordId { collection: "post.letter".into(), tenant: None, key: key.into() },
        from: 0,
        names: vec![format!("stamp-{key}")],
        state: "written".into(),
        due_at: Some(Timestamp::UNIX_EPOCH),
        body: json!({}),
        action: "post.letter.written".into(),
        details: Value::Null,
        news: Vec::new(),
        hold: Hold::Kept,
    }
}

#[test]
fn what_no_store_could_keep_is_refused_in_words() {
    assert_eq!(check(&change("a")), Ok(()));
    let id = change("a").id;
    for (change, why) in [
        (
            RecordChange { id: RecordId { collection: "letter".into(), ..id.clone() }, ..change("a") },
            "FAMILY.THING",
        ),
        (
            RecordChange { id: RecordId { collection: "Post.letter".into(), ..id.clone() }, ..change("a") },
            "FAMILY.THING",
        ),
        (RecordChange { id: RecordId { tenant: Some(String::new()), ..id }, ..change("a") }, "tenant: "),
        (
            RecordChange { news: vec![News::ended("post.lost", "", "found")], ..change("a") },
            "news of post.lost: ",
        ),
        (change(""), "key: "),
        (change("a\0b"), "key: "),
        (RecordChange { state: String::new(), ..change("a") }, "state: "),
        (RecordChange { names: vec![String::new()], ..change("a") }, "names: "),
        (RecordChange { names: vec!["n".into(); MOST_NAMES + 1], ..change("a") }, "names: "),
        (RecordChange { body: json!("x".repeat(LARGEST_BODY)), ..change("a") }, "an artifact"),
        (RecordChange { body: json!([{ "a\0": 1 }]), ..change("a") }, "NUL"),
        (RecordChange { details: json!({ "a": ["\0"] }), ..change("a") }, "NUL"),
        (RecordChange { action: "x".repeat(101), ..change("a") }, "action: "),
    ] {
        let refused = check(&change);
        assert!(refused.as_ref().is_err_and(|told| told.contains(why)), "{refused:?}");
    }
}

#[tokio::test]
async fn what_another_attempt_holds_is_changed_by_nobody_else() {
    let bench = Bench::default();
    let ctx = bench.ctx("post.send", 1);
    let records = ctx.records();
    let Put::Done(made) = records.put(&ctx, change("a")).await.unwrap() else { panic!("it is new") };
    let other = bench.ctx("post.send", 1).job().id;
    let other = JobId(uuid::Uuid::from_u128(other.0.as_u128() + 1));
    bench.host.kept().hold_by(&made.id, other);

    let moved = records.put(&ctx, made.to("sent", "post.letter.sent")).await.unwrap();
    let held = records.hold(&ctx, &made.id).await.unwrap();
    bench.host.kept().let_go(other);
    let done = records.put(&ctx, made.to("sent", "post.letter.sent")).await.unwrap();

    assert_eq!((moved, held), (Put::Moved, None));
    assert!(matches!(done, Put::Done(_)), "{done:?}");
}

/// The fake keeps what the stores promise.
#[tokio::test]
async fn a_record_is_changed_by_who_looked_at_it_and_named_once() {
    let bench = Bench::default();
    let ctx = bench.ctx("post.send", 1);
    let records = ctx.records();

    let made = records.put(&ctx, change("a")).await.unwrap();
    let Put::Done(first) = made else { panic!("{made:?}") };
    assert_eq!(records.put(&ctx, change("a")).await.unwrap(), Put::Moved);
    let taken = RecordChange { names: vec!["stamp-a".into()], ..change("b") };
    assert_eq!(records.put(&ctx, taken).await.unwrap(), Put::Taken("stamp-a".into()));
    let moved = records.put(&ctx, first.to("sent", "post.letter.sent")).await.unwrap();
    let Put::Done(second) = moved else { panic!("{moved:?}") };

    assert_eq!((second.version, second.state.as_str()), (2, "sent"));
    assert_eq!(records.named(&ctx, "post.letter", "stamp-a").await.unwrap(), Some(second));
    let told = bench.host.kept().actions();
    let expected =
        ["post.letter.written", "post.letter.sent"].map(|action| (action.to_owned(), "a".to_owned()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_the_log_is_not_told_changes_neither_state_nor_names() {
    let bench = Bench::default();
    let ctx = bench.ctx("post.send", 1);
    let silent = RecordChange { action: String::new(), ..change("a") };
    assert!(ctx.records().put(&ctx, silent).await.is_err());
    let Put::Done(made) = ctx.records().put(&ctx, change("a")).await.unwrap() else {
        panic!("it was not made")
    };

    let other_state = ctx.records().put(&ctx, made.to("sent", "")).await;
    let other_time = RecordChange { due_at: None, ..made.to("written", "") };

    assert!(other_state.is_err());
    assert!(matches!(ctx.records().put(&ctx, other_time).await.unwrap(), Put::Done(_)));
    assert_eq!(bench.host.kept().actions().len(), 1);
}
