//! The public keys of the platform, from the address that the configuration names and no other. They are kept, fetched anew
//! when they are old or when a token names one that is not known, and never more than once a minute. While the address does not answer
//! those that were fetched go on for a day, and no longer: a key that the platform took back must come to an end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobkit::{Clock, PortError};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};
use url::Url;

use super::settings::Algorithm;
use crate::webhooks::{Get, HttpClient};

/// Keys are asked for again after so long, since one may have been taken back.
const FRESH: Duration = Duration::from_secs(15 * 60);
const AT_MOST_EVERY: Duration = Duration::from_secs(60);
/// Where there are no keys at all, nobody of the platform comes in.
const FIRST_EVERY: Duration = Duration::from_secs(5);
const LONGEST_KEPT: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 256 << 10;
const MOST_KEYS: usize = 100;

pub struct Jwks {
    url: Url,
    client: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Vec<Key>,
    /// On the steady clock.
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    #[error("the address does not answer")]
    Away(#[source] PortError),
    #[error("the address answered with status {0}")]
    Status(u16),
    #[error("what the address answered is no set of keys")]
    Unreadable(#[source] serde_json::Error),
    #[error("none of the keys is one for signatures by RS256, ES256 or EdDSA")]
    Empty,
}

/// What is to be done before a key is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// By somebody; others go on with what there is.
    Aside,
    /// All who ask for it wait.
    Now,
}

impl Known {
    fn due(&self, found: bool, now: Duration) -> Due {
        let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        let pause = if self.fetched.is_some() { AT_MOST_EVERY } else { FIRST_EVERY };
        if since(self.tried).is_some_and(|tried| tried < pause) {
            return Due::Nothing;
        }
        match (found, since(self.fetched).is_some_and(|age| age < FRESH)) {
            (true, true) => Due::Nothing,
            (true, false) => Due::Aside,
            (false, _) => Due::Now,
        }
    }

    /// A token without the name of a key is of the only one that fits.
    fn find(&self, id: Option<&str>, algorithm: Algorithm, now: Duration) -> Option<&DecodingKey> {
        if self.fetched.is_none_or(|at| now.saturating_sub(at) >= LONGEST_KEPT) {
            return None;
        }
        let fits = |key: &&Key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut found = self.keys.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(key), None) => Some(&key.key),
            _ => None,
        }
    }
}

impl Jwks {
    pub fn new(url: Url, client: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        Self { url, client, clock, known: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    pub async fn find(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let (found, due) = self.look(id, algorithm);
        match due {
            Due::Nothing => found,
            Due::Aside => {
                let own = self.clone();
                tokio::spawn(async move {
                    if let Ok(_alone) = own.fetching.try_lock() {
                        own.refresh().await;
                    }
                });
                found
            }
            Due::Now => {
                // A task of its own: whoever asked may go away, and the minute would pass with nothing fetched.
                let (own, id) = (self.clone(), id.map(str::to_owned));
                let fetching = tokio::spawn(async move {
                    let _alone = own.fetching.lock().await;
                    // Somebody else may have been here meanwhile.
                    if own.look(id.as_deref(), algorithm).1 == Due::Now {
                        own.refresh().await;
                    }
                    own.look(id.as_deref(), algorithm).0
                });
                fetching.await.ok().flatten()
            }
        }
    }

    fn look(&self, id: Option<&str>, algorithm: Algorithm) -> (Option<DecodingKey>, Due) {
        let now = self.clock.steady();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.find(id, algorithm, now).cloned();
        let due = known.due(found.is_some(), now);
        (found, due)
    }

    async fn refresh(&self) {
        let now = self.clock.steady();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).tried = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                info!("{} keys of the platform are known", keys.len());
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Known { keys, fetched: Some(now), tried: Some(now) };
            }
            Err(problem) => {
                warn!("the keys of identity.platform.jwks_url cannot be had: {}", store::chain(&problem));
            }
        }
    }

    /// How many keys there are.
    pub async fn probe(&self) -> Result<usize, JwksError> {
        self.fetch().await.map(|keys| keys.len())
    }

    async fn fetch(&self) -> Result<Vec<Key>, JwksError> {
        let get = Get { url: self.url.clone(), timeout: PATIENCE, most: MOST_BYTES };
        let (status, body) = self.client.get(get).await.map_err(JwksError::Away)?;
        if status != 200 {
            return Err(JwksError::Status(status));
        }
        read(&body)
    }
}

