//! What nobody could check against the real service, and what differs between its environments: each a switch, so
//! that a client can be tried in every mode.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The default of each is what the field knows or believes; `docs/reference/docusign-emulator.md` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// A second envelope with the same `transactionId`.
    pub duplicate_transaction: Duplicate,
    /// Does a look-up by `transaction_ids` find drafts?
    pub transaction_finds_drafts: bool,
    /// `status: sent` for an envelope that was sent already.
    pub send_again: Again,
    /// The HTTP status of errors of the hourly and the burst limit: 400 or 429.
    pub limit_status: u16,
    /// What `X-RateLimit-Reset` is.
    pub limit_reset: Reset,
    /// The HTTP status for an envelope that does not exist: 404 or 400.
    pub unknown_envelope_status: u16,
    /// Calls of an account in an hour, which begins on the hour; none without a number.
    pub hourly_limit: Option<u32>,
    /// Calls of an account in 30 seconds.
    pub burst_limit: Option<u32>,
    /// What counts as looking at an envelope too often.
    pub polling: Polling,
    /// How often it may be looked at in 15 minutes.
    pub polling_limit: u32,
    /// Are fields that the contract does not know refused, and scalars that are no strings? The real service passes
    /// over them.
    pub strict: bool,
    /// What is done about anchors of tabs.
    pub anchors: Anchors,
    /// How long an asynchronous envelope is `processing`.
    pub processing_ms: u64,
    /// When events are delivered.
    pub connect: Delivery,
    /// When a delivery that was not acknowledged is tried again.
    pub connect_retry: Retry,
    /// Does a delivery that is repeated keep its `generatedDateTime`?
    pub connect_retry_keeps_time: bool,
    /// How long a receiver may take to acknowledge.
    pub connect_timeout_ms: u64,
    /// How names of headers are written, in answers and deliveries.
    pub header_case: HeaderCase,
}

macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $choice:ident),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$of])* $choice),+ }
    )+};
}

choices! {
    Duplicate { Accepted, Refused }
    Again { Accepted, Refused }
    Reset {
        /// The second at which the hour begins, since 1970.
        Timestamp,
        /// Seconds until then.
        Seconds,
    }
    Polling {
        Off,
        /// A GET of one path with its query.
        PerUrl,
        /// A GET of the envelope or of anything below it.
        PerEnvelope,
    }
    Anchors {
        /// They are looked for in the documents, as far as their text can be read.
        Look,
        /// They are there.
        Found,
        /// They are not.
        Missing,
    }
    Delivery {
        Auto,
        /// They wait for `/_emulator/connect/deliver`.
        Hold,
    }
    Retry {
        Never,
        /// After 15 seconds and then twice as long each time, up to 45 tries in 7 days.
        Backoff,
        /// Once a day, ten times, and whatever comes after waits behind it.
        Daily,
    }
    HeaderCase {
        /// `X-Docusign-Tracetoken`; in deliveries as the documentation writes them.
        Documented,
        Lower,
    }
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            duplicate_transaction: Duplicate::Accepted,
            transaction_finds_drafts: true,
            send_again: Again::Accepted,
            limit_status: 400,
            limit_reset: Reset::Timestamp,
            unknown_envelope_status: 404,
            hourly_limit: None,
            burst_limit: None,
            polling: Polling::Off,
            polling_limit: 1,
            strict: false,
            anchors: Anchors::Look,
            processing_ms: 5000,
            connect: Delivery::Auto,
            connect_retry: Retry::Backoff,
            connect_retry_keeps_time: true,
            connect_timeout_ms: 100_000,
            header_case: HeaderCase::Documented,
        }
    }
}

impl Switches {
    /// These with some of them changed; names the switch that does not exist or does not take the value.
    pub fn changed(&self, changes: &Map<String, Value>) -> Result<Self, String> {
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            let Some(place) = all.get_mut(name) else {
                return Err(format!("there is no switch `{name}`; GET /_emulator/switches lists them"));
            };
            *place = value.clone();
            if let Err(error) = Self::deserialize(&all) {
                return Err(format!("the switch `{name}` does not take {value}: {error}"));
            }
        }
        let it = Self::deserialize(&all).map_err(|error| error.to_string())?;
        for (name, status, may) in [
            ("limit_status", it.limit_status, [400, 429]),
            ("unknown_envelope_status", it.unknown_envelope_status, [400, 404]),
        ] {
            if !may.contains(&status) {
                return Err(format!("the switch `{name}` takes {} or {}, not {status}", may[0], may[1]));
            }
        }
        Ok(it)
    }

    /// As the command line writes one: `name=value`.
    pub fn set(&self, text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        self.changed(&Map::from_iter([(name.to_owned(), value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_set_by_name_and_refused_by_name() {
        let at_first = Switches::default();
        assert_eq!(at_first.set("limit_status=429").unwrap().limit_status, 429);
        assert_eq!(at_first.set("polling=per-url").unwrap().polling, Polling::PerUrl);
        assert_eq!(at_first.set("hourly_limit=20").unwrap().hourly_limit, Some(20));
        assert_eq!(at_first.set("hourly_limit=null").unwrap().hourly_limit, None);
        assert!(!at_first.set("transaction_finds_drafts=false").unwrap().transaction_finds_drafts);
        for (text, named) in [
            ("nonsense=1", "`nonsense`"),
            ("polling=sometimes", "`polling`"),
            ("limit_status=500", "400 or 429"),
            ("strict", "NAME=VALUE"),
        ] {
            let refused = at_first.set(text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
    }
}
