//! A checkpoint: the log's name, how many leaves it has, and its root, as C2SP's tlog-checkpoint writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{self, Key, NoteError, Secret};
use crate::tree::Hash;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is of; another history has another name.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// Lines that others may add.
    pub more: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("this is no checkpoint: {0}")]
    NoCheckpoint(&'static str),
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, more: Vec::new() }
    }

    pub fn text(&self) -> String {
        let more: String = self.more.iter().map(|line| format!("{line}\n")).collect();
        format!("{}\n{}\n{}\n{more}", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let no = CheckpointError::NoCheckpoint;
        let body = text.strip_suffix('\n').ok_or(no("its last line does not end"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or(no("it names no log"))?;
        let digits = lines.next().ok_or(no("it has no size"))?;
        let size: u64 = digits.parse().map_err(|_| no("its size is no number"))?;
        if size.to_string() != digits {
            return Err(no("its size is written in another way than numbers are"));
        }
        let root = lines.next().ok_or(no("it has no root"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| Hash::from_slice(&root));
        let root = root.ok_or(no("its root is no hash"))?;
        let more: Vec<_> = lines.map(str::to_owned).collect();
        if more.iter().any(String::is_empty) {
            return Err(no("one of its lines is empty"));
        }
        Ok(Self { origin: origin.into(), size, root, more })
    }

    pub fn sign(&self, secrets: &[&Secret]) -> Result<String, NoteError> {
        note::sign(&self.text(), secrets)
    }

    /// What a signed one says, when a known key has signed it.
    pub fn verify<'k>(note: &str, keys: &'k [Key]) -> Result<(Self, Vec<&'k Key>), CheckpointError> {
        let (text, signers) = note::verify(note, keys)?;
        Ok((Self::parse(text)?, signers))
    }

    /// What it says, whoever has signed it.
    pub fn unverified(note: &str) -> Result<Self, CheckpointError> {
        Self::parse(note::text_of(note)?)
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::tree::empty_root;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let mut checkpoint = Checkpoint::new("audit.example.com/log", 7, empty_root());
        assert_eq!(
            checkpoint.text(),
            "audit.example.com/log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        );
        assert_eq!(Checkpoint::parse(&checkpoint.text()).unwrap(), checkpoint);
        checkpoint.more.push("more".into());
        assert_eq!(Checkpoint::parse(&checkpoint.text()).unwrap(), checkpoint);

        let secret = Secret::generate("audit.example.com/log", &SystemRandom::new()).unwrap();
        let (note, keys) = (checkpoint.sign(&[&secret]).unwrap(), [secret.key()]);
        assert_eq!(Checkpoint::verify(&note, &keys).unwrap(), (checkpoint.clone(), vec![&keys[0]]));
        assert_eq!(Checkpoint::unverified(&note).unwrap(), checkpoint);
        assert_eq!(Checkpoint::verify(&note, &[]).unwrap_err(), NoteError::Unknown.into());
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let good = Checkpoint::new("log", 7, empty_root()).text();
        for (bad, why) in [
            (good.replace("log", ""), "names no log"),
            (good.replace('7', "07"), "another way"),
            (good.replace('7', "+7"), "another way"),
            (good.replace('7', "-7"), "no number"),
            (good.replace("47DE", "47D"), "no hash"),
            (good.trim_end().to_owned(), "does not end"),
            (format!("{good}\n"), "empty"),
            ("log\n".into(), "no size"),
            ("log\n7\n".into(), "no root"),
        ] {
            let problem = Checkpoint::parse(&bad).unwrap_err().to_string();
            assert!(problem.contains(why), "{bad}: {problem}");
        }
    }
}
