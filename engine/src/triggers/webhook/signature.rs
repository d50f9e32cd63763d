//! Whether a delivery is who it says it is from: a code over the bytes as they came, under a secret that only the
//! sender and we have. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jobkit::redact::{ExposeSecret, SecretString};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// By their names in lower case.
pub type Headers = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Hex,
    Base64,
}

/// How the sender signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Hub-Signature-256: sha256=` and hex, over the body.
    GitHub,
    /// `webhook-signature: v1,` and base64, over the delivery's id, its time and the body.
    StandardWebhooks { tolerance: Duration },
    /// A header of the sender's own choice over the body, or over its time, a full stop and the body.
    Plain { header: String, prefix: String, encoding: Encoding, timestamp: Option<Timestamped> },
}

/// A shorter key is found by trying.
const SHORTEST_KEY: usize = 16;

impl Scheme {
    /// Whether a secret is long enough for a key, and of the scheme's form.
    pub fn can_use(&self, secret: &SecretString) -> bool {
        match self {
            Scheme::StandardWebhooks { .. } => {
                let broken = secret.expose_secret().starts_with("whsec_") && whsec(secret).is_none();
                !broken && standard_key(secret).len() >= SHORTEST_KEY
            }
            Scheme::GitHub | Scheme::Plain { .. } => raw(secret).len() >= SHORTEST_KEY,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamped {
    pub header: String,
    pub tolerance: Duration,
}

/// Why a delivery is not believed. It says nothing of what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    #[error("the header `{0}` is missing")]
    Missing(String),
    #[error("the header `{0}` is not as the scheme has it")]
    Malformed(String),
    #[error("the delivery's time is too far from ours")]
    NotNow,
    #[error("the signature does not match")]
    Mismatch,
}

/// Under any one of the secrets, so that the sender can go over to a new one. `now` is in seconds since 1970.
pub fn verify(
    scheme: &Scheme,
    secrets: &[SecretString],
    headers: &Headers,
    body: &[u8],
    now: i64,
) -> Result<(), Forged> {
    match scheme {
        Scheme::GitHub => {
            let given = one(headers, "x-hub-signature-256", "sha256=", Encoding::Hex)?;
            matches_any(secrets, raw, &[body], &[given])
        }
        Scheme::StandardWebhooks { tolerance } => {
            let id = header(headers, "webhook-id")?;
            let time = timely(headers, "webhook-timestamp", *tolerance, now)?;
            let given = versioned(header(headers, "webhook-signature")?)?;
            matches_any(secrets, standard_key, &[id.as_bytes(), b".", time.as_bytes(), b".", body], &given)
        }
        Scheme::Plain { header: name, prefix, encoding, timestamp } => {
            let given = one(headers, name, prefix, *encoding)?;
            match timestamp {
                None => matches_any(secrets, raw, &[body], &[given]),
                Some(Timestamped { header, tolerance }) => {
                    let time = timely(headers, header, *tolerance, now)?;
                    matches_any(secrets, raw, &[time.as_bytes(), b".", body], &[given])
                }
            }
        }
    }
}

/// What the headers alone tell, before the body has come: whether it is signed at all, and about now.
pub fn plausible(scheme: &Scheme, headers: &Headers, now: i64) -> Result<(), Forged> {
    match scheme {
        Scheme::GitHub => one(headers, "x-hub-signature-256", "sha256=", Encoding::Hex).map(drop),
        Scheme::StandardWebhooks { tolerance } => {
            header(headers, "webhook-id")?;
            timely(headers, "webhook-timestamp", *tolerance, now)?;
            versioned(header(headers, "webhook-signature")?).map(drop)
        }
        Scheme::Plain { header, prefix, encoding, timestamp } => {
            one(headers, header, prefix, *encoding)?;
            match timestamp {
                None => Ok(()),
                Some(Timestamped { header, tolerance }) => timely(headers, header, *tolerance, now).map(drop),
            }
        }
    }
}

fn header<'h>(headers: &'h Headers, name: &str) -> Result<&'h str, Forged> {
    let found = headers.get(&name.to_ascii_lowercase());
    found.map(|value| value.trim()).ok_or_else(|| Forged::Missing(name.into()))
}

fn timely<'h>(headers: &'h Headers, name: &str, tolerance: Duration, now: i64) -> Result<&'h str, Forged> {
    let text = header(headers, name)?;
    let time: i64 = text.parse().map_err(|_| Forged::Malformed(name.into()))?;
    match now.abs_diff(time) <= tolerance.as_secs() {
        true => Ok(text),
        false => Err(Forged::NotNow),
    }
}

fn one(headers: &Headers, name: &str, prefix: &str, encoding: Encoding) -> Result<Vec<u8>, Forged> {
    let malformed = || Forged::Malformed(name.into());
    let text = header(headers, name)?.strip_prefix(prefix).ok_or_else(malformed)?;
    match encoding {
        Encoding::Hex => unhex(text).ok_or_else(malformed),
        Encoding::Base64 => STANDARD.decode(text).map_err(|_| malformed()),
    }
}

/// `v1,CODE v1,CODE`; other versions are for others.
fn versioned(text: &str) -> Result<Vec<Vec<u8>>, Forged> {
    let codes = text.split(' ').filter_map(|part| part.strip_prefix("v1,"));
    let codes: Vec<_> = codes.filter_map(|code| STANDARD.decode(code).ok()).collect();
    match codes.is_empty() {
        true => Err(Forged::Malformed("webhook-signature".into())),
        false => Ok(codes),
    }
}

fn raw(secret: &SecretString) -> Vec<u8> {
    secret.expose_secret().as_bytes().to_vec()
}

