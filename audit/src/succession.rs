//! Keys that take each other's place. A key hands over by signing a checkpoint that names the one after it, in a line of
//! its own behind the root, and the new key signs the same checkpoint: the old one says who goes on, and the new one that it is
//! there and after whom it comes. Whoever believes any key of the chain can so believe all of it, each for its time.
//!
//! `handover <old vkey> <new vkey>` is an extension line of C2SP's tlog-checkpoint, which other tools pass over.

use std::collections::BTreeMap;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::epoch::Statement;
use crate::note::{SigningKey, Vkey, verify};

const LINE: &str = "handover ";

/// A checkpoint by which a key handed over to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Of the tree that both signed. The old key signs nothing larger.
    pub size: u64,
    pub from: Vkey,
    pub to: Vkey,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    #[error("it names a key of another log")]
    Name,
    #[error("it hands a key over to itself")]
    Same,
    #[error("not both keys that it names have signed it")]
    Unsigned,
    #[error("its line of the keys cannot be read")]
    Line,
}

/// The signed checkpoint by which `from` hands over to `to`.
pub fn hand_over(
    mut checkpoint: Checkpoint,
    from: &SigningKey,
    to: &SigningKey,
) -> Result<String, CheckpointError> {
    checkpoint.extensions.push(format!("{LINE}{} {}", from.vkey(), to.vkey()));
    checkpoint.sign(&[from, to])
}

impl Handover {
    /// What a checkpoint says of keys, whoever it is of: none where it hands nothing over.
    pub fn of(note: &str) -> Option<Result<Self, HandoverError>> {
        let checkpoint = Checkpoint::unverified(note).ok()?;
        let mut lines = checkpoint.extensions.iter().filter_map(|line| line.strip_prefix(LINE));
        let line = lines.next()?;
        let read = |line: &str| {
            let (from, to) = line.split_once(' ')?;
            Some((from.parse::<Vkey>().ok()?, to.parse::<Vkey>().ok()?))
        };
        let (Some((from, to)), None) = (read(line), lines.next()) else {
            return Some(Err(HandoverError::Line));
        };
        Some(Self { size: checkpoint.size, from, to }.checked(note, &checkpoint.origin))
    }

    fn checked(self, note: &str, origin: &str) -> Result<Self, HandoverError> {
        if self.from.name() != origin || self.to.name() != origin {
            return Err(HandoverError::Name);
        }
        if self.from == self.to {
            return Err(HandoverError::Same);
        }
        let by = verify(note, &[self.from.clone(), self.to.clone()]).map(|verified| verified.by.len());
        if by == Ok(2) { Ok(self) } else { Err(HandoverError::Unsigned) }
    }
}

/// Until when a key is in office, and who comes after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Office {
    /// The first tree that it signs.
    since: u64,
    /// The last one, and its successor.
    until: Option<(u64, String)>,
}

/// One key comes after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    from: Vkey,
    to: Vkey,
    /// The first one signs nothing larger, and the other nothing smaller.
    until: u64,
    since: u64,
}

impl From<Handover> for Link {
    fn from(Handover { size, from, to }: Handover) -> Self {
        Self { from, to, until: size, since: size }
    }
}

/// The same key under the name of another epoch, which begins before the one before it ended.
impl From<&Statement> for Link {
    fn from(statement: &Statement) -> Self {
        let (until, since) = (statement.signed, statement.common);
        Self { from: statement.before(), to: statement.key.clone(), until, since }
    }
}

/// The keys that are believed, each for its time.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    keys: Vec<Vkey>,
    offices: BTreeMap<String, Office>,
}

/// A key that handed over twice: at these sizes, to these keys. One of the two was made by a thief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    pub key: String,
    pub at: [u64; 2],
    pub to: [String; 2],
}

/// Who has signed, as the chain sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    InOffice,
    /// Its key had handed over before, at this size.
    After {
        key: String,
        size: u64,
        to: String,
    },
    /// Its key was not there yet: it was named at this size.
    Before {
        key: String,
        size: u64,
    },
    /// By no key of the chain.
    Unknown,
}

impl Chain {
    /// The keys that are led to by links from those that are believed, backwards too.
    pub fn of(believed: &[Vkey], links: impl IntoIterator<Item = impl Into<Link>>) -> (Self, Vec<Fork>) {
        let mut chain = Self::default();
        for key in believed {
            chain.add(key, 0);
        }
        let mut links: Vec<Link> = links.into_iter().map(Into::into).collect();
        links.sort_by_key(|link| link.until);
        links.dedup();
        let mut forks = Vec::new();
        // Each turn uses up one link at least, or is the last.
        while let Some(at) = links.iter().position(|link| chain.leads(link)) {
            forks.extend(chain.take(links.remove(at)));
        }
        (chain, forks)
    }

    pub fn keys(&self) -> &[Vkey] {
        &self.keys
    }

    /// Whether the checkpoint of this size was signed by a key of the chain in its time.
    pub fn standing(&self, size: u64, by: &[Vkey]) -> Standing {
        let mut told = Standing::Unknown;
        for key in by {
            let name = key.to_string();
            let Some(office) = self.offices.get(&name) else { continue };
            told = match &office.until {
                Some((until, to)) if size > *until => {
                    Standing::After { key: name, size: *until, to: to.clone() }
                }
                _ if size < office.since => Standing::Before { key: name, size: office.since },
                _ => return Standing::InOffice,
            };
        }
        told
    }

    /// To whom this key has handed over, if it has.
    pub fn successor(&self, key: &Vkey) -> Option<&str> {
        let office = self.offices.get(&key.to_string())?;
        office.until.as_ref().map(|(_, to)| to.as_str())
    }

    fn leads(&self, Link { from, to, .. }: &Link) -> bool {
        self.keys.contains(from) || self.keys.contains(to)
    }

    fn take(&mut self, Link { from, to, until, since }: Link) -> Option<Fork> {
        self.add(&from, 0);
        let (key, to_name) = (from.to_string(), to.to_string());
        let office = self.offices.entry(key.clone()).or_default();
        if let Some((first, earlier)) = &office.until {
            let same = *first == until && *earlier == to_name;
            return (!same).then(|| Fork { key, at: [*first, until], to: [earlier.clone(), to_name] });
        }
        office.until = Some((until, to_name));
        self.add(&to, since);
        None
    }

    fn add(&mut self, key: &Vkey, since: u64) {
        if !self.keys.contains(key) {
            self.keys.push(key.clone());
            self.offices.insert(key.to_string(), Office { since, until: None });
        }
    }
}

#[cfg(test)]
mod tests;
