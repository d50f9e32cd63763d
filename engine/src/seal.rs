//! Encrypts what kinds that ask for it keep in the store: AES-256-GCM, a fresh random nonce each time, bound
//! to the job and to what it is, so that a sealed text copied to another row does not open.
//!
//! A sealed text is itself JSON, `{"$sealed":{"key":"k1","box":"<base64 of nonce and ciphertext>"}}`,
//! because a database may hold it in a JSON column and write it back with other spaces. It names its key:
//! old jobs open with old keys for as long as those stay in the ring.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jobkit::redact::ExposeSecret;
use jobkit::{JobId, StepRecord};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::reference::{ReferenceError, SecretRef};

/// The settings: keys by name, and which of them seals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encryption {
    /// Empty means that no kind may be encrypted.
    pub current: String,
    pub keys: BTreeMap<String, SecretRef>,
}

/// Which of a job's texts; one does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    Args,
    Result,
    /// The result of the step of this name.
    Step(&'a str),
    Progress,
    Error,
    Log,
    /// What somebody said of this item of its result.
    Review(&'a str),
    /// A user's second factor; the user's id stands in the place of the job's.
    Totp,
}

impl Part<'_> {
    /// For people, and for ever part of what a sealed text is bound to.
    fn name(self) -> String {
        match self {
            Part::Args => "args".into(),
            Part::Result => "result".into(),
            Part::Step(name) => format!("step:{name}"),
            Part::Progress => "progress".into(),
            Part::Error => "error".into(),
            Part::Log => "log".into(),
            Part::Review(item) => format!("review:{item}"),
            Part::Totp => "totp".into(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no key to encrypt with; set encryption.current and the key it names")]
    NoCurrentKey,
    #[error(
        "the {part} of job {job} was sealed with key `{key}`, which is not in encryption.keys; add it again to read old jobs"
    )]
    UnknownKey { job: JobId, part: String, key: String },
    #[error(
        "the {part} of job {job} does not open with key `{key}`: it was altered, belongs to another job, or the key's value changed"
    )]
    DoesNotOpen { job: JobId, part: String, key: String },
    #[error("the {part} of job {job} is not a sealed text")]
    NotSealed { job: JobId, part: String },
    #[error("the system gave no random numbers")]
    NoRandomness,
    #[error("the {part} of job {job} is too long to be encrypted")]
    TooLong { job: JobId, part: String },
}

impl SealError {
    /// What people see in place of a text that does not open; whose it is stands beside it.
    fn note(&self) -> String {
        match self {
            SealError::UnknownKey { key, .. } => {
                format!("(sealed with key `{key}`, which this process does not have in encryption.keys)")
            }
            SealError::DoesNotOpen { key, .. } => format!("(sealed with key `{key}`, and does not open)"),
            other => format!("({other})"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key `encryption.keys.{name}` cannot be had")]
    Unresolved {
        name: String,
        #[source]
        cause: ReferenceError,
    },
    #[error(
        "the key `encryption.keys.{name}` is not 32 bytes in hex (64 digits) or base64 (44 characters); `openssl rand -hex 32` makes one"
    )]
    NotAKey { name: String },
}

/// The keys this process may use; prints their names only.
#[derive(Default)]
pub struct Keyring {
    current: Option<String>,
    keys: BTreeMap<String, LessSafeKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "$sealed")]
    sealed: Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    key: String,
    #[serde(rename = "box")]
    boxed: String,
}

impl Keyring {
    /// Fetches every key the settings name: a key that is missing is found at start, not by the first old
    /// job that needs it.
    pub fn load(encryption: &Encryption) -> Result<Self, KeyError> {
        let mut ring = Self {
            current: Some(encryption.current.clone()).filter(|name| !name.is_empty()),
            keys: BTreeMap::new(),
        };
        for (name, reference) in &encryption.keys {
            let text =
                reference.resolve().map_err(|cause| KeyError::Unresolved { name: name.clone(), cause })?;
            let key =
                parse_key(text.expose_secret()).ok_or_else(|| KeyError::NotAKey { name: name.clone() })?;
            ring.add(name, &key);
        }
        Ok(ring)
    }

    pub fn add(&mut self, name: &str, key: &[u8; 32]) {
        // ring refuses a key only for its length, and the type has the right one.
        if let Ok(key) = UnboundKey::new(&AES_256_GCM, key) {
            self.keys.insert(name.into(), LessSafeKey::new(key));
        }
    }

    /// Names the key that new texts are sealed with.
    pub fn with_current(mut self, name: &str) -> Self {
        self.current = Some(name.into());
        self
    }

    pub fn can_seal(&self) -> bool {
        self.current.as_ref().is_some_and(|name| self.keys.contains_key(name))
    }

