//! What the configuration says of DocuSign: accounts, each with its sign-in, its limits and its webhook.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::calls::at_once;

use crate::connect::DOOR_PATH;

/// The variables `DOCUSIGN_…` speak of this account.
pub const DEFAULT_ACCOUNT: &str = "default";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders in which documents may lie that jobs name by path. Whoever may enqueue a job names the file that the worker opens, so there are none
    /// until an operator has thought of it.
    pub roots: Vec<PathBuf>,
    /// Tells the envelopes of this installation from those of others that use the same account. Empty: a name that was drawn with the database.
    pub installation: String,
    /// By names of our own; jobs may name one.
    pub accounts: BTreeMap<String, AccountConfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountConfig {
    pub integration_key: String,
    pub account_id: String,
    /// Whom the worker acts as.
    pub user_id: String,
    /// Of the API: `https://demo.docusign.net`, `https://eu.docusign.net`.
    pub base_url: String,
    /// The PEM file of the RSA key, which nobody but its owner may read.
    pub private_key_path: PathBuf,
    /// Where one signs in; empty: by the base URL.
    pub oauth_host: String,
    /// For tests: where that host is really found.
    pub oauth_url: String,
    /// The account's own base URL is asked for, since DocuSign moves accounts.
    pub discover_base_uri: bool,
    /// One HMAC key in each line, the newest first; a delivery is believed by any.
    pub connect_hmac_keys_path: PathBuf,
    /// Where DocuSign delivers what becomes of envelopes; without it, only the sweep tells.
    pub webhook_url: String,
    pub send_mode: SendMode,
    pub max_calls_per_hour: u32,
    /// So many at once after a rest; DocuSign counts half minutes.
    pub max_burst_30s: u32,
    /// How often one envelope is asked for at most; DocuSign bans who asks more often than every quarter of an hour.
    #[serde(with = "duration")]
    pub poll_min_interval: Duration,
    /// So far back an envelope is looked for whose key no record knows, before it is made: the database may have been restored to before it was sent.
    /// Of none, with `0s`; each look is a call.
    #[serde(with = "duration")]
    pub look_back: Duration,
    /// The tenants whose jobs may use it; empty: all.
    pub tenants: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendMode {
    /// A draft, its id stored, and then sent: never twice.
    #[default]
    TwoPhase,
    /// In one call, which saves one of three. An answer that is lost is looked for; one that comes to be only after that look is sent twice.
    Direct,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            integration_key: String::new(),
            account_id: String::new(),
            user_id: String::new(),
            base_url: String::new(),
            private_key_path: PathBuf::new(),
            oauth_host: String::new(),
            oauth_url: String::new(),
            discover_base_uri: true,
            connect_hmac_keys_path: PathBuf::new(),
            webhook_url: String::new(),
            send_mode: SendMode::TwoPhase,
            // With the burst they are what DocuSign allows in an hour, whenever that hour begins.
            max_calls_per_hour: 2_900,
            max_burst_30s: 100,
            poll_min_interval: Duration::from_secs(20 * 60),
            look_back: Duration::from_secs(30 * 86_400),
            tenants: Vec::new(),
        }
    }
}

/// What is older is nobody's backup, and a search over it takes long.
const LONGEST_LOOK: Duration = Duration::from_secs(3_660 * 86_400);
/// DocuSign counts fewer than this against nobody.
const SHORTEST_POLL: Duration = Duration::from_secs(15 * 60);

impl Config {
    /// Every key has a value, for whoever must know the keys.
    pub fn with_every_key() -> Self {
        Self { accounts: [("*".to_owned(), AccountConfig::default())].into(), ..Self::default() }
    }

    /// What is wrong: the key, and what to write.
    pub fn problems(&self) -> Vec<(String, String)> {
        let of = |(name, account): (&String, &AccountConfig)| {
            let name = name.clone();
            account
                .problems()
                .into_iter()
                .map(move |(key, problem)| (format!("docusign.accounts.{name}.{key}"), problem))
        };
        let is_blank = !self.installation.is_empty() && self.installation.trim().is_empty();
        let own = (is_blank || self.installation.len() > 100).then(|| {
            let told = "100 bytes at most, and not blank; left out, it is drawn with the database";
            ("docusign.installation".to_owned(), told.to_owned())
        });
        own.into_iter().chain(self.accounts.iter().flat_map(of)).collect()
    }
}

