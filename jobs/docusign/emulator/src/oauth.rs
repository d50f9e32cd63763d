//! Who gets a token: the JWT grant, judged. Pure; the answers are those that the field notes found in issues of the
//! SDKs and in DocuSign's forum.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Map, Value};

use crate::json::text;

pub const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a token is good for, whatever the assertion says.
pub const LIFE_SECONDS: i64 = 3600;

/// Whom the server knows.
#[derive(Debug, Clone)]
pub struct House {
    pub integration_key: String,
    pub oauth_host: String,
    /// Whose signature an assertion has; anybody's without one.
    pub key: Option<PublicKey>,
    pub users: BTreeSet<String>,
    /// Those among them who have not agreed yet.
    pub without_consent: BTreeSet<String>,
}

/// Who may do what with a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub subject: String,
    pub scope: String,
    /// `exp` less `iat`, or less now.
    pub assertion_seconds: i64,
}

/// Why not: `error` and `error_description`, always with 400.
#[derive(Debug, Clone, PartialEq)]
pub struct Denied {
    pub error: &'static str,
    pub description: Option<&'static str>,
}

fn invalid(description: &'static str) -> Denied {
    Denied { error: "invalid_grant", description: Some(description) }
}

/// Judges an assertion in the order in which the real server was seen to.
pub fn judge(assertion: &str, house: &House, now: Timestamp) -> Result<Grant, Denied> {
    let unreadable = || invalid("no_valid_keys_or_signatures");
    let mut parts = assertion.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unreadable());
    };
    let (head, said) = (object(header).ok_or_else(unreadable)?, object(claims).ok_or_else(unreadable)?);
    let issuer = text(&said, "iss").unwrap_or_default();
    // A host with https:// or a slash is another one.
    if issuer != house.integration_key || text(&said, "aud").as_deref() != Some(&house.oauth_host) {
        return Err(invalid("issuer_not_found"));
    }
    if text(&head, "alg").as_deref() != Some("RS256") {
        return Err(unreadable());
    }
    if let Some(key) = &house.key {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| unreadable())?;
        let signed = &assertion[..header.len() + 1 + claims.len()];
        key.verifies(signed.as_bytes(), &signature).then_some(()).ok_or_else(unreadable)?;
    }
    let second = |name: &str| said.get(name).and_then(Value::as_f64).map(|second| second as i64);
    let expires = second("exp").ok_or_else(|| invalid("expired_assertion"))?;
    if expires <= now.as_second() {
        return Err(invalid("expired_assertion"));
    }
    let subject = text(&said, "sub").unwrap_or_default();
    if !house.users.contains(&subject) {
        return Err(invalid("user_not_found"));
    }
    let scope = text(&said, "scope").unwrap_or_default();
    let has = |wanted: &str| scope.split_whitespace().any(|scope| scope == wanted);
    if !has("signature") || !has("impersonation") || house.without_consent.contains(&subject) {
        return Err(Denied { error: "consent_required", description: None });
    }
    let assertion_seconds = expires - second("iat").unwrap_or_else(|| now.as_second());
    Ok(Grant { subject, scope, assertion_seconds })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// An RSA key, as ring wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// `BEGIN PUBLIC KEY`, as DocuSign's page shows it, or `BEGIN RSA PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let label =
            pem.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let base64: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).map_err(|error| format!("the public key is no PEM: {error}"))?;
        match label {
            Some("RSA PUBLIC KEY") => Ok(Self(der)),
            Some("PUBLIC KEY") => {
                inside(&der).map(Self).ok_or_else(|| "the public key is none of RSA".to_owned())
            }
            Some(other) => Err(format!("the file holds a {other}, not a PUBLIC KEY")),
            None => Err("the file holds no PUBLIC KEY in PEM".to_owned()),
        }
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).verify(signed, signature).is_ok()
    }
}

/// The key within a SubjectPublicKeyInfo: a sequence of an algorithm and a string of bits.
fn inside(der: &[u8]) -> Option<Vec<u8>> {
    const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    let (info, _) = element(der, 0x30)?;
    let (algorithm, rest) = element(info, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    algorithm.starts_with(RSA).then_some(())?;
    bits.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

/// The content of the element of DER that begins here, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7F => (usize::from(short), rest),
        long => {
            let bytes = rest.get(..usize::from(long & 0x7F)).filter(|bytes| bytes.len() <= 4)?;
            let length = bytes.iter().fold(0usize, |length, byte| (length << 8) | usize::from(*byte));
            (length, &rest[bytes.len()..])
        }
    };
    (*found == tag && rest.len() >= length).then(|| rest.split_at(length))
}

#[cfg(test)]
mod tests;
