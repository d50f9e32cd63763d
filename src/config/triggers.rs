//! What brings jobs from outside: settings of the triggers, and what is right about them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reference::SecretRef;
use super::units::duration;
use crate::triggers::template::{Template, Text};
use crate::triggers::webhook::signature::Encoding;

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
    pub(super) fn with_every_key() -> Self {
        let any = || "*".to_string();
        Self {
            webhooks: [(any(), Webhook::default())].into(),
            folders: [(any(), Folder::default())].into(),
            chains: [(any(), Chain::default())].into(),
            ..Self::default()
        }
    }

    /// Keys below `triggers` with what is wrong and what to write instead, in a program that has these kinds.
    pub(super) fn problems(&self, redis: bool, kinds: &[&str]) -> Vec<(Vec<String>, String)> {
        let mut found = Problems { found: Vec::new(), kinds };
        if self.stream.enabled && !redis {
            found.add(&["stream", "enabled"], "needs a Redis; set redis.url");
        }
        if self.stream.claim_after < Duration::from_secs(1) {
            found.add(&["stream", "claim_after"], "must be at least \"1s\"; the default is \"1m\"");
        }
        for (name, hook) in &self.webhooks {
            found.webhook(name, hook);
        }
        for (name, folder) in &self.folders {
            found.folder(name, folder);
        }
        for (name, chain) in &self.chains {
            found.chain(name, chain);
        }
        for name in self.endless() {
            found.add(&["chains", name, "kind"], "leads back to its own `after`, so it would never end");
        }
        found.found
    }

    /// Chains whose jobs end in jobs of the kind that they begin with.
    fn endless(&self) -> Vec<&str> {
        let endless = |chain: &Chain| {
            let mut reached = BTreeSet::from([chain.kind.as_str()]);
            loop {
                let before = reached.len();
                let next = self.chains.values().filter(|next| reached.contains(next.after.as_str()));
                reached.extend(next.map(|next| next.kind.as_str()).collect::<Vec<_>>());
                if reached.contains(chain.after.as_str()) || reached.len() == before {
                    return reached.contains(chain.after.as_str());
                }
            }
        };
        let chains = self.chains.iter().filter(|(_, chain)| !chain.kind.is_empty() && endless(chain));
        chains.map(|(name, _)| name.as_str()).collect()
    }
}

struct Problems<'k> {
    found: Vec<(Vec<String>, String)>,
    kinds: &'k [&'k str],
}

impl Problems<'_> {
    fn add(&mut self, path: &[&str], text: impl Into<String>) {
        let path = std::iter::once("triggers").chain(path.iter().copied());
        self.found.push((path.map(str::to_owned).collect(), text.into()));
    }

    fn webhook(&mut self, name: &str, hook: &Webhook) {
        let at = |key| ["webhooks", name, key];
        self.name(&["webhooks", name], name);
        if hook.secrets.is_empty() {
            self.add(&at("secrets"), "must have a secret, or nobody could be believed; write [\"env:NAME\"]");
        }
        if hook.scheme == SchemeName::Plain && hook.header.is_empty() {
            self.add(&at("header"), "must name the header of the signature; the default is \"x-signature\"");
        }
        if hook.key().is_empty() {
            let text = "must say what names a delivery, such as \"{/body/id}\"; the scheme \"plain\" has no id of its own";
            self.add(&at("unique_key"), text);
        }
        if let Err(problem) = Text::parse(hook.key()) {
            self.add(&at("unique_key"), problem.to_string());
        }
        if hook.tolerance.is_zero() {
            self.add(&at("tolerance"), "must be longer than nothing; the default is \"5m\"");
        }
        self.target(&["webhooks", name], &hook.kind, &hook.args, &hook.queue);
    }

    fn folder(&mut self, name: &str, folder: &Folder) {
        let at = |key| ["folders", name, key];
        self.name(&["folders", name], name);
        if !folder.path.is_absolute() {
            self.add(&at("path"), "must be an absolute path: a process is started anywhere");
        }
        if folder.every < Duration::from_millis(100) {
            self.add(&at("every"), "must be at least \"100ms\"; the default is \"10s\"");
        }
        if !folder.marker.is_empty() && folder.marker == folder.suffix {
            self.add(&at("marker"), "is the suffix too, so no file could be told from its marker");
        }
        self.target(&["folders", name], &folder.kind, &folder.args, &folder.queue);
    }

    fn chain(&mut self, name: &str, chain: &Chain) {
        self.name(&["chains", name], name);
        self.kind(&["chains", name, "after"], &chain.after);
        self.target(&["chains", name], &chain.kind, &chain.args, &chain.queue);
    }

    fn kind(&mut self, path: &[&str], kind: &str) {
        let known = format!("known kinds: {}", self.kinds.join(", "));
        if kind.is_empty() {
            self.add(path, format!("must name a kind; {known}"));
        } else if !self.kinds.contains(&kind) {
            let meant = super::keys::nearest_name(kind, self.kinds);
            let remedy = meant.map_or(known, |meant| format!("did you mean `{meant}`?"));
            self.add(path, format!("unknown kind `{kind}`; {remedy}"));
        }
    }

    /// It stands in a URL and in the audit log.
    fn name(&mut self, path: &[&str], name: &str) {
        if let Some(problem) = crate::queue::problem_of_name(name) {
            self.add(path, problem);
        }
    }

    fn target(&mut self, path: &[&str], kind: &str, args: &str, queue: &str) {
        let at = |key| [path, &[key]].concat();
        self.kind(&at("kind"), kind);
        if let Err(problem) = Template::parse(args) {
            self.add(&at("args"), problem.to_string());
        }
        if let Some(problem) =
            Some(queue).filter(|queue| !queue.is_empty()).and_then(crate::queue::problem_of_name)
        {
            self.add(&at("queue"), problem);
        }
    }
}
