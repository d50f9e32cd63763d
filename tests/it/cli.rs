//! The command line as a script meets it: the real binary, its exit codes, its JSON, its errors.

mod approvals;
mod audit;
mod demo;
mod docusign;
mod evidence;
mod forest;
mod journal;
mod journal_models;
mod limits;
mod models;
mod reading;
mod records;
mod reviews;
mod tokens;
mod uploads;
mod users;

use serde_json::json;

use crate::support::binary::{Place, Ran};

const NOBODY: &str = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";

#[test]
fn a_job_goes_from_enqueue_to_completed() {
    let place = Place::new();

    let id = place.enqueue(&[
        "system.noop",
        "--tag",
        "first",
        "--tag",
        "second",
        "--tenant",
        "acme",
        "--priority",
        "3",
        "--metadata",
        r#"{"ticket":7}"#,
    ]);
    place.work(0).says(&["1 completed, 0 discarded"]);

    place.run(&["jobs", "wait", &id, "--timeout", "5s"]).expect(0).says(&["completed", &id]);
    let job = place.job(&id);
    assert_eq!(job["state"], "completed");
    assert_eq!(job["kind"], "system.noop");
    assert_eq!(job["tags"], json!(["first", "second"]));
    assert_eq!((&job["tenant"], &job["priority"]), (&json!("acme"), &json!(3)));
    assert_eq!(job["metadata"], json!({ "ticket": 7 }));
}

