//! Signed notes, as C2SP has them: a text, and lines of signatures by keys that have names. Ed25519, the kind that
//! every tool for such notes verifies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::tree::hash;

const ED25519_KIND: u8 = 1;
/// The format's own bounds.
const LARGEST: usize = 1_000_000;
const MOST_SIGNATURES: usize = 100;
const PRIVATE: &str = "PRIVATE+KEY+";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the name of a key has neither blanks nor a plus, and is not empty")]
    Name,
    #[error("this is no secret key; one is written PRIVATE+KEY+NAME+HASH+KEY")]
    NoSecret,
    #[error("this is no public key; one is written NAME+HASH+KEY")]
    NoKey,
    #[error("this machine has no random numbers to give")]
    NoRandom,
    #[error("this is no signed note: {0}")]
    NoNote(&'static str),
    #[error("the signature of {0} is not that of its key")]
    Forged(String),
    #[error("none of the known keys has signed it")]
    Unknown,
}

/// Whoever has it signs in the name of the log.
pub struct Secret {
    name: String,
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

/// What others verify with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Secret {
    pub fn generate(name: &str, random: &dyn SecureRandom) -> Result<Self, NoteError> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(seed.as_mut()).map_err(|_| NoteError::NoRandom)?;
        Self::of(name, seed)
    }

    /// By the random numbers of this machine.
    pub fn random(name: &str) -> Result<Self, NoteError> {
        Self::generate(name, &SystemRandom::new())
    }

    fn of(name: &str, seed: Zeroizing<[u8; 32]>) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| NoteError::NoSecret)?;
        Ok(Self { name: name.into(), seed, pair })
    }

    /// From `PRIVATE+KEY+NAME+HASH+KEY`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parts(text.trim().strip_prefix(PRIVATE).ok_or(NoteError::NoSecret)?)
            .ok_or(NoteError::NoSecret)?;
        let key = Zeroizing::new(key);
        let (kind, seed) = key.split_first().ok_or(NoteError::NoSecret)?;
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| NoteError::NoSecret)?);
        let secret = Self::of(name, seed)?;
        if *kind == ED25519_KIND && secret.key().id == id { Ok(secret) } else { Err(NoteError::NoSecret) }
    }

    /// As `parse` reads it. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> Zeroizing<String> {
        let key = Zeroizing::new([&[ED25519_KIND], self.seed.as_slice()].concat());
        Zeroizing::new(format!(
            "{PRIVATE}{}+{}+{}",
            self.name,
            hex(self.key().id),
            STANDARD.encode(key.as_slice())
        ))
    }

    pub fn key(&self) -> Key {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        Key { name: self.name.clone(), id: id_of(&self.name, &public), public }
    }

    /// One line with its end.
    fn signature(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let signed = [&self.key().id, signature.as_ref()].concat();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(signed))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .field("seed", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = [&[ED25519_KIND], self.public.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(key))
    }
}

impl std::str::FromStr for Key {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parts(text.trim()).ok_or(NoteError::NoKey)?;
        let (kind, public) = key.split_first().ok_or(NoteError::NoKey)?;
        let public = <[u8; 32]>::try_from(public).map_err(|_| NoteError::NoKey)?;
        let good = *kind == ED25519_KIND && is_name(name) && id_of(name, &public) == id;
        if good { Ok(Self { name: name.into(), id, public }) } else { Err(NoteError::NoKey) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(char::is_whitespace)
}

/// Name, hash and key of `NAME+HASH+KEY`.
fn parts(text: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let id = (id.len() == 8).then(|| u32::from_str_radix(id, 16).ok())??;
    Some((name, id.to_be_bytes(), STANDARD.decode(key).ok()?))
}

fn id_of(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let hash = hash(&[name.as_bytes(), b"\n", &[ED25519_KIND], public]);
    [hash.0[0], hash.0[1], hash.0[2], hash.0[3]]
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// The text, which ends a line, with the signatures of these keys.
pub fn sign(text: &str, secrets: &[&Secret]) -> Result<String, NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::NoNote("its text does not end a line"));
    }
    let signatures: String = secrets.iter().map(|secret| secret.signature(text)).collect();
    Ok(format!("{text}\n{signatures}"))
}

/// The text of a note that one of these keys has signed, and the keys that have. Signatures of others say nothing; a
/// wrong one of a known key is no oversight.
pub fn verify<'n, 'k>(note: &'n str, keys: &'k [Key]) -> Result<(&'n str, Vec<&'k Key>), NoteError> {
    let (text, signatures) = parted(note)?;
    let mut signers: Vec<&Key> = Vec::new();
    for line in signatures.lines() {
        let (name, id, signature) = signature(line)?;
        let Some(key) = keys.iter().find(|key| key.name == name && key.id == id) else { continue };
        let public = UnparsedPublicKey::new(&ED25519, key.public);
        public.verify(text.as_bytes(), &signature).map_err(|_| NoteError::Forged(name.into()))?;
        if !signers.contains(&key) {
            signers.push(key);
        }
    }
    if signers.is_empty() { Err(NoteError::Unknown) } else { Ok((text, signers)) }
}

/// What a note says, whoever has signed it.
pub fn text_of(note: &str) -> Result<&str, NoteError> {
    Ok(parted(note)?.0)
}

fn parted(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > LARGEST {
        return Err(NoteError::NoNote("it is larger than a million bytes"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::NoNote("it has characters that no text has"));
    }
    let at = note.rfind("\n\n").ok_or(NoteError::NoNote("no empty line stands before its signatures"))?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::NoNote("it does not end with a line of a signature"));
    }
    if signatures.lines().count() > MOST_SIGNATURES {
        return Err(NoteError::NoNote("it has more than a hundred signatures"));
    }
    Ok((text, signatures))
}

fn signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let parse = || {
        let (name, signed) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let signed = STANDARD.decode(signed).ok()?;
        let (id, signature) = signed.split_at_checked(4)?;
        (is_name(name) && !signature.is_empty()).then_some((name, id.try_into().ok()?, signature.to_vec()))
    };
    parse().ok_or(NoteError::NoNote("a line of its signatures is none"))
}

#[cfg(test)]
mod tests;
