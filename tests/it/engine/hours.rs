//! The calls that a provider allows in an hour, on a clock that the test moves: nearly all of them are used while there is work, and none is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compline::app::outgoing;
use compline::config::Settings;
use compline::demo::emulated;
use docusign::AccountConfig;
use docusign_emulator::{ClockMode, Emulator, Options, Polling, Switches};
use engine::worker::WorkerOptions;
use engine::worker::fetcher::FetchOptions;
use jiff::{SignedDuration, Timestamp};
use jobkit::{Clock, NewJob, RecordFilter, Registry};
use serde_json::json;
use store::rule::Rate;
use store::state::JobState;
use store::{JobFilter, RecordPage, Scope};

use super::Engine;
use crate::support::store::{TestStore, ada, promises};

promises![an_hours_calls_are_used_and_none_is_refused];

const HOURS: u32 = 2;
/// Calls that may be free while jobs come back to them.
const FEW: u32 = 4;
/// Steps wait no longer than so many looks, so that calls which are never used are seen in the hour's figure.
const PATIENCE: usize = 5_000;

/// DocuSign's own 3,000 with `COMPLINE_TEST_CALLS_AN_HOUR=3000`, for `docs/measurements.md`; fewer show the same sooner.
fn calls_an_hour() -> u32 {
    std::env::var("COMPLINE_TEST_CALLS_AN_HOUR").map_or(900, |given| given.parse().unwrap())
}

/// As the family's defaults are to DocuSign's 3,000.
fn account(of: u32, emulator: &Emulator, folder: &Path) -> AccountConfig {
    let key = folder.join("private.pem");
    std::fs::write(&key, emulated::private_key()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let account = emulated::account(emulator, key);
    AccountConfig {
        max_calls_per_hour: account.max_calls_per_hour * of / 3_000,
        max_burst_30s: account.max_burst_30s * of / 3_000,
        ..account
    }
}

fn envelope(number: u32) -> NewJob {
    let args = json!({
        "key": format!("report-{number}"),
        "subject": "Report",
        "documents": [{ "name": "report.pdf", "base64": "JVBERi0xLjcKL3NpZ24vCiUlRU9GCg==" }],
        "signers": [{ "name": "Ada", "email": "ada@example.org", "tabs": [{ "anchor": "/sign/" }] }],
    });
    NewJob::new("docusign.send_envelope", args)
}

/// Lets an hour pass for both sides, step by step: none before the work has used nearly all the calls that it may, unless they are held back.
async fn pass_an_hour(engine: &Engine, emulator: &Emulator, rate: Rate) {
    let clock = &engine.t.clock;
    // Half as long as from one call to the next.
    let step = Duration::from_secs(3_600) / rate.pace.count / 2;
    let until = clock.steady() + Duration::from_secs(3_600);
    while clock.steady() < until {
        emulator.advance(step).unwrap();
        clock.advance(step);
        for _ in 0..PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if !are_left(engine, rate).await {
                break;
            }
        }
    }
}

async fn are_left(engine: &Engine, rate: Rate) -> bool {
    let now = engine.t.clock.now();
    let buckets = engine.t.store.buckets().await.unwrap();
    let Some(bucket) = buckets.into_iter().find(|bucket| bucket.bucket.contains("docusign.")) else {
        return true;
    };
    let is_held_back = bucket.paused_until.is_some_and(|until| until > now);
    let free = bucket.next_start.map_or(i64::MAX, |next| {
        let ahead = next.duration_since(now).as_nanos();
        i64::try_from((i128::from(rate.lead()) - ahead) / i128::from(rate.pace.interval())).unwrap()
    });
    !is_held_back && free > i64::from(rate.burst.min(FEW))
}

fn options() -> WorkerOptions {
    let plain = Engine::options();
    // Time passes faster here than leases are renewed.
    let lease = Duration::from_secs(3_600);
    WorkerOptions { lease, fetch: FetchOptions { concurrency: 64, ..plain.fetch }, ..plain }
}

async fn an_hours_calls_are_used_and_none_is_refused(t: TestStore) {
    let (hourly, folder, begin) = (calls_an_hour(), tempfile::tempdir().unwrap(), t.clock.now());
    let switches = Switches {
        hourly_limit: Some(hourly),
        burst_limit: Some(500),
        polling: Polling::PerUrl,
        ..Switches::default()
    };
    let clock = ClockMode::StandingAt(begin);
    let emulator = Emulator::start(Options { clock, switches, ..Options::default() }).await.unwrap();
    let mut settings = Settings::default();
    settings.docusign.accounts.insert("default".into(), account(hourly, &emulator, folder.path()));
    let clock: Arc<dyn Clock> = t.clock.clone();
    let accounts = outgoing::docusign_accounts(&settings, &clock).unwrap();
    let mut registry = Registry::default();
    docusign::register(&mut registry, &settings.docusign, accounts);
    let engine = Engine::calling(t, registry, settings.call_rates());
    // Three calls each, and more of them than the hours allow.
    let jobs: Vec<_> = (0..hourly * HOURS).map(envelope).collect();
    for some in jobs.chunks(500) {
        engine.app.queue.enqueue(&Scope::Installation, some.to_vec(), &ada()).await.unwrap();
    }

    let worker = engine.start_with(options());
    let rate = settings.call_rates()["docusign.default"];
    for _ in 0..HOURS {
        pass_an_hour(&engine, &emulator, rate).await;
    }

    let calls = emulator.recorded();
    let called = |path: fn(&str) -> bool| -> Vec<Timestamp> {
        calls.iter().filter(|call| path(&call.path)).map(|call| call.at).collect()
    };
    for hour in 0..HOURS {
        let from = begin + SignedDuration::from_hours(hour.into());
        let within = |at: &&Timestamp| (from..from + SignedDuration::from_hours(1)).contains(*at);
        let used = called(|path| path.starts_with("/restapi")).iter().filter(within).count();
        eprintln!("hour {hour}: {used} of {hourly} calls");
        assert!(used * 100 >= hourly as usize * 95, "{used} of {hourly} in hour {hour}");
    }
    assert_eq!(emulator.violations(), Vec::<String>::new());
    // One sign-in for all 64, and another when less than ten minutes of its hour are left; both sides' clocks go by steps.
    let tokens = called(|path| path == "/oauth/token");
    for (first, second) in tokens.iter().zip(&tokens[1..]) {
        assert!(second.duration_since(*first) >= SignedDuration::from_mins(49), "{tokens:?}");
    }
    // What is begun is ended: an hour's calls do not go into drafts that wait.
    let begun = docusign::envelope::COLLECTION;
    let filter = RecordFilter { collection: begun.into(), limit: 10_000, ..RecordFilter::default() };
    let records = engine.t.store.records(&Scope::Installation, &RecordPage::of(&filter)).await.unwrap();
    let waiting = records.iter().filter(|record| record.state != "sent").count();
    assert!(waiting <= 64, "{waiting} of {} were begun and not sent", records.len());
    // Whoever waited for a call used no attempt up.
    let done = JobFilter { states: vec![JobState::Completed], limit: Some(1_000), ..JobFilter::default() };
    let done = engine.t.store.jobs(&Scope::Installation, &done).await.unwrap();
    assert!(!done.is_empty() && done.iter().all(|job| job.attempt == 1), "{done:?}");
    engine.hard.cancel();
    engine.end(worker).await;
}
