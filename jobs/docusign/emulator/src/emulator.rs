//! The emulator as a value: start it, ask it, act for its recipients, stop it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Unmoved};
use crate::connect::State as Stage;
use crate::connect::post::{self, Delivered, Mode};
use crate::faults::{Faults, Rule};
use crate::house::House;
use crate::http;
use crate::life::{self, Act};
use crate::oauth::{self, PublicKey};
use crate::options::{ClockMode, Options};
use crate::record::Recorded;
use crate::refusal::Refusal;
use crate::state::State;
use crate::switches::Switches;
use crate::{evidence, rules};

/// A server that runs until it is stopped or dropped.
pub struct Emulator {
    house: Arc<House>,
    address: SocketAddr,
    tasks: TaskTracker,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.house.stop.cancel();
    }
}

impl Emulator {
    /// Binds and serves. What cannot be understood of the options is an error of the kind `InvalidInput`.
    pub async fn start(options: Options) -> io::Result<Self> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let key = options.public_key.as_deref().map(PublicKey::from_pem).transpose().map_err(invalid)?;
        let faults = Faults::new(options.fault_seed, options.faults.clone()).map_err(invalid)?;
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let house = oauth::House {
            integration_key: options.integration_key,
            oauth_host: options.oauth_host,
            key,
            users: options.no_consent_users.iter().cloned().chain([options.user_id]).collect(),
            without_consent: options.no_consent_users.into_iter().collect(),
        };
        let mut state = State::new(options.account_id, house, options.switches, faults);
        state.url = format!("http://{address}");
        state.connect_to = options.connect_to;
        state.hmac_keys = http::hmac_keys(&options.hmac_keys);
        let clock = match options.clock {
            ClockMode::Real => Clock::real(),
            ClockMode::Standing => Clock::standing(),
            ClockMode::StandingAt(at) => Clock::standing_at(at),
        };
        let house = Arc::new(House::new(state, clock, options.latency, address.ip().is_loopback()));
        let tasks = TaskTracker::new();
        tasks.spawn(http::serve(house.clone(), listener));
        let (posting, stop) = (post::run(house.clone()), house.stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled_owned(posting).await });
        tasks.close();
        Ok(Self { house, address, tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:40123`: the OAuth server and, below `/restapi`, the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What others are told that its address is, where something stands before it.
    pub fn seen_at(&self, url: &str) {
        self.house.with(|state, _| url.trim_end_matches('/').clone_into(&mut state.url));
    }

    /// Ends all connections where they stand.
    pub async fn stop(self) {
        self.house.stop.cancel();
        self.tasks.wait().await;
    }

    pub fn now(&self) -> Timestamp {
        self.house.with(|_, now| now)
    }

    /// Moves a virtual clock on; what comes due meanwhile has happened when this returns.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, Unmoved> {
        let now = self.house.clock.advance(by)?;
        self.house.with(|_, _| ());
        self.house.news.notify_one();
        Ok(now)
    }

    /// Everything, as `GET /_emulator/state` shows it.
    pub fn state(&self) -> Value {
        self.house.with(|state, now| state.dump(now))
    }

    /// Every call so far, and what was answered.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.house.with(|state, _| state.recorded.clone())
    }

    /// Which of DocuSign's rules for clients the calls so far broke.
    pub fn violations(&self) -> Vec<String> {
        rules::violations(&self.recorded())
    }

    /// The envelopes with this value of a custom field, the oldest first, as the API shows them.
    pub fn envelopes_with(&self, name: &str, value: &str) -> Vec<Value> {
        let found = self.house.with(|state, _| state.by_field(name, Some(value)));
        found["envelopes"].as_array().cloned().unwrap_or_default()
    }

    /// For each value of a custom field the ids of the envelopes that were `sent` and of those that are `unsent`.
    pub fn by_field(&self, name: &str) -> Value {
        self.house.with(|state, _| state.by_field(name, None))["values"].clone()
    }

    /// A recipient does something, and the envelope is then so.
    pub fn act(&self, envelope: &str, recipient: &str, act: &Act) -> Result<String, Refusal> {
        self.house.with(|state, now| {
            state.change(envelope, now, |envelope| life::act(envelope, recipient, act, now))?;
            Ok(state.envelope(envelope)?.status.name().to_owned())
        })
    }

    /// The bytes that a download of this document gives, or of `combined`, `archive` and `certificate`.
    pub fn document(&self, envelope: &str, document: &str) -> Option<Vec<u8>> {
        self.house.with(|state, _| {
            let envelope = state.envelope(envelope).ok()?;
            match document {
                "combined" => Some(evidence::combined(envelope, false)),
                "archive" => evidence::archive(envelope, true).ok(),
                "certificate" => Some(evidence::certificate(envelope)),
                id => envelope.document(id).map(|document| evidence::document(envelope, document)),
            }
        })
    }

    /// Delivers what waits, in this way.
    pub async fn deliver(&self, mode: Mode) -> Delivered {
        post::deliver(&self.house, mode).await
    }

    /// Waits until nothing is on its way and nothing is due.
    pub async fn delivered(&self) {
        loop {
            let settled = self.house.settled.notified();
            let busy = self.house.with(|state, now| {
                let open = &state.messages[state.open_from..];
                open.iter().any(|message| {
                    message.state == Stage::Sending
                        || (message.state == Stage::Waiting && message.next <= now)
                })
            });
            if !busy {
                return;
            }
            // Somebody may have been faster than we listened.
            let _ = tokio::time::timeout(Duration::from_millis(100), settled).await;
        }
    }

    /// Signs deliveries with these from now on.
    pub fn set_hmac_keys(&self, secrets: &[String]) {
        self.house.with(|state, _| state.hmac_keys = http::hmac_keys(secrets));
    }

    pub fn switches(&self) -> Switches {
        self.house.with(|state, _| state.switches.clone())
    }

    pub fn set_switches(&self, switches: Switches) {
        self.house.with(|state, _| state.switches = switches);
        self.house.news.notify_one();
    }

    /// Faults from now on; refused when the chances of one call come to more than one.
    pub fn set_faults(&self, seed: u64, rules: Vec<Rule>) -> Result<(), String> {
        let faults = Faults::new(seed, rules)?;
        self.house.with(|state, _| state.faults = faults);
        Ok(())
    }

    /// All tokens that are out are worth nothing any more; says how many that were.
    pub fn revoke_tokens(&self) -> usize {
        self.house.with(|state, _| state.revoke_tokens())
    }

    /// A user withdraws or gives consent.
    pub fn set_consent(&self, user: &str, given: bool) {
        self.house.with(|state, _| {
            let without = &mut state.house.without_consent;
            if given { without.remove(user) } else { without.insert(user.to_owned()) }
        });
    }
}
