use jobkit::{Ctx, Failure, Job, Outcome, Period, RawJson, Unique};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::unique::{period_end, unique_key};
use super::*;

fn key(job: &NewJob, rule: &Unique, now: i64) -> [u8; 32] {
    unique_key(job, job.args.get(), rule, now)
}

#[test]
fn a_plain_unique_key_hashes_as_the_sql_function_does() {
    let job = NewJob::new("mail.send", json!({})).unique_key("invoice-7");
    let rule = Unique::by_key();

    assert_eq!(key(&job, &rule, 0), <[u8; 32]>::from(Sha256::digest(b"mail.send\0invoice-7")));
}

#[test]
fn a_unique_key_is_the_tenants_own() {
    let rule = Unique::by_key();
    let job = |tenant: Option<&str>, kind: &str, key: &str| {
        let job = NewJob::new(kind, json!({})).unique_key(key);
        NewJob { tenant: tenant.map(str::to_owned), ..job }
    };
    let north = job(Some("north"), "mail.send", "invoice-7");

    assert_eq!(key(&north, &rule, 0), <[u8; 32]>::from(Sha256::digest(b"\0north\0mail.send\0invoice-7")));
    for other in [
        job(Some("south"), "mail.send", "invoice-7"),
        job(None, "mail.send", "invoice-7"),
        // What a caller may write does not make it another's.
        job(None, "north", "mail.send\0invoice-7"),
    ] {
        assert_ne!(key(&other, &rule, 0), key(&north, &rule, 0), "{other:?}");
    }
}

#[test]
fn arguments_in_another_order_are_the_same_and_other_arguments_are_not() {
    let rule = Unique::by_args();
    let job = |args| NewJob::new("k", RawJson::parse(args).unwrap());
    let first = job(r#"{"a":1,"b":2}"#);
    let same = job(r#"{ "b": 2, "a": 1 }"#);
    let other = job(r#"{"a":1,"b":3}"#);

    assert_eq!(key(&first, &rule, 0), key(&same, &rule, 0));
    assert_ne!(key(&first, &rule, 0), key(&other, &rule, 0));
    // These were one amount, and the second was not enqueued.
    let [amount, another] = ["0.1", "0.1000000000000000055"].map(job);
    assert_ne!(key(&amount, &rule, 0), key(&another, &rule, 0));
}

#[test]
fn a_period_begins_a_new_key_and_frees_it_at_its_end() {
    let rule = Unique { period: Some(Period::Hour), ..Unique::by_args() };
    let job = NewJob::new("k", json!({}));

    assert_eq!(key(&job, &rule, 3_600), key(&job, &rule, 7_199));
    assert_ne!(key(&job, &rule, 7_199), key(&job, &rule, 7_200));
    assert_eq!(period_end(Period::Hour, 3_601).unwrap().as_second(), 7_200);
}

struct Nothing;

impl Job for Nothing {
    type Args = ();
    const KIND: &'static str = "test.nothing";

    async fn run(&self, (): (), _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}

/// `()` is written as null, which is no object.
#[test]
fn a_job_that_takes_nothing_goes_through_the_door() {
    let mut registry = Registry::default();
    registry.add(Nothing);

    check_job(&registry, &NewJob::of::<Nothing>(&()).unwrap()).unwrap();
    for args in [json!(null), json!([]), json!(7)] {
        let refused = check_job(&registry, &NewJob::new("test.nothing", args)).unwrap_err();
        assert_eq!(refused.to_string(), "args: must be a JSON object");
    }
}

#[test]
fn what_is_wrong_with_a_job_is_named_by_field_with_the_remedy() {
    let good = NewJob::new("k", json!({}));
    let big = "x".repeat(17 << 10);
    for (job, field, remedy) in [
        (NewJob { queue: Some("a b".into()), ..good.clone() }, "queue", "letters"),
        (NewJob { queue: Some(String::new()), ..good.clone() }, "queue", "1 to 64"),
        (NewJob { priority: Some(0), ..good.clone() }, "priority", "1 (first) to 9 (last)"),
        (NewJob { priority: Some(10), ..good.clone() }, "priority", "1 (first) to 9 (last)"),
        (NewJob { max_attempts: Some(0), ..good.clone() }, "max_attempts", "1 to 1000"),
        (NewJob { unique_key: Some(String::new()), ..good.clone() }, "unique_key", "1 to 512"),
        (NewJob { tenant: Some(String::new()), ..good.clone() }, "tenant", "1 to 128"),
        (NewJob { tags: vec![String::new()], ..good.clone() }, "tags", "1 to 64"),
        (NewJob { metadata: Some(json!([])), ..good.clone() }, "metadata", "object"),
        (NewJob { metadata: Some(json!({ "big": big })), ..good.clone() }, "metadata", "16 KiB"),
    ] {
        let message = check(&job, "{}").unwrap_err().to_string();
        assert!(message.starts_with(field) && message.contains(remedy), "{message}");
    }
    let message = check(&good, &"x".repeat(MOST_ARGS_BYTES + 1)).unwrap_err().to_string();
    assert!(message.starts_with("args") && message.contains("1 MiB"), "{message}");
    let deep = "[".repeat(json::DEEPEST + 1);
    let message = check(&good, &deep).unwrap_err().to_string();
    assert!(message.starts_with("args") && message.contains("levels"), "{message}");
    check(&good, "{}").unwrap();
}

/// A list was taken wherever its values fit the fields in their order, and no limit by an argument held for it.
#[test]
fn arguments_are_an_object_and_nothing_else() {
    let mut registry = Registry::default();
    crate::system::register(&mut registry, crate::system::Config::default());
    let job = |kind, args| NewJob::new(kind, RawJson::parse(args).unwrap());

    for args in ["[5]", "[]", "null", "5", "\"{}\"", "true"] {
        for kind in ["system.sleep", "system.noop"] {
            let problem = check_job(&registry, &job(kind, args)).unwrap_err().to_string();
            assert_eq!(problem, "args: must be a JSON object", "{kind} {args}");
        }
    }
    check_job(&registry, &job("system.sleep", " { \"ms\": 5 } ")).unwrap();
    // Who says nothing of them gives none.
    let silent: NewJob = serde_json::from_str(r#"{"kind": "system.noop"}"#).unwrap();
    assert_eq!(silent.args.get(), "{}");
}
