use serde_json::json;

use super::*;

fn plan(definition: Value) -> Result<Plan, DefinitionError> {
    let definition: Definition = serde_json::from_value(definition).unwrap();
    let rules = CalendarRules { yearly: vec!["12-25".into()], ..CalendarRules::default() };
    definition.stored(&BTreeMap::from([("germany".to_owned(), rules)]))?.plan()
}

#[test]
fn a_mistake_names_the_key_and_the_remedy() {
    for (definition, says) in [
        (json!({}), "cron: says when, and is missing; write cron ="),
        (json!({ "cron": "@daily", "every": "1m" }), "every: cannot stand beside `cron`; keep one"),
        (json!({ "cron": "* * * *" }), "cron: `* * * *` has 4 fields; write five"),
        (json!({ "every": "10ms" }), "every: must be from \"1s\""),
        (
            json!({ "cron": "@daily", "zone": "Berlin" }),
            "zone: `Berlin` is no zone that is known; write an IANA name",
        ),
        (json!({ "cron": "@daily", "zone": "" }), "zone: `` is no zone"),
        (
            json!({ "cron": "@daily", "calendar": "france" }),
            "calendar: `france` is not known; the configuration has: germany",
        ),
        (json!({ "cron": "@daily", "days": "skip_holidays" }), "days: needs a calendar; name one"),
        (
            json!({ "every": "1h", "calendar": "germany", "days": "next_business_day" }),
            "days: next_business_day moves a day",
        ),
        (
            json!({ "cron": "0 8 25 12 *", "calendar": "germany" }),
            "calendar: leaves no day on which this fires",
        ),
        (json!({ "cron": "@daily", "from": "tomorrow" }), "from: `tomorrow` is neither a date"),
        (json!({ "cron": "@daily", "from": "2026-02-30" }), "from: `2026-02-30` is neither a date"),
        (
            json!({ "cron": "@daily", "from": "2026-02-02", "until": "2026-02-02" }),
            "until: does not lie after `from`",
        ),
        (json!({ "cron": "@daily", "jitter": "25h" }), "jitter: must be at most \"1d\""),
        (json!({ "cron": "@daily", "days": "only_business_days" }), "days: needs a calendar; name one"),
        (json!({ "cron": "@daily", "misfire_limit": 3 }), "misfire_limit: is for misfire = \"all\""),
        (json!({ "cron": format!("{} * * * *", "1,".repeat(600)) }), "cron: `1,1,1"),
        (
            json!({ "cron": "@daily", "misfire": "all", "misfire_limit": 0 }),
            "misfire_limit: must be from 1 to 1000",
        ),
        (json!({ "cron": "@daily", "misfire_within": "10s" }), "misfire_within: must be at least \"1m\""),
    ] {
        let problem = plan(definition.clone()).unwrap_err().to_string();
        assert!(problem.starts_with(says), "{definition}: {problem}");
    }
}

#[test]
fn a_date_is_its_first_moment_in_the_zone() {
    let plan = plan(json!({ "cron": "@daily", "zone": "Europe/Berlin", "from": "2026-01-31", "until": "2026-02-28T12:00:00+01:00" })).unwrap();
    assert_eq!(plan.timing.from, Some("2026-01-30T23:00:00Z".parse().unwrap()));
    assert_eq!(plan.timing.until, Some("2026-02-28T11:00:00Z".parse().unwrap()));
}

#[test]
fn what_is_stored_reads_as_it_was_written() {
    let written = json!({
        "kind": "journal.score_ledger", "args": { "file": "a.csv" }, "cron": "0 6 * * *", "calendar": "germany",
        "days": "next_business_day", "jitter": "5m", "misfire": "all", "misfire_limit": 3, "misfire_within": "1d",
        "overlap": "queue_one", "priority": 2, "tags": ["night"],
    });
    let definition: Definition = serde_json::from_value(written).unwrap();
    let calendars = BTreeMap::from([("germany".to_owned(), CalendarRules::default())]);
    let stored = definition.stored(&calendars).unwrap();

    let read: Stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();

    assert_eq!(read, stored);
    assert_eq!(read.digest().unwrap(), stored.digest().unwrap());
    let other = Stored {
        calendar: Some(CalendarRules { yearly: vec!["05-01".into()], ..CalendarRules::default() }),
        ..stored.clone()
    };
    assert_ne!(other.digest().unwrap(), stored.digest().unwrap(), "another calendar is another schedule");
}

#[test]
fn jitter_is_the_same_for_everybody_and_less_than_its_bound() {
    let plan = plan(json!({ "every": "1m", "jitter": "30s" })).unwrap();
    let times: Vec<_> = plan.timing.after(Timestamp::UNIX_EPOCH).take(1_000).collect();
    let delays: Vec<_> = times.iter().map(|at| plan.delay("a", *at)).collect();

    assert!(delays.iter().all(|delay| *delay < Duration::from_secs(30)));
    assert_eq!(delays, times.iter().map(|at| plan.delay("a", *at)).collect::<Vec<_>>());
    assert_ne!(delays, times.iter().map(|at| plan.delay("b", *at)).collect::<Vec<_>>());
    // Spread over the whole of it: each tenth has about a hundred.
    for tenth in 0..10 {
        let lies_in = |delay: &&Duration| (delay.as_secs() / 3) == tenth;
        assert!((60..160).contains(&delays.iter().filter(lies_in).count()), "tenth {tenth}");
    }
}

#[test]
fn a_schedule_is_told_in_words() {
    for (definition, words) in [
        (json!({ "cron": "30 6 * * *", "zone": "Europe/Berlin" }), "at 06:30 every day, Europe/Berlin"),
        (json!({ "every": "15m" }), "every 15m, UTC"),
        (
            json!({ "cron": "30 6 * * *", "calendar": "germany", "jitter": "5m" }),
            "at 06:30 every day, only on business days of `germany`, UTC, up to 5m later",
        ),
        (
            json!({ "cron": "0 9 L * *", "calendar": "germany", "days": "next_business_day", "until": "2027-01-01" }),
            "at 09:00 on the last day of the month, or the next business day of `germany`, UTC, until 2027-01-01",
        ),
    ] {
        assert_eq!(plan(definition).unwrap().words(), words);
    }
}