/// Keys that are of no use here are passed over: a platform may have some for other things.
fn read(body: &[u8]) -> Result<Vec<Key>, JwksError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(JwksError::Unreadable)?;
    let keys: Vec<_> = set.keys.into_iter().filter_map(key).take(MOST_KEYS).collect();
    match keys.is_empty() {
        true => Err(JwksError::Empty),
        false => Ok(keys),
    }
}

fn key(value: Value) -> Option<Key> {
    let named = value.get("alg").and_then(Value::as_str).map(str::to_owned);
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::Rs256, "RS256"),
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => {
            (Algorithm::Es256, "ES256")
        }
        AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDsa, "EdDSA")
        }
        // A secret that anybody can fetch is none.
        _ => return None,
    };
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !signs || named.is_some_and(|named| named != name) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn known(fetched: Option<u64>, tried: Option<u64>) -> Known {
        Known { keys: Vec::new(), fetched: fetched.map(seconds), tried: tried.map(seconds) }
    }

    #[test]
    fn keys_are_asked_for_when_they_are_old_or_missing_and_once_a_minute_at_most() {
        for (fetched, tried, found, now, due) in [
            (None, None, false, 0, Due::Now),
            (None, Some(0), false, 4, Due::Nothing),
            (None, Some(0), false, 5, Due::Now),
            (Some(0), Some(0), true, 899, Due::Nothing),
            (Some(0), Some(0), true, 900, Due::Aside),
            (Some(0), Some(900), true, 959, Due::Nothing),
            (Some(0), Some(900), true, 960, Due::Aside),
            (Some(0), Some(0), false, 59, Due::Nothing),
            (Some(0), Some(0), false, 60, Due::Now),
            (Some(0), Some(60), false, 119, Due::Nothing),
        ] {
            assert_eq!(known(fetched, tried).due(found, seconds(now)), due, "{fetched:?} {tried:?} {now}");
        }
    }

    fn rsa() -> Value {
        json!({ "kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB" })
    }

    fn with(mut key: Value, field: &str, value: impl Into<Value>) -> Value {
        key[field] = value.into();
        key
    }

    #[test]
    fn only_public_keys_for_signatures_are_keys() {
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "b", "x": "AQAB" });
        let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "c", "x": "AQAB", "y": "AQAB" });
        for (value, algorithm) in [
            (rsa(), Some(Algorithm::Rs256)),
            (ed.clone(), Some(Algorithm::EdDsa)),
            (ec.clone(), Some(Algorithm::Es256)),
            (with(rsa(), "use", "enc"), None),
            (with(rsa(), "alg", "RS512"), None),
            (with(rsa(), "alg", "HS256"), None),
            (with(ec, "crv", "P-384"), None),
            (json!({ "kty": "oct", "kid": "d", "k": "AQAB" }), None),
            (json!({ "kty": "oct", "kid": "d", "k": "AQAB", "alg": "HS256" }), None),
            (json!({ "kid": "e" }), None),
            (json!("key"), None),
        ] {
            assert_eq!(key(value.clone()).map(|key| key.algorithm), algorithm, "{value}");
        }
        let set = |keys: Value| read(json!({ "keys": keys }).to_string().as_bytes());
        assert_eq!(set(json!([rsa(), {}, ed])).unwrap().len(), 2);
        assert!(matches!(set(json!([])), Err(JwksError::Empty)));
        assert!(matches!(read(b"<html>"), Err(JwksError::Unreadable(_))));
    }

    #[test]
    fn a_key_is_found_by_its_name_or_when_there_is_no_other_and_not_after_a_day() {
        let keys = [rsa(), with(rsa(), "kid", "b"), json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" })];
        let keys = keys.into_iter().filter_map(key).collect();
        let known = Known { keys, fetched: Some(seconds(0)), tried: None };
        for (id, algorithm, now, found) in [
            (Some("a"), Algorithm::Rs256, 0, true),
            (Some("b"), Algorithm::Rs256, 86_399, true),
            (Some("b"), Algorithm::Rs256, 86_400, false),
            (Some("c"), Algorithm::Rs256, 0, false),
            (Some("a"), Algorithm::EdDsa, 0, false),
            (None, Algorithm::Rs256, 0, false),
            (None, Algorithm::EdDsa, 0, true),
            (None, Algorithm::Es256, 0, false),
        ] {
            assert_eq!(
                known.find(id, algorithm, seconds(now)).is_some(),
                found,
                "{id:?} {algorithm:?} {now}"
            );
        }
    }
}
