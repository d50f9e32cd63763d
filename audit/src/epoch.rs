//! A log that goes on from an earlier state, because its database was restored to one on purpose.
//!
//! Who follows a log by its name may count on its growing only, so what comes after a restore has a name of its own: that of the
//! log with `/epoch-N` behind it, and the same key under that name. A statement leads from one to the other: a checkpoint of
//! the earlier epoch, of as much as is still there, with the line `epoch <number> <signed> <root> <vkey>`: how many entries had been
//! signed, their root, and the key of the new epoch. That key has signed it under both names.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{SigningKey, Vkey, verify};
use crate::tree::Hash;

const LINE: &str = "epoch ";
const NAME: &str = "/epoch-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Of the new epoch; the log begins with the first.
    pub number: u64,
    /// So many entries are in both.
    pub common: u64,
    pub common_root: Hash,
    /// So many had been signed in the epoch before.
    pub signed: u64,
    pub signed_root: Hash,
    /// By which the new epoch is signed.
    pub key: Vkey,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("it is no statement of a new epoch")]
    Malformed,
    #[error("its epoch and its names do not fit each other")]
    Name,
    #[error("it says that nothing was lost")]
    Nothing,
    #[error("the key that it names has not signed it under both names")]
    Unsigned,
}

/// What the log is called in this epoch.
pub fn name_in(log: &str, number: u64) -> String {
    if number < 2 { log.into() } else { format!("{log}{NAME}{number}") }
}

/// What the log was called at first.
pub fn log_of(name: &str) -> &str {
    let number =
        |(_, number): &(&str, &str)| number.parse::<u64>().is_ok_and(|parsed| parsed.to_string() == *number);
    name.rsplit_once(NAME).filter(number).map_or(name, |(log, _)| log)
}

impl Statement {
    /// The statement, signed by the key of the epoch before and that of the new one.
    pub fn sign(&self, before: &SigningKey, new: &SigningKey) -> Result<String, CheckpointError> {
        let Self { number, common, common_root, signed, signed_root, key } = self;
        let mut checkpoint = Checkpoint::new(before.vkey().name(), *common, *common_root);
        checkpoint.extensions.push(format!("{LINE}{number} {signed} {signed_root} {key}"));
        checkpoint.sign(&[before, new])
    }

    /// What a note says, whoever the key in it belongs to.
    pub fn open(note: &str) -> Result<Self, StatementError> {
        let checkpoint = Checkpoint::unverified(note).map_err(|_| StatementError::Malformed)?;
        let line = match checkpoint.extensions.as_slice() {
            [line] => line.strip_prefix(LINE).ok_or(StatementError::Malformed)?,
            _ => return Err(StatementError::Malformed),
        };
        let told = Self::read(line, &checkpoint).ok_or(StatementError::Malformed)?;
        let log = log_of(told.key.name());
        let names = [name_in(log, told.number.saturating_sub(1)), name_in(log, told.number)];
        if told.number < 2 || [checkpoint.origin.as_str(), told.key.name()] != names {
            return Err(StatementError::Name);
        }
        if told.signed <= told.common {
            return Err(StatementError::Nothing);
        }
        let by = verify(note, &[told.before(), told.key.clone()]).map(|verified| verified.by.len());
        if by == Ok(2) { Ok(told) } else { Err(StatementError::Unsigned) }
    }

    /// The key under the name of the epoch before.
    pub fn before(&self) -> Vkey {
        self.key.named(&name_in(log_of(self.key.name()), self.number.saturating_sub(1)))
    }

    fn read(line: &str, checkpoint: &Checkpoint) -> Option<Self> {
        let mut words = line.split(' ');
        let (number, signed, root, key) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let told = Self {
            number: number.parse().ok()?,
            common: checkpoint.size,
            common_root: checkpoint.root,
            signed: signed.parse().ok()?,
            signed_root: Hash::from_base64(root)?,
            key: key.parse().ok()?,
        };
        let again = format!("{} {} {} {}", told.number, told.signed, told.signed_root, told.key);
        (again == line).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    const LOG: &str = "example.com/log";

    fn key() -> SigningKey {
        SigningKey::generate(LOG, &SystemRandom::new()).unwrap()
    }

    fn statement(key: &SigningKey) -> Statement {
        Statement {
            number: 2,
            common: 70,
            common_root: Hash([7; 32]),
            signed: 100,
            signed_root: Hash([1; 32]),
            key: key.vkey().clone(),
        }
    }

    #[test]
    fn a_statement_leads_from_one_epoch_to_the_next() {
        let before = key();
        let new = before.named(&name_in(LOG, 2)).unwrap();
        let note = statement(&new).sign(&before, &new).unwrap();

        assert_eq!(new.vkey().name(), "example.com/log/epoch-2");
        assert_eq!(Statement::open(&note), Ok(statement(&new)));
        assert_eq!(statement(&new).before(), *before.vkey());
        // To tools that know nothing of it, it is a checkpoint of what is still there.
        let opened = Checkpoint::open(&note, LOG, &[before.vkey().clone()]).unwrap();
        assert_eq!(opened.checkpoint.size, 70);
        let third = new.named(&name_in(LOG, 3)).unwrap();
        let next = Statement { number: 3, ..statement(&third) };
        assert_eq!(Statement::open(&next.sign(&new, &third).unwrap()), Ok(next));
    }

    #[test]
    fn what_is_no_statement_or_not_by_its_key_is_refused() {
        let before = key();
        let new = before.named(&name_in(LOG, 2)).unwrap();
        let thief = key().named(&name_in(LOG, 2)).unwrap();
        let told = |statement: Statement, keys: (&SigningKey, &SigningKey)| {
            Statement::open(&statement.sign(keys.0, keys.1).unwrap()).unwrap_err()
        };
        assert_eq!(told(statement(&thief), (&before, &thief)), StatementError::Unsigned);
        assert_eq!(told(statement(&thief), (&before, &new)), StatementError::Unsigned);
        assert_eq!(told(Statement { number: 3, ..statement(&new) }, (&before, &new)), StatementError::Name);
        assert_eq!(told(Statement { number: 1, ..statement(&new) }, (&before, &new)), StatementError::Name);
        assert_eq!(
            told(Statement { signed: 70, ..statement(&new) }, (&before, &new)),
            StatementError::Nothing
        );
        let note = statement(&new).sign(&before, &new).unwrap();
        let open = |note: &str| Statement::open(note).unwrap_err();
        assert_eq!(open(&note.replace("epoch 2 100 ", "epoch 2 71 ")), StatementError::Unsigned);
        assert_eq!(open(&note.replace("epoch 2 100 ", "epoch 2 0100 ")), StatementError::Malformed);
        let plain = Checkpoint::new(LOG, 70, Hash([7; 32])).sign(&[&before]).unwrap();
        assert_eq!(open(&plain), StatementError::Malformed);
    }

    #[test]
    fn a_log_has_one_name_and_its_epochs_have_one_each() {
        for number in [0, 1, 2, 17] {
            assert_eq!(log_of(&name_in(LOG, number)), LOG);
        }
        for other in ["a/epoch-", "a/epoch-x", "a/epoch-02", "epoch-2"] {
            assert_eq!(log_of(other), other);
        }
    }
}
