use serde_json::json;

use super::*;

fn rule(name: &str, by: &str) -> Rule {
    let by = by.parse().unwrap();
    Rule { name: name.into(), kinds: Vec::new(), queues: Vec::new(), by, rate: None, concurrency: Some(1) }
}

fn lane(rules: &Rules, kind: &str, tenant: Option<&str>, args: &Value) -> Option<String> {
    let job = Subject { kind, queue: "mail", tenant, args, encrypted: false };
    rules.lane_of(job).map(|lane| lane.as_str().to_owned())
}

#[test]
fn a_job_is_in_a_bucket_of_each_limit_that_holds_for_it() {
    let rules = Rules::new([
        Rule { kinds: vec!["docusign.*".into()], ..rule("accounts", "args.account.id") },
        Rule { queues: vec!["mail".into()], ..rule("all-mail", "all") },
        Rule { kinds: vec!["backup.take".into()], ..rule("backups", "kind") },
        Rule { queues: vec!["other".into()], ..rule("others", "queue") },
        Rule { kinds: vec!["docusign.send".into()], ..rule("sending", "tenant") },
    ]);
    let account = |id: Value| json!({ "account": { "id": id } });
    for (kind, tenant, args, wanted) in [
        ("docusign.sync", None, account(json!("a-7")), "accounts/a-7\nall-mail"),
        ("docusign.sync", Some("acme"), account(json!(7)), "accounts/7\nall-mail\n\tacme"),
        (
            "docusign.send",
            Some("acme"),
            account(json!(true)),
            "accounts/true\nall-mail\nsending/acme\n\tacme",
        ),
        ("docusign.send", None, json!(null), "accounts/\nall-mail\nsending/"),
        ("docusign.sync", None, account(json!(1.5)), "accounts/\nall-mail"),
        ("docusign.sync", None, account(json!({ "deep": 1 })), "accounts/\nall-mail"),
        ("backup.take", None, json!({}), "all-mail\nbackups/backup.take"),
        ("docusignal.send", None, json!({}), "all-mail"),
    ] {
        assert_eq!(lane(&rules, kind, tenant, &args).as_deref(), Some(wanted), "{kind} {args}");
    }
    assert_eq!(lane(&Rules::new([rule("x", "all")]), "a.b", None, &json!({})).as_deref(), Some("x"));
    assert_eq!(lane(&Rules::default(), "a.b", Some("acme"), &json!({})), None);
}

#[test]
fn what_is_secret_or_long_or_not_printable_is_told_by_its_hash() {
    let rules = Rules::new([rule("x", "args.id")]);
    let long = "y".repeat(129);
    for (id, encrypted) in [("secret", true), (long.as_str(), false), ("a\nb", false)] {
        let args = json!({ "id": id });
        let job = Subject { kind: "a.b", queue: "q", tenant: None, args: &args, encrypted };

        let lane = rules.lane_of(job).unwrap();

        assert_eq!(lane.as_str().len(), "x/#".len() + 32, "{lane:?}");
        assert_eq!(lane.buckets().count(), 1);
    }
}

#[test]
fn a_lane_tells_its_buckets_whatever_its_tenant_is_called() {
    let lane = Lane::stored("a/1\nb\n\tacme\n\tb/2".into());

    assert_eq!(lane.buckets().collect::<Vec<_>>(), ["a/1", "b"]);
    assert_eq!(lane.bucket_of("a"), Some("a/1"));
    assert_eq!(lane.bucket_of("acme"), None);
}

#[test]
fn a_rate_is_written_as_people_say_it() {
    for (text, interval) in [
        ("50/s", 20_000_000),
        ("3/s", 333_333_334),
        ("3000/h", 1_200_000_000),
        ("1/d", 86_400_000_000_000),
        ("1000000/s", 1_000),
    ] {
        let pace: Pace = text.parse().unwrap();
        assert_eq!((pace.interval(), pace.to_string().as_str()), (interval, text));
    }
    for text in ["", "50", "0/s", "50/y", "-1/s", "1.5/s", "2000000/s"] {
        assert!(text.parse::<Pace>().unwrap_err().contains("\"50/s\""), "{text}");
    }
}

#[test]
fn a_place_in_the_arguments_is_named_by_its_path() {
    for text in ["all", "queue", "kind", "tenant", "args.account_id", "args.a.b"] {
        assert_eq!(text.parse::<By>().unwrap().to_string(), text);
    }
    for text in ["", "args", "args.", "args.a..b", "args.0", "account_id"] {
        assert!(text.parse::<By>().unwrap_err().contains("args.account_id"), "{text}");
    }
}
