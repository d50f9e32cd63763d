//! When messages go out: by themselves in their order, or when somebody asks, as that says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::sender::{self, Parcel};
use super::{State as Stage, next_try, signatures};
use crate::clock::written;
use crate::faults::mix;
use crate::house::House;
use crate::state::State;
use crate::switches::{Delivery, HeaderCase, Retry};

/// In which order what waits is delivered, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Normal,
    /// Each twice.
    Duplicate,
    /// The last first.
    Reverse,
    /// In an order that the number of messages decides.
    Shuffle,
    /// Not at all: they are lost.
    Drop,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "normal" => Ok(Mode::Normal),
            "duplicate" => Ok(Mode::Duplicate),
            "reverse" => Ok(Mode::Reverse),
            "shuffle" => Ok(Mode::Shuffle),
            "drop" => Ok(Mode::Drop),
            _ => Err(format!(
                "there is no mode `{text}`; modes are normal, duplicate, reverse, shuffle and drop"
            )),
        }
    }
}

/// How deliveries ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Delivered {
    pub acknowledged: usize,
    pub failed: usize,
    pub dropped: usize,
}

/// How often a real clock is looked at for retries, and a virtual one that was moved meanwhile.
const TICK: Duration = Duration::from_millis(200);

/// Delivers by itself, for as long as the house stands.
pub async fn run(house: Arc<House>) {
    loop {
        while let Some(at) = house.with(|state, now| due(state, now)) {
            deliver_one(&house, at, true).await;
        }
        tokio::select! {
            () = house.news.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// The first message that is to go out now. Under `daily` one that failed keeps back all that go to the same place.
fn due(state: &mut State, now: Timestamp) -> Option<usize> {
    if state.switches.connect == Delivery::Hold {
        return None;
    }
    let mut held = BTreeSet::new();
    let daily = state.switches.connect_retry == Retry::Daily;
    for (at, message) in state.messages.iter_mut().enumerate().skip(state.open_from) {
        if message.state != Stage::Waiting || held.contains(&message.configuration) {
            continue;
        }
        if message.next <= now {
            message.state = Stage::Sending;
            return Some(at);
        }
        if daily {
            held.insert(message.configuration);
        }
    }
    None
}

/// Sends everything that waits, in this way, and returns when all were answered.
pub async fn deliver(house: &Arc<House>, mode: Mode) -> Delivered {
    let mut waiting: Vec<usize> = house.with(|state, _| {
        let open = state.messages.iter_mut().enumerate().skip(state.open_from);
        let mut open: Vec<usize> =
            open.filter(|(_, message)| message.state == Stage::Waiting).map(|(at, _)| at).collect();
        for at in &open {
            state.messages[*at].state = if mode == Mode::Drop { Stage::Dropped } else { Stage::Sending };
        }
        open.sort_unstable();
        open
    });
    let mut result = Delivered::default();
    match mode {
        Mode::Drop => {
            result.dropped = waiting.len();
            return result;
        }
        Mode::Reverse => waiting.reverse(),
        Mode::Shuffle => waiting.sort_by_key(|at| mix(*at as u64)),
        Mode::Normal | Mode::Duplicate => {}
    }
    let times = if mode == Mode::Duplicate { 2 } else { 1 };
    for at in waiting {
        for time in 0..times {
            match deliver_one(house, at, time + 1 == times).await {
                true => result.acknowledged += 1,
                false => result.failed += 1,
            }
        }
    }
    result
}

/// Sends one, and writes down what came of it. A message that is sent twice is settled by the last time.
async fn deliver_one(house: &Arc<House>, at: usize, settles: bool) -> bool {
    let parcel = house.with(|state, now| {
        state.messages[at].state = Stage::Sending;
        parcel(state, at, now)
    });
    let answer = sender::send(&parcel).await;
    let acknowledged = matches!(answer, Ok(200..=299));
    house.with(|state, now| {
        let how = state.switches.connect_retry;
        let message = &mut state.messages[at];
        message.tries += 1;
        message.last_error = match answer {
            Ok(200..=299) => None,
            Ok(status) => Some(format!("the receiver answered {status}")),
            Err(error) => Some(error),
        };
        if acknowledged {
            message.state = Stage::Delivered;
        } else if let Some(next) =
            next_try(how, message.acknowledged_wanted, message.tries, message.made, now)
        {
            (message.state, message.next) = (Stage::Waiting, next);
        } else {
            message.state = Stage::Failed;
        }
        if !settles && message.state != Stage::Failed {
            message.state = Stage::Sending;
        }
        let open = |stage| matches!(stage, Stage::Waiting | Stage::Sending);
        while state.messages.get(state.open_from).is_some_and(|message| !open(message.state)) {
            state.open_from += 1;
        }
    });
    house.settled.notify_waiters();
    acknowledged
}

fn parcel(state: &State, at: usize, now: Timestamp) -> Parcel {
    let (message, switches) = (&state.messages[at], &state.switches);
    let mut said = message.body.clone();
    said.insert("retryCount".into(), json!(message.tries));
    if message.tries > 0 && !switches.connect_retry_keeps_time {
        said.insert("generatedDateTime".into(), json!(written(now)));
    }
    let body = serde_json::to_vec(&said).unwrap_or_default();
    let mut headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    if message.signed {
        let keys: Vec<String> = state.hmac_keys.iter().map(|key| key.secret.clone()).collect();
        headers.extend(signatures(&keys, &body));
    }
    if switches.header_case == HeaderCase::Lower {
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    }
    let url = match &state.connect_to {
        Some(origin) => moved(&message.url, origin),
        None => message.url.clone(),
    };
    Parcel { url, headers, body, timeout: Duration::from_millis(switches.connect_timeout_ms) }
}

/// The same path at another host.
fn moved(url: &str, origin: &str) -> String {
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
    format!("{}{path}", origin.trim_end_matches('/'))
}