/// `whsec_` and base64; a secret of another form is taken as it stands.
fn standard_key(secret: &SecretString) -> Vec<u8> {
    whsec(secret).unwrap_or_else(|| raw(secret))
}

fn whsec(secret: &SecretString) -> Option<Vec<u8>> {
    secret.expose_secret().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok())
}

/// Each comparison takes the same time wherever the first difference is.
fn matches_any(
    secrets: &[SecretString],
    key: fn(&SecretString) -> Vec<u8>,
    signed: &[&[u8]],
    given: &[Vec<u8>],
) -> Result<(), Forged> {
    let signed = signed.concat();
    let matching = secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key(secret));
        given.iter().any(|code| hmac::verify(&key, &signed, code).is_ok())
    });
    if matching { Ok(()) } else { Err(Forged::Mismatch) }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_614_265_330;
    const MINUTES: Duration = Duration::from_secs(300);

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn headers(of: &[(&str, &str)]) -> Headers {
        of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn plain(timestamp: Option<&str>, encoding: Encoding) -> Scheme {
        let timestamp = timestamp.map(|header| Timestamped { header: header.into(), tolerance: MINUTES });
        Scheme::Plain { header: "X-Signature".into(), prefix: String::new(), encoding, timestamp }
    }

    /// The examples of GitHub's and of Standard Webhooks' own documentation.
    #[test]
    fn the_examples_of_the_senders_are_believed() {
        let hub = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = headers(&[("x-hub-signature-256", hub)]);
        let its_secret = [secret("It's a Secret to Everybody")];
        assert_eq!(verify(&Scheme::GitHub, &its_secret, &github, b"Hello, World!", NOW), Ok(()));

        let standard = Scheme::StandardWebhooks { tolerance: MINUTES };
        let delivery = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1a,bm90Cg== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]);
        let its_secret = [secret("whsec_old"), secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        assert_eq!(verify(&standard, &its_secret, &delivery, br#"{"test": 2432232314}"#, NOW), Ok(()));
    }

    fn signed(secret: &str, text: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text);
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_delivery_is_believed_under_either_of_two_secrets_and_under_no_third() {
        let scheme = plain(None, Encoding::Hex);
        for (by, expected) in [("old", Ok(())), ("new", Ok(())), ("third", Err(Forged::Mismatch))] {
            let given = headers(&[("x-signature", &signed(by, b"{}"))]);
            let secrets = [secret("old"), secret("new")];
            assert_eq!(verify(&scheme, &secrets, &given, b"{}", NOW), expected, "{by}");
        }
    }

    #[test]
    fn whatever_is_not_as_signed_is_not_believed() {
        let timed = plain(Some("x-time"), Encoding::Hex);
        let good = signed("key", format!("{NOW}.{{}}").as_bytes());
        let early = signed("key", format!("{}.{{}}", NOW - 301).as_bytes());
        let base64 = STANDARD.encode(unhex(&signed("key", b"{}")).unwrap());
        for (scheme, given, body, expected) in [
            (&timed, &[("x-signature", good.as_str()), ("x-time", "1614265330")][..], "{}", Ok(())),
            (&timed, &[("x-signature", &good), ("x-time", "1614265330")], "{ }", Err(Forged::Mismatch)),
            (&timed, &[("x-signature", &good), ("x-time", "1614265331")], "{}", Err(Forged::Mismatch)),
            (&timed, &[("x-signature", &early), ("x-time", "1614265029")], "{}", Err(Forged::NotNow)),
            (
                &timed,
                &[("x-signature", &good), ("x-time", "now")],
                "{}",
                Err(Forged::Malformed("x-time".into())),
            ),
            (&timed, &[("x-signature", &good)], "{}", Err(Forged::Missing("x-time".into()))),
            (&timed, &[("x-time", "1614265330")], "{}", Err(Forged::Missing("X-Signature".into()))),
            (
                &timed,
                &[("x-signature", "xyz"), ("x-time", "1614265330")],
                "{}",
                Err(Forged::Malformed("X-Signature".into())),
            ),
            (&timed, &[("x-signature", ""), ("x-time", "1614265330")], "{}", Err(Forged::Mismatch)),
            (&plain(None, Encoding::Base64), &[("x-signature", &base64)], "{}", Ok(())),
            (
                &Scheme::GitHub,
                &[("x-hub-signature-256", &good)],
                "{}",
                Err(Forged::Malformed("x-hub-signature-256".into())),
            ),
        ] {
            assert_eq!(
                verify(scheme, &[secret("key")], &headers(given), body.as_bytes(), NOW),
                expected,
                "{given:?}"
            );
        }
        // Without a secret nobody is believed.
        let given = headers(&[("x-signature", &signed("", b"{}"))]);
        assert_eq!(verify(&plain(None, Encoding::Hex), &[], &given, b"{}", NOW), Err(Forged::Mismatch));
    }

    #[test]
    fn a_secret_that_anybody_could_guess_is_no_key() {
        let standard = Scheme::StandardWebhooks { tolerance: MINUTES };
        for (scheme, text, usable) in [
            (&standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            (&standard, "whsec_", false),
            (&standard, "whsec_a2V5", false),
            (&standard, "whsec_no base64, and so read as it stands", false),
            (&standard, "a secret of another form", true),
            (&Scheme::GitHub, "It's a Secret to Everybody", true),
            (&Scheme::GitHub, "", false),
            (&Scheme::GitHub, "fifteen letters", false),
            (&plain(None, Encoding::Hex), "x", false),
        ] {
            assert_eq!(scheme.can_use(&secret(text)), usable, "{text}");
        }
    }
}
