//! The signature of Standard Webhooks, version 1: HMAC-SHA256 over id, time and body. Pure.
//!
//! Several keys sign at once while one is replaced by another: a receiver takes the message when any of the
//! signatures is by a key that it knows.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// Older or newer than this is somebody who recorded a message and plays it back, or a clock that is wrong.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const PREFIX: &str = "whsec_";

/// Prints how many there are.
#[derive(Clone, Default)]
pub struct Keys(Vec<hmac::Key>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not `whsec_` and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one")]
pub struct NotASecret;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("webhook-timestamp is more than five minutes from now")]
    Stale,
    #[error("webhook-signature is by none of the secrets")]
    Forged,
}

impl Keys {
    /// `whsec_` may be left out, as some who hand out secrets do.
    pub fn add(&mut self, secret: &str) -> Result<(), NotASecret> {
        let bytes = BASE64.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).map_err(|_| NotASecret)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(NotASecret);
        }
        self.0.push(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `webhook-signature`: one signature per key.
    pub fn sign(&self, id: &str, at: i64, body: &[u8]) -> String {
        let text = signed(id, at, body);
        let sign = |key: &hmac::Key| format!("v1,{}", BASE64.encode(hmac::sign(key, &text)));
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    /// Whether a message is what somebody with one of the keys sent, and not long ago. `now` in seconds.
    pub fn verify(
        &self,
        id: &str,
        at: i64,
        signatures: &str,
        body: &[u8],
        now: i64,
    ) -> Result<(), Unverified> {
        if now.abs_diff(at) > TOLERANCE.as_secs() {
            return Err(Unverified::Stale);
        }
        let text = signed(id, at, body);
        let ours = |key: &hmac::Key, signature: &[u8]| hmac::verify(key, &text, signature).is_ok();
        let signatures = signatures.split(' ').filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?).ok());
        let mut signatures = signatures;
        match signatures.any(|signature| self.0.iter().any(|key| ours(key, &signature))) {
            true => Ok(()),
            false => Err(Unverified::Forged),
        }
    }
}

fn signed(id: &str, at: i64, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", at.to_string().as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    // As published with the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn keys(secrets: &[&str]) -> Keys {
        let mut keys = Keys::default();
        for secret in secrets {
            keys.add(secret).unwrap();
        }
        keys
    }

    #[test]
    fn the_published_message_has_the_published_signature() {
        assert_eq!(keys(&[SECRET]).sign(ID, AT, BODY), SIGNATURE);
        assert_eq!(keys(&[&SECRET[6..]]).verify(ID, AT, SIGNATURE, BODY, AT), Ok(()));
    }

    #[test]
    fn whoever_changes_anything_is_not_believed() {
        let keys = keys(&[SECRET]);
        let late = AT + 301;
        for (id, at, signature, body, now, why) in [
            ("other", AT, SIGNATURE, BODY, AT, Unverified::Forged),
            (ID, AT + 1, SIGNATURE, BODY, AT, Unverified::Forged),
            (ID, AT, SIGNATURE, b"{}".as_slice(), AT, Unverified::Forged),
            (ID, AT, &SIGNATURE[3..], BODY, AT, Unverified::Forged),
            (ID, AT, "", BODY, AT, Unverified::Forged),
            (ID, AT, "v1,AAAA v2,g0hM", BODY, AT, Unverified::Forged),
            (ID, AT, SIGNATURE, BODY, late, Unverified::Stale),
            (ID, AT, SIGNATURE, BODY, AT - 301, Unverified::Stale),
        ] {
            assert_eq!(keys.verify(id, at, signature, body, now), Err(why), "{id} {at} {signature}");
        }
    }

    #[test]
    fn while_a_secret_is_replaced_both_sides_may_have_either() {
        let new = "whsec_bmV3IHNlY3JldCBvZiBtb3JlIHRoYW4gMjQgYnl0ZXM=";
        let both = keys(&[new, SECRET]);

        let signatures = both.sign(ID, AT, BODY);

        assert_eq!(signatures.split(' ').count(), 2);
        for one in [&[new][..], &[SECRET]] {
            assert_eq!(keys(one).verify(ID, AT, &signatures, BODY, AT), Ok(()));
        }
    }

    #[test]
    fn what_is_too_short_or_no_base64_is_no_secret() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_#", "hunter2"] {
            assert_eq!(Keys::default().add(text), Err(NotASecret), "{text}");
        }
        assert_eq!(format!("{:?}", keys(&[SECRET])), "1 keys");
    }
}
