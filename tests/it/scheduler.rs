//! Fire times against others: `cronsim` and `zoneinfo` of Python, on random lines and zones, and on every change
//! of the clock of seven years. What each of them means is in docs/decisions/0020-daylight-saving.md.

use std::process::{Command, Stdio};

use engine::scheduler::cron::CronLine;
use engine::scheduler::timing::{Days, Rule, Timing};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// How many random schedules; `scripts/campaigns/schedules` asks for more.
const COUNT: &str = "COMPLINE_TEST_SCHEDULES";
const DEFAULT_COUNT: &str = "2000";
const SEED: &str = "COMPLINE_TEST_SEED";

#[derive(Debug, Deserialize)]
struct Case {
    line: String,
    zone: String,
    after: i64,
    /// With it, all fire times up to here; without, the first few.
    until: Option<i64>,
    times: Vec<i64>,
}

fn cases(args: &[&str]) -> Vec<Case> {
    let python = std::env::var("COMPLINE_TEST_PYTHON")
        .expect("COMPLINE_TEST_PYTHON: a Python with tests/python/requirements.txt; scripts/test makes one");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/schedules.py");
    let mut python_run = Command::new(python);
    // The zones of the package, which is pinned to the release that our own are of; the machine may have any.
    python_run.arg(script).args(args).env("PYTHONTZPATH", "").stdin(Stdio::null());
    let ran = python_run.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// None when the door refuses the line because it never fires.
fn ours(case: &Case) -> Option<Vec<i64>> {
    let rule = Rule::Cron(CronLine::parse(&case.line).ok()?);
    let zone = TimeZone::get(&case.zone).unwrap();
    let timing = Timing { rule, zone, days: Days::Every, from: None, until: None };
    let after = Timestamp::from_second(case.after).unwrap();
    let times = timing.after(after).map(Timestamp::as_second);
    Some(match case.until {
        Some(until) => times.take_while(|at| *at <= until).collect(),
        None => times.take(case.times.len().max(1)).collect(),
    })
}

#[track_caller]
fn all_agree(cases: &[Case]) {
    let differs = |case: &&Case| ours(case).unwrap_or_default() != case.times;
    let wrong: Vec<_> = cases.iter().filter(differs).collect();
    let told: Vec<_> =
        wrong.iter().take(5).map(|case| format!("{case:?}\n  ours: {:?}", ours(case))).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), told.join("\n"));
}

#[test]
fn random_schedules_fire_when_others_say() {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let (seed, count) = (variable(SEED, "20261"), variable(COUNT, DEFAULT_COUNT));

    let cases = cases(&["random", &seed, &count]);

    assert_eq!(cases.len().to_string(), count);
    all_agree(&cases);
}

#[test]
fn every_change_of_the_clock_is_exact() {
    let cases = cases(&["changes"]);

    // Ten zones, seven years, nine lines; two changes a year in each.
    assert!(cases.len() >= 10 * 7 * 9 * 2, "{}", cases.len());
    all_agree(&cases);
}
