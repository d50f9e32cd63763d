//! The key of the installation, from which every other key of identity is derived, one for each purpose: what is
//! signed for one is worth nothing for another. And random numbers, which come from here alone.

use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hkdf, hmac};

use super::IdentityError;
use crate::reference::{ReferenceError, SecretRef};

/// A key that is shorter can be guessed.
pub const SHORTEST_KEY: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("identity.key cannot be had")]
    Reference(#[from] ReferenceError),
    #[error(
        "identity.key: `{0}` holds fewer than {SHORTEST_KEY} bytes; `openssl rand -hex 32` makes a good one"
    )]
    Short(SecretRef),
}

/// Prints nothing of what it holds.
pub struct Keys {
    /// Signs access tokens.
    pub access: [u8; 32],
    pub refresh: hmac::Key,
    pub csrf: hmac::Key,
    /// Makes names for the audit log of people whom the platform knows.
    pub subject: hmac::Key,
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl Keys {
    pub fn load(reference: &SecretRef) -> Result<Self, KeyError> {
        let secret = reference.resolve()?;
        Self::new(&secret).ok_or_else(|| KeyError::Short(reference.clone()))
    }

    /// None when the secret is too short.
    pub fn new(secret: &SecretString) -> Option<Self> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST_KEY {
            return None;
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"compline-identity-1").extract(secret);
        let derive = |purpose: &str| {
            let mut key = [0; 32];
            root.expand(&[purpose.as_bytes()], Length).ok()?.fill(&mut key).ok()?;
            Some(key)
        };
        Some(Self {
            access: derive("access")?,
            refresh: hmac::Key::new(hmac::HMAC_SHA256, &derive("refresh")?),
            csrf: hmac::Key::new(hmac::HMAC_SHA256, &derive("csrf")?),
            subject: hmac::Key::new(hmac::HMAC_SHA256, &derive("subject")?),
        })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

pub fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| IdentityError::NoRandom)?;
    Ok(bytes)
}

/// For what is random itself, and too long to be tried.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_thirty_two_bytes_and_one_child_for_each_purpose() {
        assert!(Keys::new(&SecretString::from("x".repeat(31))).is_none());
        let keys = Keys::new(&SecretString::from("x".repeat(32))).unwrap();
        let tag = |key: &hmac::Key| hmac::sign(key, b"same").as_ref().to_vec();
        assert_ne!(tag(&keys.refresh), tag(&keys.csrf));
        assert_ne!(tag(&keys.subject), tag(&keys.csrf));
        assert_ne!(tag(&keys.refresh), tag(&hmac::Key::new(hmac::HMAC_SHA256, &keys.access)));
        assert_eq!(format!("{keys:?}"), "Keys");
    }

    #[test]
    fn a_hash_is_the_one_that_everybody_knows() {
        assert_eq!(sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
