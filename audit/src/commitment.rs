//! Personal data in the audit log: an entry holds a commitment, and what opens it is kept apart and can be erased.
//!
//! Nothing can be taken out of the tree, and people may ask to be forgotten. A bare hash of an address would be found by
//! trying addresses; with a random salt of 32 bytes that is thrown away with the value, nobody can tell any more what was
//! committed to, and the tree still fits.
//!
//! ```text
//! SHA-256("compline/personal/v1" ‖ salt, 32 bytes ‖ length of field, 8 bytes, highest first ‖ field ‖ value)
//! ```

use std::fmt;
use std::str::FromStr;

use ring::rand::SecureRandom;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::note::NoRandomness;
use crate::tree::{Hash, hashed};

const DOMAIN: &[u8] = b"compline/personal/v1";
const PREFIX: &str = "c:";

/// What stands in an entry instead of the value: `c:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commitment(pub [u8; 32]);

/// What a commitment was made of. It shows neither the value nor the salt, with which a value could be guessed.
#[derive(Clone)]
pub struct Opening {
    pub field: String,
    pub salt: Zeroizing<[u8; 32]>,
    pub value: SecretString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`commitment` is not `c:` and 64 hexadecimal digits in lower case; take it from the entry as it is")]
pub struct NotACommitment;

impl Opening {
    /// With a new salt.
    pub fn new(
        field: impl Into<String>,
        value: SecretString,
        random: &dyn SecureRandom,
    ) -> Result<Self, NoRandomness> {
        let mut salt = Zeroizing::new([0; 32]);
        random.fill(&mut *salt).map_err(|_| NoRandomness)?;
        Ok(Self { field: field.into(), salt, value })
    }

    pub fn commit(&self) -> Commitment {
        let length = (self.field.len() as u64).to_be_bytes();
        let value = self.value.expose_secret().as_bytes();
        let Hash(hash) = hashed(&[DOMAIN, &*self.salt, &length, self.field.as_bytes(), value]);
        Commitment(hash)
    }
}

/// Whether the commitment was made of exactly this.
pub fn opens(commitment: Commitment, opening: &Opening) -> bool {
    opening.commit() == commitment
}

/// Every commitment that an entry names: in the place of where it was asked from, and below `personal` in its details.
pub fn commitments_in(source: Option<&str>, details: Option<&str>) -> Vec<Commitment> {
    let details = details.and_then(|details| serde_json::from_str::<serde_json::Value>(details).ok());
    let personal = details.as_ref().and_then(|details| details.get("personal")?.as_object());
    let personal = personal.into_iter().flat_map(|fields| fields.values());
    let texts = source.into_iter().chain(personal.filter_map(|value| value.as_str()));
    texts.filter_map(|text| text.parse().ok()).collect()
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening {{ field: {:?}, salt: [redacted], value: [redacted] }}", self.field)
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", Hash(self.0).to_hex())
    }
}

impl FromStr for Commitment {
    type Err = NotACommitment;

    fn from_str(text: &str) -> Result<Self, NotACommitment> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotACommitment)?;
        let hash = Hash::from_hex(digits).ok_or(NotACommitment)?;
        Ok(Self(hash.0))
    }
}

#[cfg(test)]
mod tests;