impl AccountConfig {
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (key, value) in [
            ("integration_key", &self.integration_key),
            ("account_id", &self.account_id),
            ("user_id", &self.user_id),
        ] {
            if uuid::Uuid::try_parse(value).is_err() {
                found.push((key, format!("`{value}` is no GUID; copy it from Apps and Keys of DocuSign")));
            }
        }
        if self.private_key_path.as_os_str().is_empty() {
            found.push(("private_key_path", "name the PEM file of the RSA private key".into()));
        }
        for (key, value, may_be_empty) in [
            ("base_url", &self.base_url, false),
            ("oauth_url", &self.oauth_url, true),
            ("webhook_url", &self.webhook_url, true),
        ] {
            let refused = match Url::parse(value) {
                _ if value.is_empty() && may_be_empty => None,
                Ok(url) if url.scheme() == "https" => None,
                Ok(url) if url.scheme() == "http" && is_loopback(&url) => None,
                Ok(_) => Some(format!("`{value}` must begin with https://")),
                Err(_) => Some(format!("`{value}` is no URL; write https://HOST")),
            };
            found.extend(refused.map(|told| (key, told)));
        }
        if self.oauth_host.contains('/') {
            found.push(("oauth_host", "a bare host, without https:// and without a slash".into()));
        }
        if !(1..=1_000_000).contains(&self.max_calls_per_hour) {
            found.push(("max_calls_per_hour", "1 to 1000000; DocuSign allows 3000".into()));
        }
        let least = at_once(self);
        if !(least..=10_000).contains(&self.max_burst_30s) {
            let told = format!(
                "{least} to 10000, since so many calls go together; DocuSign allows 200 in its demo and 500 in production"
            );
            found.push(("max_burst_30s", told));
        }
        if self.poll_min_interval < SHORTEST_POLL {
            found.push(("poll_min_interval", "15m at least; DocuSign bans who asks more often".into()));
        }
        if self.look_back > LONGEST_LOOK {
            found.push(("look_back", "ten years at most, written in hours, such as 720h".into()));
        }
        // A proxy may put a prefix before it; deliveries to another path find no door, and nobody here hears of them.
        if let Ok(url) = Url::parse(&self.webhook_url)
            && found.iter().all(|(key, _)| *key != "webhook_url")
            && !url.path().ends_with(DOOR_PATH)
        {
            let told = format!("`{}` leads to no door; write https://HOST{DOOR_PATH}", self.webhook_url);
            found.push(("webhook_url", told));
        }
        if !self.webhook_url.is_empty() && self.connect_hmac_keys_path.as_os_str().is_empty() {
            found.push((
                "connect_hmac_keys_path",
                "name the file with the HMAC keys: no delivery to webhook_url is believed without".into(),
            ));
        }
        found
    }

    /// The host of the sign-in, and the `aud` of an assertion.
    pub fn oauth_host(&self) -> String {
        match (self.oauth_host.as_str(), self.base_url.contains("demo")) {
            ("", true) => "account-d.docusign.com".into(),
            ("", false) => "account.docusign.com".into(),
            (given, _) => given.into(),
        }
    }

    /// Where the sign-in is found.
    pub fn oauth_url(&self) -> String {
        match self.oauth_url.trim_end_matches('/') {
            "" => format!("https://{}", self.oauth_host()),
            given => given.into(),
        }
    }

    /// What somebody opens in a browser, once, so that the worker may act as the user.
    pub fn consent_url(&self) -> String {
        format!(
            "{}/oauth/auth?response_type=code&scope=signature%20impersonation&client_id={}&redirect_uri=https%3A%2F%2Fwww.docusign.com",
            self.oauth_url(),
            self.integration_key
        )
    }

    /// Whether a job of this tenant may use it; the installation's own jobs deal with all.
    pub fn is_for(&self, tenant: Option<&str>) -> bool {
        self.tenants.is_empty()
            || tenant.is_none_or(|tenant| self.tenants.iter().any(|named| named == tenant))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountConfig {
        let id = "7c2c3e5e-8f0b-4c4f-9b1b-000000000001".to_owned();
        AccountConfig {
            integration_key: id.clone(),
            account_id: id.clone(),
            user_id: id,
            base_url: "https://demo.docusign.net".into(),
            private_key_path: "/etc/compline/docusign.pem".into(),
            ..AccountConfig::default()
        }
    }

    #[test]
    fn what_is_wrong_names_the_key_and_the_remedy() {
        assert_eq!(account().problems(), []);
        for (account, key, says) in [
            (AccountConfig { user_id: "bob".into(), ..account() }, "user_id", "no GUID"),
            (AccountConfig { private_key_path: "".into(), ..account() }, "private_key_path", "PEM"),
            (AccountConfig { base_url: "http://demo.docusign.net".into(), ..account() }, "base_url", "https"),
            (AccountConfig { base_url: String::new(), ..account() }, "base_url", "no URL"),
            (
                AccountConfig { oauth_host: "https://account.docusign.com".into(), ..account() },
                "oauth_host",
                "bare",
            ),
            (AccountConfig { max_calls_per_hour: 0, ..account() }, "max_calls_per_hour", "3000"),
            (AccountConfig { max_burst_30s: 3, ..account() }, "max_burst_30s", "4 to 10000"),
            (
                AccountConfig { poll_min_interval: Duration::from_secs(60), ..account() },
                "poll_min_interval",
                "15m",
            ),
            (AccountConfig { look_back: Duration::MAX, ..account() }, "look_back", "720h"),
            (
                AccountConfig { webhook_url: "https://us.example/v1/webhooks/docusign".into(), ..account() },
                "connect_hmac_keys_path",
                "HMAC",
            ),
        ] {
            let problems = account.problems();
            assert!(
                matches!(&problems[..], [(named, told)] if *named == key && told.contains(says)),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn a_webhook_url_leads_to_the_door_behind_whatever_prefix() {
        let of = |url: &str| AccountConfig {
            webhook_url: url.into(),
            connect_hmac_keys_path: "/etc/compline/docusign.hmac".into(),
            ..account()
        };
        for url in [
            "",
            "https://us.example/v1/webhooks/docusign",
            "https://us.example/jobs/v1/webhooks/docusign?from=docusign",
            "http://127.0.0.1:8080/v1/webhooks/docusign",
        ] {
            assert_eq!(of(url).problems(), [], "{url}");
        }
        for url in [
            "https://us.example",
            "https://us.example/v1/webhooks/docusign/",
            "https://us.example/v1/webhooks/DocuSign",
            "https://us.example/v1/hooks/docusign",
            "https://us.example/v1/webhooks/docusign/../other",
            "https://us.example/?to=/v1/webhooks/docusign",
            "https://us.example/#/v1/webhooks/docusign",
        ] {
            let told = format!("`{url}` leads to no door; write https://HOST/v1/webhooks/docusign");
            assert_eq!(of(url).problems(), [("webhook_url", told)]);
        }
        // Once for each key.
        assert!(
            matches!(&of("http://us.example/hook").problems()[..], [(_, told)] if told.contains("https://"))
        );
    }

    #[test]
    fn the_sign_in_follows_the_base_url_unless_it_is_said() {
        let live = AccountConfig { base_url: "https://eu.docusign.net".into(), ..account() };
        let test = AccountConfig { oauth_url: "http://127.0.0.1:9000/".into(), ..account() };

        assert_eq!(account().oauth_url(), "https://account-d.docusign.com");
        assert_eq!(
            (live.oauth_host().as_str(), live.oauth_url().as_str()),
            ("account.docusign.com", "https://account.docusign.com")
        );
        assert_eq!(
            (test.oauth_host().as_str(), test.oauth_url().as_str()),
            ("account-d.docusign.com", "http://127.0.0.1:9000")
        );
    }

    #[test]
    fn an_account_without_tenants_is_everybodys() {
        let own = AccountConfig { tenants: vec!["a".into()], ..account() };

        assert!(account().is_for(None) && account().is_for(Some("a")));
        assert_eq!([None, Some("a"), Some("b")].map(|tenant| own.is_for(tenant)), [true, true, false]);
    }
}
