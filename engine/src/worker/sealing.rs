//! What an attempt of an encrypted job leaves in the store: nothing of it can be read without the key.
//!
//! Numbers, times and names stay readable, for whoever looks after the queue and has no key: states, the
//! names of steps, the levels of log lines, how far a job is.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jobkit::{HostError, JobId, LogLine, Progress, StepRecord};
use tracing::warn;

use crate::seal::{Keyring, Part, SealError};
use store::End;

/// The seal of one attempt; does nothing for a job that is not encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    pub keyring: &'a Keyring,
    pub job: JobId,
    pub encrypted: bool,
}

impl Sealing<'_> {
    pub fn end(&self, end: End) -> End {
        match end {
            End::Completed { result: Some(result) } if self.encrypted => {
                match self.keyring.seal(self.job, Part::Result, &result) {
                    Ok(sealed) => End::Completed { result: Some(sealed) },
                    Err(problem) => {
                        End::Discarded { error: format!("the result could not be encrypted: {problem}") }
                    }
                }
            }
            End::Retry { after, error } => End::Retry { after, error: self.text(Part::Error, error) },
            End::Discarded { error } => End::Discarded { error: self.text(Part::Error, error) },
            End::Cancelled { reason } => End::Cancelled { reason: self.text(Part::Error, reason) },
            end @ (End::Completed { .. } | End::Snooze { .. } | End::GiveBack | End::WaitFor(_)) => end,
        }
    }

    pub fn log(&self, mut log: Vec<LogLine>) -> Vec<LogLine> {
        for line in &mut log {
            line.text = self.text(Part::Log, std::mem::take(&mut line.text));
        }
        log
    }

    pub fn progress(&self, progress: &Progress) -> Progress {
        Progress { message: self.text(Part::Progress, progress.message.clone()), ..*progress }
    }

    /// A step whose result cannot be sealed is not taken: the next attempt could not go on from it.
    pub fn step(&self, step: &StepRecord) -> Result<StepRecord, SealError> {
        let seal = |result| self.keyring.seal_value(self.job, Part::Step(&step.name), result);
        let result = match &step.result {
            Some(result) if self.encrypted => Some(seal(result)?),
            result => result.clone(),
        };
        Ok(StepRecord { result, ..step.clone() })
    }

    /// Words for people: without a key they are told why there are none.
    fn text(&self, part: Part<'_>, text: String) -> String {
        match self.encrypted {
            true => self
                .keyring
                .seal(self.job, part, &text)
                .unwrap_or_else(|problem| format!("not kept, because it could not be encrypted: {problem}")),
            false => text,
        }
    }
}

/// The kinds whose jobs come sealed although this process does not call them encrypted, or the other way
/// round: two configurations that should be one. Told once per kind, because their jobs come by the thousand.
#[derive(Debug, Default)]
pub struct Differing(Mutex<BTreeSet<String>>);

impl Differing {
    pub fn say_once(&self, kind: &str, sealed: bool) {
        if !self.is_news(kind) {
            return;
        }
        let (found, told) = match sealed {
            true => ("sealed", "does not call it encrypted"),
            false => ("in the clear", "calls it encrypted"),
        };
        warn!(
            job.kind = kind,
            "jobs of kind {kind} come {found}, and this process {told}: what they write is sealed; let \
             `kinds.\"{kind}\".encrypted` be the same everywhere"
        );
    }

    fn is_news(&self, kind: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !told.contains(kind) && told.insert(kind.into())
    }
}

/// Another worker may have the key.
impl From<SealError> for HostError {
    fn from(error: SealError) -> Self {
        HostError::Store(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::is_sealed;

    const WORD: &str = "plugh";

    fn end(encrypted: bool, keyring: &Keyring, end: End) -> End {
        Sealing { keyring, job: JobId(uuid::Uuid::nil()), encrypted }.end(end)
    }

    fn ring() -> Keyring {
        let mut ring = Keyring::default();
        ring.add("k1", &[7; 32]);
        ring.with_current("k1")
    }

    #[test]
    fn every_word_of_an_ending_is_sealed_if_the_kind_asks_for_it() {
        let (word, after) = (|| WORD.to_owned(), std::time::Duration::ZERO);
        for plain in [
            End::Retry { after, error: word() },
            End::Discarded { error: word() },
            End::Cancelled { reason: word() },
            End::Completed { result: Some(word()) },
        ] {
            assert_eq!(end(false, &ring(), plain.clone()), plain);
            let sealed = end(true, &ring(), plain.clone());
            assert_eq!(sealed.name(), plain.name());
            assert!(!format!("{sealed:?}").contains(WORD), "{sealed:?}");
            assert!(sealed.error().is_none_or(is_sealed), "{sealed:?}");
        }
    }

    #[test]
    fn a_kind_that_is_configured_differently_elsewhere_is_told_of_once() {
        let differing = Differing::default();

        let news = ["mail.send", "mail.send", "report.make", "mail.send"].map(|kind| differing.is_news(kind));

        assert_eq!(news, [true, false, true, false]);
    }

    #[test]
    fn without_a_key_the_words_are_lost_and_not_shown() {
        let lost = end(true, &Keyring::default(), End::Discarded { error: WORD.into() });

        let told = lost.error().unwrap();
        assert!(!told.contains(WORD) && told.contains("encryption.current"), "{told}");
    }
}
