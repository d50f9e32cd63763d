//! Settings of who signs in.

use std::time::Duration;

use engine::identity::platform::settings::Platform;
use engine::reference::SecretRef;
use engine::units::duration;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Without one nobody signs in.
    pub key: Option<SecretRef>,
    #[serde(with = "duration")]
    pub access_life: Duration,
    #[serde(with = "duration")]
    pub session_idle: Duration,
    #[serde(with = "duration")]
    pub session_life: Duration,
    pub platform: Platform,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            key: None,
            access_life: Duration::from_secs(15 * 60),
            session_idle: Duration::from_secs(24 * 3_600),
            session_life: Duration::from_secs(7 * 24 * 3_600),
            platform: Platform::default(),
        }
    }
}
