//! Limits over HTTP on the virtual clock: headers, codes, and when they end.

use std::time::Duration;

use docusign_emulator::{Polling, Reset, Switches};

use crate::client::start;

const LIST: &str = "/envelopes?from_date=2026-01-01";

#[tokio::test]
async fn the_hourly_limit_ends_on_the_hour() {
    let (emulator, mut caller) = start(|options| {
        options.switches = Switches { hourly_limit: Some(3), limit_status: 429, ..Switches::default() };
    })
    .await;
    for left in ["2", "1", "0"] {
        let answer = caller.get(LIST).await;
        assert_eq!((answer.status, answer.headers["x-ratelimit-remaining"].as_str()), (200, left));
    }
    let refused = caller.get(LIST).await;
    assert_eq!(refused.refused(), (429, "HOURLY_APIINVOCATION_LIMIT_EXCEEDED".into()));
    assert_eq!(refused.headers["x-ratelimit-limit"], "3");
    let reset: i64 = refused.headers["x-ratelimit-reset"].parse().unwrap();
    assert_eq!(reset - emulator.now().as_second(), 3600);

    emulator.advance(Duration::from_secs(3599)).unwrap();
    assert_eq!(caller.get(LIST).await.status, 429);
    emulator.set_switches(Switches { limit_reset: Reset::Seconds, limit_status: 400, ..emulator.switches() });
    let refused = caller.get(LIST).await;
    assert_eq!((refused.status, refused.headers["x-ratelimit-reset"].as_str()), (400, "1"));
    emulator.advance(Duration::from_secs(1)).unwrap();
    caller.sign_in(&emulator).await;
    caller.get(LIST).await.expect(200);
}

#[tokio::test]
async fn a_burst_ends_after_thirty_seconds() {
    let (emulator, caller) =
        start(|options| options.switches = Switches { burst_limit: Some(2), ..Switches::default() }).await;
    assert_eq!(caller.get(LIST).await.headers["x-burstlimit-remaining"], "1");
    assert_eq!(caller.get(LIST).await.headers["x-burstlimit-remaining"], "0");
    assert_eq!(caller.get(LIST).await.refused(), (400, "BURST_APIINVOCATION_LIMIT_EXCEEDED".into()));
    emulator.advance(Duration::from_secs(30)).unwrap();
    caller.get(LIST).await.expect(200);
}

#[tokio::test]
async fn looking_too_often_is_refused_and_told_as_a_violation() {
    let (emulator, caller) =
        start(|options| options.switches = Switches { polling: Polling::PerUrl, ..Switches::default() })
            .await;
    let id = caller.sent("t-1").await;
    let path = format!("/envelopes/{id}");
    caller.get(&path).await.expect(200);
    caller.get(&format!("{path}/documents")).await.expect(200);
    assert_eq!(caller.get(&path).await.refused(), (400, "Burst_Envelope_Polling_Limit_Exceeded".into()));
    emulator.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(caller.get(&path).await.refused(), (400, "Hourly_Envelope_Polling_Limit_Exceeded".into()));
    emulator.advance(Duration::from_secs(900)).unwrap();
    caller.get(&path).await.expect(200);
    let told = emulator.violations();
    let told: Vec<_> = told.iter().filter_map(|told| Some(told.split_once(": ")?.1)).collect();
    assert_eq!(told, ["Burst_Envelope_Polling_Limit_Exceeded", "Hourly_Envelope_Polling_Limit_Exceeded"]);
}
