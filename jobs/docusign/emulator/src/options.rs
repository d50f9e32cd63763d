//! How an emulator is started.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::faults::Rule;
use crate::switches::Switches;

/// Whatever is not said is what [`Options::default`] has.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub integration_key: String,
    pub account_id: String,
    /// The user who has agreed.
    pub user_id: String,
    /// Users who have not.
    pub no_consent_users: Vec<String>,
    /// The `aud` that assertions must have.
    pub oauth_host: String,
    /// In PEM; without one any signature is believed.
    pub public_key: Option<String>,
    /// Deliveries carry one signature for each.
    pub hmac_keys: Vec<String>,
    /// Every answer takes that much longer.
    pub latency: Duration,
    pub faults: Vec<Rule>,
    pub fault_seed: u64,
    /// The clock stands until it is moved, here or at this time.
    pub clock: ClockMode,
    pub switches: Switches,
    /// Deliveries go to this scheme, host and port, whatever the webhook's say.
    pub connect_to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClockMode {
    Real,
    Standing,
    StandingAt(Timestamp),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            integration_key: INTEGRATION_KEY.into(),
            account_id: ACCOUNT_ID.into(),
            user_id: USER_ID.into(),
            no_consent_users: Vec::new(),
            oauth_host: "account-d.docusign.com".into(),
            public_key: None,
            hmac_keys: Vec::new(),
            latency: Duration::ZERO,
            faults: Vec::new(),
            fault_seed: 0,
            clock: ClockMode::Real,
            switches: Switches::default(),
            connect_to: None,
        }
    }
}

pub const INTEGRATION_KEY: &str = "0a1b2c3d-0000-4000-8000-000000000001";
pub const USER_ID: &str = "0a1b2c3d-0000-4000-8000-000000000002";
pub const ACCOUNT_ID: &str = "0a1b2c3d-0000-4000-8000-000000000003";
