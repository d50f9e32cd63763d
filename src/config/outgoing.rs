//! Settings of what leaves the house: mail, webhooks, and who is told of what.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use engine::alerts::Pace;
use engine::reference::{SecretRef, UrlRef};
use engine::units::{Keep, duration, optional_duration};
use jobkit::Personal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::Severity;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// Empty means that no mail is sent.
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// Empty means that the server asks nobody to sign in.
    pub user: String,
    pub password: Option<SecretRef>,
    pub from: MailAddress,
    /// Empty means Mozilla's list alone.
    pub ca_file: PathBuf,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: MailTls::StartTls,
            user: String::new(),
            password: None,
            from: MailAddress::default(),
            ca_file: PathBuf::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// From the first byte.
    Required,
    StartTls,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    pub allow: Vec<String>,
    /// The first one is the one to tell new receivers.
    pub secrets: Vec<SecretRef>,
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Empty means Mozilla's list alone.
    pub ca_file: PathBuf,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            secrets: Vec::new(),
            timeout: Duration::from_secs(10),
            ca_file: PathBuf::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    #[serde(with = "duration")]
    pub window: Duration,
    #[serde(with = "duration")]
    pub repeat: Duration,
    #[serde(with = "duration")]
    pub stuck_after: Duration,
    pub attempts: u32,
    pub keep: Keep,
    pub routes: BTreeMap<String, Route>,
}

impl Default for Alerts {
    fn default() -> Self {
        let Pace { window, repeat, stuck_after, attempts, .. } = Pace::default();
        Self { window, repeat, stuck_after, attempts, keep: Keep::days(90), routes: BTreeMap::new() }
    }
}

/// Either mail or a webhook; `check` sees to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    pub mail: Vec<MailAddress>,
    pub webhook: Option<UrlRef>,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_duration")]
    pub after: Option<Duration>,
    pub severity: Severity,
    pub rules: Vec<String>,
    pub kinds: Vec<String>,
    pub queues: Vec<String>,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            mail: Vec::new(),
            webhook: None,
            after: None,
            severity: Severity::Warning,
            rules: Vec::new(),
            kinds: Vec::new(),
            queues: Vec::new(),
        }
    }
}

/// Personal data: it is read and used, and never shown, by `config show` either.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MailAddress(Personal<String>);

impl MailAddress {
    pub fn personal(&self) -> Personal<String> {
        self.0.clone()
    }

    pub fn is_empty(&self) -> bool {
        self.0.expose().is_empty()
    }

    /// Something before an @ and after it, in one line; the mail server knows the rest.
    pub fn is_plausible(&self) -> bool {
        let text = self.0.expose();
        let parts = text.rsplit_once('@');
        parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
            && !text.contains(|c: char| c.is_control() || c.is_whitespace())
    }
}

impl From<&str> for MailAddress {
    fn from(text: &str) -> Self {
        Self(Personal::new(text.into()))
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for MailAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.is_empty() {
            true => to.serialize_str(""),
            false => to.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for MailAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self::from(text.as_str()))
    }
}
