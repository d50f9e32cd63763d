//! Ed25519 keys with a name, in the two forms of Go's `sumdb/note`.
//!
//! The secret one is `PRIVATE+KEY+<name>+<number>+<base64>`, the public one, a vkey, is `<name>+<number>+<base64>`.
//! The number is made of the name and the public key, so that a name or a key that was mixed up is found at once.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::tree::hashed;

/// The only sort of key here; the byte is the specification's.
const ED25519_KEY: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("`name` of a key must be there and hold neither a space, a plus nor a control character")]
    Name,
    #[error("`vkey` does not look like <name>+<8 hexadecimal digits>+<base64>; copy it whole")]
    Public,
    #[error("`key` does not look like PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base64>; copy it whole")]
    Secret,
    #[error("`key` is no Ed25519 key; notes of other sorts of keys cannot be checked here")]
    Algorithm,
    #[error("`key` has a number that is not of this name and key; one of the three was mixed up")]
    Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`random` gave no bytes; see whether the system has a source of randomness")]
pub struct NoRandomness;

/// A public key and the name of whoever signs with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vkey {
    name: String,
    id: u32,
    public: [u8; 32],
}

/// A key that signs. It never shows its secret. The seed is wiped when it is dropped; ring does not wipe what it makes of it.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    vkey: Vkey,
}

impl Vkey {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of a hash over name and key, which signature lines carry.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The same key under another name.
    pub fn named(&self, name: &str) -> Self {
        Self::new(name, self.public)
    }

    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(text, signature).is_ok()
    }

    /// Another key with this one's name and number, as an attacker can find one by trying.
    #[cfg(test)]
    pub(super) fn imitated(&self, public: [u8; 32]) -> Self {
        Self { public, ..self.clone() }
    }

    fn new(name: &str, public: [u8; 32]) -> Self {
        let hash = hashed(&[name.as_bytes(), b"\n", &[ED25519_KEY], &public]);
        let [a, b, c, d, ..] = hash.0;
        Self { name: name.into(), id: u32::from_be_bytes([a, b, c, d]), public }
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_KEY];
        key.extend(self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(key))
    }
}

impl FromStr for Vkey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts = Parts::of(text).ok_or(KeyError::Public)?;
        let vkey = Self::new(parts.name, *parts.key()?);
        if vkey.id == parts.id { Ok(vkey) } else { Err(KeyError::Number) }
    }
}

impl SigningKey {
    pub fn generate(name: &str, random: &dyn SecureRandom) -> Result<Self, GenerateError> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(&mut *seed).map_err(|_| NoRandomness)?;
        Ok(Self::of(name, seed)?)
    }

    /// The form that can be kept.
    pub fn to_secret(&self) -> SecretString {
        let mut key = Zeroizing::new(vec![ED25519_KEY]);
        key.extend_from_slice(&*self.seed);
        let key = Zeroizing::new(BASE64.encode(&*key));
        format!("{PRIVATE}{}+{:08x}+{}", self.vkey.name, self.vkey.id, &*key).into()
    }

    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The same key under another name, which makes it another signer.
    pub fn named(&self, name: &str) -> Result<Self, KeyError> {
        Self::of(name, self.seed.clone())
    }

    pub(super) fn sign(&self, text: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(text).as_ref());
        signature
    }

    fn of(name: &str, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Secret)?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { seed, pair, vkey: Vkey::new(name, public) })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts = text.strip_prefix(PRIVATE).and_then(Parts::of).ok_or(KeyError::Secret)?;
        let key = Self::of(parts.name, parts.key()?)?;
        if key.vkey.id == parts.id { Ok(key) } else { Err(KeyError::Number) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{:08x}, [redacted])", self.vkey.name, self.vkey.id)
    }
}

/// What both forms have in common.
struct Parts<'a> {
    name: &'a str,
    id: u32,
    key: Zeroizing<Vec<u8>>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let digits = id.len() == 8 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let id = u32::from_str_radix(id, 16).ok().filter(|_| digits && is_name(name))?;
        Some(Self { name, id, key: Zeroizing::new(BASE64.decode(key).ok()?) })
    }

    fn key(&self) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        match self.key.split_first() {
            Some((&ED25519_KEY, key)) => {
                let mut bytes = Zeroizing::new([0; 32]);
                if key.len() != bytes.len() {
                    return Err(KeyError::Algorithm);
                }
                bytes.copy_from_slice(key);
                Ok(bytes)
            }
            _ => Err(KeyError::Algorithm),
        }
    }
}

/// Names are parts of lines, so they hold nothing that ends one of their parts.
pub(super) fn is_name(name: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    !name.is_empty() && !name.contains(ends)
}
