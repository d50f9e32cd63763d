//! What a secret is while it is on its way: a value that nobody prints, the name of its version, and where new ones come from.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jobkit::SecretString;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// One version of one secret. Each rotation makes one, and names it before there is a value: whoever comes again after a crash finds it by that name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const NAMESPACE: Uuid = Uuid::from_u128(0x1c0a_5e17_93d2_5c44_8f6b_2f2e_70a5_7a10);

impl VersionId {
    /// The version that a rotation makes. A target may refuse a value, and then another is made, under another name. When it began is in it: a database
    /// that was restored counts its rotations anew, and the store still has versions of the ones that it does not know.
    pub fn of(secret: &str, run: u64, began_at: Timestamp, refused: u32) -> Self {
        let name = format!("{secret}\n{run}\n{}\n{refused}", began_at.as_nanosecond());
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string())
    }
}

/// Where what nobody can guess comes from.
pub trait Randomness: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random numbers")]
pub struct NoRandomness;

/// The operating system's.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfTheSystem;

impl Randomness for OfTheSystem {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom::new().fill(bytes).map_err(|_| NoRandomness)
    }
}

/// 256 bits, in letters that stand in a URL, a shell and a configuration file as they are.
pub fn password(randomness: &dyn Randomness) -> Result<SecretString, NoRandomness> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    randomness.fill(bytes.as_mut())?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

#[cfg(test)]
mod tests {
    use jobkit::redact::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_is_long_plain_and_another_each_time() {
        let [one, other] = [(); 2].map(|()| password(&OfTheSystem).unwrap());

        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret().len(), 43);
        assert!(one.expose_secret().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        assert!(!format!("{one:?}").contains(one.expose_secret()));
    }

    #[test]
    fn a_version_has_one_name_for_each_run_and_each_value_that_was_refused() {
        let at = |second, secret, run, refused| {
            VersionId::of(secret, run, Timestamp::from_second(second).unwrap(), refused)
        };
        assert_eq!(at(0, "a", 1, 0), at(0, "a", 1, 0));
        for other in [at(1, "a", 1, 0), at(0, "a", 2, 0), at(0, "a", 1, 1), at(0, "b", 1, 0)] {
            assert_ne!(at(0, "a", 1, 0), other);
        }
    }
}