#[test]
fn arguments_come_from_the_line_a_file_or_standard_input() {
    let place = Place::new().file("args.json", r#"{"ms":1}"#);

    let line = place.enqueue(&["system.sleep", "--args", r#"{"ms":1}"#]);
    let file = place.enqueue(&["system.sleep", "--args", "@args.json"]);
    let input = place.run_with_input(&["enqueue", "system.sleep", "--args", "-"], r#"{"ms":1}"#).expect(0);

    for id in [&line, &file, input.out.trim()] {
        assert_eq!(place.job(id)["args"], json!({ "ms": 1 }));
    }
}

#[test]
fn a_unique_key_gives_the_id_of_the_job_that_is_there() {
    let place = Place::new();
    let first = place.enqueue(&["system.noop", "--unique-key", "invoice-7"]);

    let again = place.run(&["enqueue", "system.noop", "--unique-key", "invoice-7"]).expect(0);

    assert_eq!(again.out.trim(), first);
    assert!(again.err.contains("nothing was enqueued"), "{}", again.err);
    let json = place.run(&["enqueue", "system.noop", "--unique-key", "invoice-7", "--json"]).expect(0).json();
    assert_eq!(json, json!({ "id": first, "duplicate": true }));
}

#[test]
fn a_job_that_holds_a_unique_key_is_replaced_when_that_is_asked_for() {
    let place = Place::new();
    let first =
        place.enqueue(&["system.sleep", "--args", r#"{"ms":1}"#, "--unique-key", "k", "--delay", "1h"]);
    let enqueue = |ms: &str, on_conflict: &str| {
        let args = format!(r#"{{"ms":{ms}}}"#);
        let again = ["enqueue", "system.sleep", "--args", &args, "--unique-key", "k", "--delay", "1h"];
        place.run(&[&again[..], &["--on-conflict", on_conflict]].concat()).expect(0)
    };

    assert_eq!(enqueue("2", "return").says(&["nothing was enqueued"]).out.trim(), first);
    assert_eq!(place.job(&first)["args"], json!({ "ms": 1 }));
    assert_eq!(enqueue("3", "replace").says(&["takes this over"]).out.trim(), first);
    assert_eq!(place.job(&first)["args"], json!({ "ms": 3 }));
}

#[test]
fn a_job_waits_for_its_time_or_for_another_job() {
    let place = Place::new();

    let at = place.enqueue(&["system.noop", "--run-at", "2999-01-01T00:00:00Z"]);
    let delayed = place.enqueue(&["system.noop", "--delay", "2h"]);
    let child = place.enqueue(&["system.noop", "--after", &delayed]);

    assert_eq!(place.job(&at)["state"], "scheduled");
    assert_eq!(place.job(&at)["run_at"], "2999-01-01T00:00:00Z");
    assert_eq!(place.job(&delayed)["state"], "scheduled");
    assert_eq!(place.job(&child)["state"], "waiting");
    assert_eq!(place.job(&child)["waits_for"], json!([delayed]));
    place.run(&["jobs", "wait", &at, "--timeout", "50ms"]).expect(5).says(&["still scheduled", "--timeout"]);
}

#[test]
fn several_jobs_are_waited_for_by_their_ids_or_by_a_filter() {
    let place = Place::new();
    let good = place.enqueue(&["system.noop", "--tag", "march"]);
    let late = place.enqueue(&["system.noop", "--tag", "march", "--delay", "1h"]);
    let bad = place.enqueue(&["system.fail", "--args", r#"{"message":"no","permanent":true}"#]);
    place.work(1);
    let ids = |ran: &Ran| -> Vec<String> {
        let rows = ran.json();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().into()).collect()
    };

    let both = place.run(&["jobs", "wait", &good, &bad, "--json"]).expect(1);
    assert_eq!(ids(&both), [bad.clone(), good.clone()], "newest first");
    let one =
        place.run(&["jobs", "wait", "--kind", "system.noop", "--state", "completed", "--json"]).expect(0);
    assert_eq!(ids(&one), std::slice::from_ref(&good));
    place
        .run(&["jobs", "wait", "--tag", "march", "--timeout", "50ms"])
        .expect(5)
        .says(&[&late, "still scheduled"]);
    place.run(&["jobs", "wait", &good, &late, &bad, "--timeout", "50ms"]).expect(5).says(&[&late]);
    place.run(&["jobs", "wait", "--tag", "april"]).expect(0).says(&["no jobs match"]);
    place.run(&["jobs", "wait", &good, NOBODY]).expect(3).says(&["there is no job", NOBODY]);
    place.run(&["jobs", "wait"]).expect(2).says(&["which jobs", "--kind"]);
}

#[test]
fn a_failed_job_is_told_by_exit_codes_found_by_filters_and_retried() {
    let place = Place::new();
    let fails = r#"{"message":"the bank is closed","permanent":true}"#;
    let id = place.enqueue(&["system.fail", "--args", fails]);
    let other = place.enqueue(&["system.noop"]);

    place.work(1);

    place.run(&["jobs", "wait", &id]).expect(1).says(&["discarded", "the bank is closed"]);
    let ids = |args: &[&str]| -> Vec<String> {
        let rows = place.run(&[&["jobs", "list", "--json"], args].concat()).expect(0).json();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().into()).collect()
    };
    assert_eq!(ids(&[]), [other, id.clone()], "newest first");
    for filter in [
        &["--state", "discarded"][..],
        &["--kind", "system.fail"],
        &["--error", "bank is closed"],
        &["--id", &id],
        &["--state", "discarded,cancelled", "--since", "1h"],
    ] {
        assert_eq!(ids(filter), std::slice::from_ref(&id), "{filter:?}");
    }
    assert_eq!(ids(&["--until", "1h"]), [""; 0]);

    // Nobody is at the terminal to confirm what a filter chose.
    place
        .run(&["jobs", "retry", "--state", "discarded"])
        .expect(2)
        .says(&["would change 1 job", "add --yes"]);
    assert_eq!(place.job(&id)["state"], "discarded");
    let changed = place.run(&["jobs", "retry", "--state", "discarded", "--yes", "--json"]).expect(0).json();
    assert_eq!(changed, json!({ "changed": [id], "asked": [], "refused": [] }));
    assert_eq!(place.job(&id)["state"], "available");
}

#[test]
fn a_job_that_has_not_begun_is_cancelled_or_discarded_by_its_id() {
    let place = Place::new();
    let cancelled = place.enqueue(&["system.noop", "--delay", "1h"]);
    let discarded = place.enqueue(&["system.noop", "--delay", "1h"]);

    place.run(&["jobs", "cancel", &cancelled]).expect(0).says(&["1 job cancelled"]);
    place.run(&["jobs", "discard", &discarded]).expect(0).says(&["1 job discarded"]);

    assert_eq!(place.job(&cancelled)["state"], "cancelled");
    assert_eq!(place.job(&discarded)["state"], "discarded");
    place.run(&["jobs", "cancel", &cancelled]).expect(1);
}

#[test]
fn a_paused_queue_is_left_alone_until_it_is_resumed() {
    let place = Place::new();
    let id = place.enqueue(&["system.noop", "--queue", "mail"]);

    place.run(&["queues", "pause", "mail", "--reason", "the mail server moves"]).expect(0);
    let queues = place.run(&["queues", "list", "--json"]).expect(0).json();
    assert_eq!(queues[0]["name"], "mail");
    assert_eq!(queues[0]["reason"], "the mail server moves");
    assert!(queues[0]["paused_by"].as_str().unwrap().starts_with("cli:"), "{queues}");
    assert_eq!(queues[0]["counts"]["available"], 1);
    place.run(&["queues", "list"]).expect(0).says(&["QUEUE", "mail", "the mail server moves"]);

    place.run(&["queues", "resume", "mail"]).expect(0);
    place.work(0);
    assert_eq!(place.job(&id)["state"], "completed");
}

#[test]
fn every_listing_reads_well_when_there_is_nothing_to_list() {
    let place = Place::new();
    for (args, text) in [
        (&["jobs", "list"][..], "no jobs match"),
        (&["queues", "list"], "no queue has jobs in hand"),
        (&["workers", "list"], "no workers are registered"),
        (&["jobs", "cancel", "--kind", "system.noop", "--yes"], "no jobs match that can take it"),
    ] {
        place.run(args).expect(0).says(&[text]);
    }
    for args in [["jobs", "list", "--json"], ["queues", "list", "--json"], ["workers", "list", "--json"]] {
        assert_eq!(place.run(&args).expect(0).json(), json!([]));
    }
}

#[test]
fn migrating_twice_says_that_nothing_was_to_be_done() {
    let place = Place::new().with("COMPLINE__STORE__MIGRATE_AT_START", "false");

    place
        .run(&["jobs", "list"])
        .expect(1)
        .says(&["there is no database at compline.db yet", "run `compline migrate`"]);
    assert!(!place.path().join("compline.db").exists(), "looking has made a database");
    std::fs::write(place.path().join("compline.db"), "").unwrap();
    place
        .run(&["enqueue", "system.noop"])
        .expect(1)
        .says(&["schema is at version 0", "run `compline migrate`"]);
    place.run(&["doctor"]).expect(1).says(&["FAIL  schema", "remedy: run `compline migrate`"]);
    let first = place.run(&["migrate", "--json"]).expect(0).json();
    let second = place.run(&["migrate"]).expect(0);

    assert_eq!(first["from"], 0);
    assert!(first["to"].as_i64() > Some(0), "{first}");
    second.says(&["already"]);
    place.enqueue(&["system.noop"]);
}

#[test]
fn a_pipe_gets_the_answer_and_no_colour_or_log_line() {
    let place = Place::new().with("COMPLINE__LOG__FILTER", "trace");

    let ran = place.run(&["enqueue", "system.noop"]).expect(0);

    assert_eq!(ran.out.trim().parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(ran.err, "");
    assert!(!place.run(&["jobs", "list"]).expect(0).all().contains('\x1b'));
}

#[test]
fn a_tag_with_a_comma_is_one_tag_at_every_command() {
    let place = Place::new();
    let one = place.run(&["enqueue", "system.noop", "--tag", "red,blue"]).expect(0).out;
    let two = place.run(&["enqueue", "system.noop", "--tag", "red", "--tag", "blue"]).expect(0).out;

    let listed = |args: &[&str]| place.run(&[&["jobs", "list"], args].concat()).expect(0).out;
    assert!(listed(&["--tag", "red,blue"]).contains(one.trim()));
    assert!(!listed(&["--tag", "red,blue"]).contains(two.trim()));
    assert!(listed(&["--tag", "red", "--tag", "blue"]).contains(two.trim()));
}

#[test]
fn every_misuse_names_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    for (args, parts) in [
        (&["enqueue", "no.such"][..], &["unknown kind `no.such`", "system.noop"][..]),
        (&["enqueue", "system.sleep"], &["system.sleep", "missing field `ms`"]),
        (&["enqueue", "system.sleep", "--args", "{"], &["--args", "not JSON", "@FILE"]),
        (
            &["enqueue", "system.sleep", "--args", "@nowhere.json"],
            &["--args", "nowhere.json", "check the path"],
        ),
        (&["enqueue", "system.noop", "--args", "@/dev/zero"], &["--args", "/dev/zero", "more than 64 MiB"]),
        (&["enqueue", "system.noop", "--metadata", "x"], &["--metadata", "not JSON"]),
        (&["enqueue", "system.noop", "--args", "-", "--metadata", "-"], &["--args and --metadata"]),
        (&["enqueue", "system.noop", "--priority", "10"], &["--priority", "1..=9"]),
        (&["enqueue", "system.noop", "--max-attempts", "0"], &["--max-attempts", "1.."]),
        (&["enqueue", "system.noop", "--run-at", "tomorrow"], &["--run-at", "such as 2026-01-31T09:00:00Z"]),
        (&["enqueue", "system.noop", "--delay", "5"], &["--delay", "\"30s\""]),
        (
            &["enqueue", "system.noop", "--delay", "5s", "--run-at", "2026-01-31T09:00:00Z"],
            &["--delay", "--run-at"],
        ),
        (&["enqueue", "system.noop", "--after", "seven"], &["--after", "no job id", "jobs list"]),
        (&["enqueue", "system.noop", "--on-conflict", "replace"], &["--unique-key"]),
        (&["enqueue", "system.noop", "--unique-key", "k", "--on-conflict", "x"], &["return", "replace"]),
        (&["jobs", "list", "--state", "done"], &["--state", "completed"]),
        (&["jobs", "list", "--since", "yesterday"], &["--since", "such as 2h"]),
        (&["jobs", "list", "--limit", "0"], &["--limit", "from 1 up"]),
        (&["jobs", "retry"], &["which jobs", "--kind"]),
        (&["jobs", "wait", "seven"], &["no job id"]),
        (&["jobs", "wait", NOBODY, "--timeout", "soon"], &["--timeout", "\"30s\""]),
        (&["work", "--queues", "a,,b"], &["--queues", "empty name"]),
        (&["config", "check", "--config", "nowhere.toml"], &["nowhere.toml", "--config"]),
        (&["completions", "abacus"], &["bash", "zsh"]),
        (&["jobs", "lst"], &["lst", "list"]),
    ] {
        let ran = place.run(args).expect(2).says(parts);
        assert_eq!(ran.out, "", "{args:?}");
    }
}

#[test]
fn what_only_opening_finds_wrong_in_the_configuration_is_exit_code_2() {
    for (toml, parts) in [
        ("[store]\nurl = \"sqlite://nowhere/compline.db\"\n", &["nowhere", "store.url"][..]),
        ("[store]\nurl = \"env:UNSET_URL\"\n", &["store.url", "UNSET_URL"]),
        ("[encryption.keys]\nk1 = \"env:UNSET_KEY\"\n", &["encryption.keys.k1", "UNSET_KEY"]),
    ] {
        let place = Place::new().file("compline.toml", toml);
        place.run(&["jobs", "list"]).expect(2).says(parts);
    }
}

#[test]
fn what_is_not_there_is_exit_code_3() {
    let place = Place::new();
    for args in [
        &["jobs", "show", NOBODY][..],
        &["jobs", "wait", NOBODY],
        &["jobs", "cancel", NOBODY],
        &["jobs", "retry", NOBODY],
    ] {
        place.run(args).expect(3).says(&["there is no job", NOBODY, "jobs list"]);
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_exit_code_4_in_text_and_in_json() {
    let place = Place::new()
        .with("COMPLINE__STORE__URL", "postgres://nobody@127.0.0.1:1/none")
        .with("COMPLINE__STORE__ACQUIRE_TIMEOUT", "1s");

    place.run(&["jobs", "list"]).expect(4).says(&["error: ", "because: ", "remedy: check store.url"]);
    let json = place.run(&["jobs", "list", "--json"]).expect(4);
    let error: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(error["exit"], 4);
    assert!(error["remedy"].as_str().unwrap().contains("store.url"), "{error}");
    place.run(&["doctor"]).expect(4).says(&["FAIL  store", "remedy: "]);
}

#[test]
fn an_unknown_key_is_told_with_its_file_and_line_or_its_variable() {
    let place = Place::new().file("compline.toml", "[worker]\nlease = \"30s\"\nconcurency = 3\n");
    for command in [&["config", "check"][..], &["jobs", "list"], &["serve"], &["doctor"]] {
        place.run(command).expect(2).says(&["compline.toml:3", "worker.concurency", "`worker.concurrency`?"]);
    }

    for section in ["kinds", "retention.kinds"] {
        let key = if section == "kinds" { "priority = 1" } else { "completed = \"9d\"" };
        let place = Place::new().file("compline.toml", &format!("[{section}.\"system.nop\"]\n{key}\n"));
        for command in [&["config", "check"][..], &["jobs", "list"]] {
            place.run(command).expect(2).says(&[
                "compline.toml:2",
                "`system.nop`",
                "did you mean `system.noop`?",
            ]);
        }
    }

    let place = Place::new().with("COMPLINE__WORKER__CONCURENCY", "3");
    place.run(&["config", "check"]).expect(2).says(&["did you mean COMPLINE__WORKER__CONCURRENCY?"]);
}

#[test]
fn the_configuration_shows_where_each_value_came_from() {
    let place = Place::new()
        .file("other.toml", "[worker]\nlease = \"40s\"\n")
        .with("COMPLINE_CONFIG", "other.toml")
        .with("COMPLINE__WORKER__POLL", "2s");

    let lines = place.run(&["config", "show", "--json"]).expect(0).json();

    let line = |key: &str| lines.as_array().unwrap().iter().find(|line| line["key"] == key).unwrap().clone();
    assert_eq!(
        line("worker.lease"),
        json!({ "key": "worker.lease", "value": "40s", "origin": "other.toml:2" })
    );
    assert_eq!(line("worker.poll")["origin"], "COMPLINE__WORKER__POLL");
    assert_eq!(line("worker.concurrency")["origin"], "default");
    place.run(&["config", "check"]).expect(0).says(&["valid (other.toml)"]);
}

/// Who asked again would have two.
#[test]
fn a_job_whose_id_cannot_be_printed_is_named_in_the_error() {
    let place = Place::new();
    let full = std::fs::File::create("/dev/full").unwrap();

    let told = place.command(&["enqueue", "system.noop"]).stdout(full).output().unwrap();

    assert_eq!(told.status.code(), Some(1));
    let jobs = place.run(&["jobs", "list", "--json"]).expect(0).json();
    let id = jobs[0]["id"].as_str().unwrap_or_else(|| panic!("{jobs}"));
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(text.contains(&format!("the job is there all the same: {id}")), "{text}");
}

#[test]
fn the_shell_and_man_get_their_pages() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        place.run(&["completions", shell]).expect(0).says(&["compline", "until-idle"]);
    }
    place.run(&["man", "--dir", "."]).expect(0);
    let page = std::fs::read_to_string(place.path().join("compline-jobs-list.1")).unwrap();
    assert!(page.contains("tenant"), "{page}");
    place.run(&["man", "--dir", "nowhere"]).expect(1).says(&["nowhere", "directory"]);
    place.run(&["man"]).expect(0).says(&[".TH compline 1", "Exit codes"]);
    place.run(&["--help"]).expect(0).says(&["Exit codes:", "4  the store cannot be reached"]);
}

#[test]
fn a_stop_signal_ends_serving_with_success() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let id = place.enqueue(&["system.noop"]);

    let mut serving = place.command(&["serve"]).spawn().unwrap();
    place.run(&["jobs", "wait", &id, "--timeout", "20s"]).expect(0);
    place.run(&["workers", "list", "--json"]).expect(0).says(&["lease_ms"]);
    let pid = rustix::process::Pid::from_child(&serving);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();

    assert_eq!(serving.wait().unwrap().code(), Some(0));
    assert_eq!(place.run(&["workers", "list", "--json"]).expect(0).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_commands_work_on_postgresql() {
    let url = crate::support::postgres::empty_database().await;
    let place = Place::new().with("COMPLINE__STORE__URL", &url);

    place.run(&["doctor"]).expect(0).says(&["warn  schema"]);
    let id = place.enqueue(&["system.noop", "--queue", "mail"]);
    place.run(&["queues", "list"]).expect(0).says(&["mail"]);
    place.work(0);

    place.run(&["jobs", "wait", &id]).expect(0).says(&["completed"]);
    assert_eq!(place.job(&id)["queue"], "mail");
    place.run(&["doctor"]).expect(0).says(&["ok    schema", "ok    clock"]);
}

#[test]
fn a_schedule_is_put_looked_at_and_deleted() {
    let place = Place::new();
    let put = ["schedules", "put", "nightly", "--kind", "system.sleep", "--args", r#"{"ms":1}"#];

    place.run(&[&put[..], &["--cron", "61 6 * * *"]].concat()).expect(2).says(&["cron", "minute", "`61`"]);
    place.run(&[&put[..5], &["--cron", "@daily"]].concat()).expect(2).says(&["system.sleep", "ms"]);
    let made =
        place.run(&[&put[..], &["--cron", "30 6 * * MON-FRI", "--zone", "Europe/Berlin", "--json"]].concat());
    let made = made.expect(0).json();
    assert_eq!(made["words"], "at 06:30 on Monday to Friday, Europe/Berlin");
    assert_eq!((&made["state"], &made["source"]), (&json!("active"), &json!("api")));

    place.run(&["schedules", "list"]).expect(0).says(&["nightly", "active", "06:30"]);
    place.run(&["schedules", "pause", "nightly", "--reason", "audit"]).expect(0).says(&["paused"]);
    place.run(&["schedules", "show", "nightly"]).expect(0).says(&["paused", "audit", "system.sleep"]);
    place.run(&["schedules", "resume", "nightly"]).expect(0).says(&["resumed"]);
    let job = place.run(&["schedules", "run", "nightly"]).expect(0).out.trim().to_string();
    assert_eq!(place.job(&job)["metadata"]["schedule"], "nightly");
    let range = ["--from", "2026-01-05T00:00:00Z", "--until", "2026-01-07T00:00:00Z"];
    let backfill = [&["schedules", "backfill", "nightly"], &range[..]].concat();
    place
        .run(&[&backfill[..], &["--preview"]].concat())
        .expect(0)
        .says(&["2026-01-05 05:30", "would be enqueued"]);
    place.run(&backfill).expect(0).says(&["2026-01-06 05:30:00Z  enqueued"]);
    place.run(&backfill).expect(0).says(&["2026-01-06 05:30:00Z  has its job"]);
    place.run(&["schedules", "delete", "nightly"]).expect(0);
    place.run(&["schedules", "show", "nightly"]).expect(3).says(&["there is no schedule `nightly`"]);
}

#[test]
fn what_a_schedule_would_do_is_told_before_it_is_made() {
    let place = Place::new();
    let described = ["--cron", "30 2 * * *", "--zone", "Europe/Berlin"];

    let preview =
        [&["schedules", "preview"], &described[..], &["--after", "2026-03-28T12:00:00Z", "--count", "2"]];
    place.run(&preview.concat()).expect(0).says(&[
        "at 02:30 every day, Europe/Berlin",
        "2026-03-29 01:00:00Z  Sun 2026-03-29 03:00:00 CEST",
        "2026-03-30 00:30:00Z  Mon 2026-03-30 02:30:00 CEST",
    ]);
    let simulate = |more: &[&str]| {
        let times = ["--since", "2026-03-27T00:00:00Z", "--to", "2026-03-31T00:00:00Z"];
        let outage = ["--outage", "2026-03-27T12:00:00Z/2026-03-29T06:00:00Z"];
        place.run(&[&["schedules", "simulate"], &described[..], &times[..], &outage[..], more].concat())
    };
    simulate(&[]).expect(0).says(&[
        "2026-03-28 01:30:00Z  is missed",
        "2026-03-29 01:00:00Z  is caught up at 2026-03-29 06:00:00Z",
    ]);
    simulate(&["--under-misfire", "skip"]).expect(0).says(&["2026-03-29 01:00:00Z  is missed"]);
    simulate(&["--under-misfire", "never"]).expect(2).says(&["skip", "once", "all"]);
    place.run(&["schedules", "preview"]).expect(2).says(&["which schedule?", "--cron"]);
}

#[test]
fn schedules_of_the_configuration_fire_and_are_changed_there() {
    let place = Place::new().file(
        "compline.toml",
        "[schedules.often]\nkind = \"system.noop\"\nevery = \"1s\"\n[schedules.off]\nkind = \"system.noop\"\ncron = \"@daily\"\nenabled = false\n",
    );
    place.run(&["schedules", "list"]).expect(0).says(&["often", "not yet in the store"]);
    place.run(&["doctor"]).says(&["schedules", "not yet in the store", "restart a worker"]);

    let mut worker = place.command(&["work"]).spawn().unwrap();
    let fired = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let shown = place.run(&["schedules", "show", "often", "--json"]).expect(0).json();
        shown["last_fire"].is_string()
    });
    worker.kill().unwrap();
    worker.wait().unwrap();

    assert!(fired, "it never fired");
    place.run(&["schedules", "delete", "often"]).expect(1).says(&["owned by the configuration"]);
    place.run(&["schedules", "list"]).expect(0).says(&["disabled"]);
    place.run(&["doctor"]).expect(0).says(&["2 schedules"]);
    let bad = Place::new()
        .file("compline.toml", "[schedules.bad]\nkind = \"system.noop\"\ncron = \"* * 31 2 *\"\n");
    bad.run(&["work", "--until-idle"]).expect(2).says(&["schedules.bad.cron", "never fire"]);
    let args =
        Place::new().file("compline.toml", "[schedules.bad]\nkind = \"system.sleep\"\ncron = \"@daily\"\n");
    args.run(&["work", "--until-idle"]).expect(2).says(&["bad", "system.sleep", "`ms`"]);
}
