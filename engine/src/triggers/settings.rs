//! What brings jobs from outside: the settings of the triggers. What is wrong with them is said by the program's
//! check of its configuration, which knows the kinds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::webhook::signature::Encoding;
use crate::reference::SecretRef;
use crate::units::duration;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Triggers {
    pub stream: Stream,
    pub webhooks: BTreeMap<String, Webhook>,
    pub folders: BTreeMap<String, Folder>,
    pub chains: BTreeMap<String, Chain>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    pub enabled: bool,
    #[serde(with = "duration")]
    pub claim_after: Duration,
}

impl Default for Stream {
    fn default() -> Self {
        Self { enabled: false, claim_after: Duration::from_secs(60) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemeName {
    Github,
    StandardWebhooks,
    Plain,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    pub scheme: SchemeName,
    pub secrets: Vec<SecretRef>,
    pub header: String,
    pub prefix: String,
    pub encoding: Encoding,
    /// Empty means that the time is not signed.
    pub timestamp_header: String,
    #[serde(with = "duration")]
    pub tolerance: Duration,
    pub kind: String,
    pub args: String,
    /// Empty means the scheme's own.
    pub unique_key: String,
    /// Empty means the kind's own.
    pub queue: String,
    /// Empty means none.
    pub tenant: String,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            scheme: SchemeName::StandardWebhooks,
            secrets: Vec::new(),
            header: "x-signature".into(),
            prefix: String::new(),
            encoding: Encoding::Hex,
            timestamp_header: String::new(),
            tolerance: Duration::from_secs(300),
            kind: String::new(),
            args: "{}".into(),
            unique_key: String::new(),
            queue: String::new(),
            tenant: String::new(),
        }
    }
}

impl Webhook {
    /// What names a delivery; empty where the scheme has no id of its own and nobody said.
    pub fn key(&self) -> &str {
        match (self.unique_key.as_str(), self.scheme) {
            ("", SchemeName::Github) => "{/headers/x-github-delivery}",
            ("", SchemeName::StandardWebhooks) => "{/headers/webhook-id}",
            (key, _) => key,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folder {
    pub path: PathBuf,
    /// Empty means every file.
    pub suffix: String,
    /// Empty means that a file is whole when it has stopped changing.
    pub marker: String,
    #[serde(with = "duration")]
    pub every: Duration,
    #[serde(with = "duration")]
    pub stable_for: Duration,
    pub kind: String,
    pub args: String,
    pub queue: String,
    pub tenant: String,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            suffix: String::new(),
            marker: String::new(),
            every: Duration::from_secs(10),
            stable_for: Duration::from_secs(30),
            kind: String::new(),
            args: r#"{"path": "{/path}"}"#.into(),
            queue: String::new(),
            tenant: String::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainOn {
    Success,
    Failure,
    End,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    pub after: String,
    pub on: ChainOn,
    pub kind: String,
    pub args: String,
    pub queue: String,
    /// Empty means the tenant of the job that ended.
    pub tenant: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            after: String::new(),
            on: ChainOn::Success,
            kind: String::new(),
            args: "{}".into(),
            queue: String::new(),
            tenant: String::new(),
        }
    }
}

impl Triggers {
    /// For the list of known keys.
    pub fn with_every_key() -> Self {
        let any = || "*".to_string();
        Self {
            webhooks: [(any(), Webhook::default())].into(),
            folders: [(any(), Folder::default())].into(),
            chains: [(any(), Chain::default())].into(),
            ..Self::default()
        }
    }
}