    pub fn seal(&self, job: JobId, part: Part<'_>, json: &str) -> Result<String, SealError> {
        let (name, key) = self
            .current
            .as_ref()
            .and_then(|name| self.keys.get_key_value(name))
            .ok_or(SealError::NoCurrentKey)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;

        let mut boxed = Vec::with_capacity(NONCE_LEN + json.len() + AES_256_GCM.tag_len());
        boxed.extend_from_slice(&nonce);
        boxed.extend_from_slice(json.as_bytes());
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(job, part)),
                &mut boxed[NONCE_LEN..],
            )
            .map_err(|_| {
                boxed.zeroize();
                SealError::TooLong { job, part: part.name() }
            })?;
        boxed.extend_from_slice(tag.as_ref());
        let sealed = Sealed { key: name.clone(), boxed: BASE64.encode(&boxed) };
        serde_json::to_string(&Envelope { sealed }).map_err(|_| SealError::TooLong { job, part: part.name() })
    }

    /// The text as it was before it was stored: opened if it was sealed, else as it is.
    pub fn reveal(&self, job: JobId, part: Part<'_>, text: String) -> Result<String, SealError> {
        match is_sealed(&text) {
            true => self.open(job, part, &text),
            false => Ok(text),
        }
    }

    /// As `seal`, for what the store keeps as JSON.
    pub fn seal_value(&self, job: JobId, part: Part<'_>, value: &Value) -> Result<Value, SealError> {
        let sealed = self.seal(job, part, &value.to_string())?;
        serde_json::from_str(&sealed).map_err(|_| SealError::TooLong { job, part: part.name() })
    }

    /// As `reveal`, for what the store keeps as JSON.
    pub fn reveal_value(&self, job: JobId, part: Part<'_>, value: Value) -> Result<Value, SealError> {
        if value.get("$sealed").is_none() {
            return Ok(value);
        }
        let text = value.to_string();
        let Some(sealed) = unpack(&text) else { return Ok(value) };
        let plain = self.open(job, part, &text)?;
        serde_json::from_str(&plain).map_err(|_| SealError::DoesNotOpen {
            job,
            part: part.name(),
            key: sealed.key,
        })
    }

    /// For people: as `reveal`, with a note in place of what does not open. A key that is missing, or a text that
    /// only looks sealed, must not hide everything else about a job.
    pub fn show(&self, job: JobId, part: Part<'_>, text: &mut String) {
        let revealed = self.reveal(job, part, std::mem::take(text));
        *text = revealed.unwrap_or_else(|problem| problem.note());
    }

    /// As `show`, for what the store keeps as JSON.
    pub fn show_value(&self, job: JobId, part: Part<'_>, value: &mut Value) {
        let revealed = self.reveal_value(job, part, value.take());
        *value = revealed.unwrap_or_else(|problem| Value::String(problem.note()));
    }

    pub fn open_step(&self, job: JobId, step: &mut StepRecord) -> Result<(), SealError> {
        if let Some(result) = step.result.take() {
            step.result = Some(self.reveal_value(job, Part::Step(&step.name), result)?);
        }
        Ok(())
    }

    /// The text that was sealed for this job and part.
    pub fn open(&self, job: JobId, part: Part<'_>, text: &str) -> Result<String, SealError> {
        let sealed = unpack(text).ok_or(SealError::NotSealed { job, part: part.name() })?;
        let Some(key) = self.keys.get(&sealed.key) else {
            return Err(SealError::UnknownKey { job, part: part.name(), key: sealed.key });
        };
        let open = || {
            let mut boxed = BASE64.decode(&sealed.boxed).ok()?;
            if boxed.len() < NONCE_LEN {
                return None;
            }
            let (nonce, ciphertext) = boxed.split_at_mut(NONCE_LEN);
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain = key.open_in_place(nonce, Aad::from(bound_to(job, part)), ciphertext).ok()?;
            let json = std::str::from_utf8(plain).ok().map(String::from);
            boxed.zeroize();
            json
        };
        open().ok_or_else(|| SealError::DoesNotOpen { job, part: part.name(), key: sealed.key.clone() })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("current", &self.current)
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Looks only at the form; whether it opens is another question.
pub fn is_sealed(text: &str) -> bool {
    unpack(text).is_some()
}

fn unpack(text: &str) -> Option<Sealed> {
    // Nearly every text is not sealed, and parsing a long one to learn that would be waste.
    let head = text.trim_start().strip_prefix('{')?.trim_start();
    if !head.starts_with("\"$sealed\"") {
        return None;
    }
    serde_json::from_str::<Envelope>(text).ok().map(|envelope| envelope.sealed)
}

/// What the ciphertext is bound to; the version lets a later format tell its texts apart.
fn bound_to(job: JobId, part: Part<'_>) -> Vec<u8> {
    let mut bound = b"compline-seal-1".to_vec();
    bound.extend_from_slice(job.0.as_bytes());
    bound.extend_from_slice(part.name().as_bytes());
    bound
}

fn parse_key(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim();
    let bytes = Zeroizing::new(match text.len() {
        64 => (0..32)
            .map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok())
            .collect::<Option<_>>()?,
        _ => BASE64.decode(text).ok()?,
    });
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
