//! Where an envelope stands: what the provider calls it, what we call it, and which way it may go. Pure.
//!
//! Messages come twice, late and in any order, so a state never goes back; and the end of an envelope is believed only when it was asked for.

use serde::{Deserialize, Serialize};

/// As DocuSign calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Created,
    Processing,
    Sent,
    Correct,
    Delivered,
    Signed,
    Completed,
    Declined,
    Voided,
    Deleted,
}

impl Status {
    const ALL: [(Status, &'static str, Phase); 10] = [
        (Status::Created, "created", Phase::Drafted),
        (Status::Processing, "processing", Phase::Drafted),
        (Status::Sent, "sent", Phase::Sent),
        // Its sender corrects it; it goes on as it was.
        (Status::Correct, "correct", Phase::Sent),
        (Status::Delivered, "delivered", Phase::Delivered),
        // All have signed and the last copy is not out.
        (Status::Signed, "signed", Phase::Delivered),
        (Status::Completed, "completed", Phase::Completed),
        (Status::Declined, "declined", Phase::Declined),
        (Status::Voided, "voided", Phase::Voided),
        (Status::Deleted, "deleted", Phase::Deleted),
    ];

    /// However it is written. None for what nobody has told us of.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(text)).map(|(status, ..)| *status)
    }

    pub fn phase(self) -> Phase {
        Self::ALL.iter().find(|(status, ..)| *status == self).map_or(Phase::Drafting, |(.., phase)| *phase)
    }
}

/// As we call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// There may be a draft at the provider, and we do not know its id.
    Drafting,
    /// There is a draft, and its id is stored: this one and no other is ever sent.
    Drafted,
    Sent,
    Delivered,
    /// All have signed, and the documents are not here yet.
    Completed,
    Archived,
    Declined,
    Voided,
    Deleted,
    /// It was never sent, or nobody can find it any more.
    Failed,
}

impl Phase {
    const ALL: [(Phase, &'static str); 10] = [
        (Phase::Drafting, "drafting"),
        (Phase::Drafted, "drafted"),
        (Phase::Sent, "sent"),
        (Phase::Delivered, "delivered"),
        (Phase::Completed, "completed"),
        (Phase::Archived, "archived"),
        (Phase::Declined, "declined"),
        (Phase::Voided, "voided"),
        (Phase::Deleted, "deleted"),
        (Phase::Failed, "failed"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("", |(_, name)| *name)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(phase, _)| *phase)
    }

    /// Nobody signs any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Phase::Drafting | Phase::Drafted | Phase::Sent | Phase::Delivered)
    }

    /// Somebody waits for its recipients.
    pub fn is_out(self) -> bool {
        matches!(self, Phase::Sent | Phase::Delivered)
    }

    fn rank(self) -> u8 {
        match self {
            Phase::Drafting => 0,
            Phase::Drafted => 1,
            Phase::Sent => 2,
            Phase::Delivered => 3,
            Phase::Completed | Phase::Declined | Phase::Voided | Phase::Deleted | Phase::Failed => 9,
            Phase::Archived => 10,
        }
    }
}

/// From whom we have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A message, which may be late, or out of order.
    Told,
    /// The provider's answer to our own question.
    Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing that we did not know.
    Stay,
    Go(Phase),
    /// It would be the end: ask before it is believed.
    Confirm,
    /// The provider says another end than we have: a person must look.
    Contradicted,
}

/// What follows when somebody says that an envelope in this phase has that status.
pub fn next(phase: Phase, status: Status, word: Word) -> Next {
    let seen = status.phase();
    match (phase, word) {
        (Phase::Archived | Phase::Completed, _) if seen == Phase::Completed => Next::Stay,
        // It was given up for lost, and there it is.
        (Phase::Failed, Word::Asked) if seen.rank() >= Phase::Sent.rank() => Next::Go(seen),
        (Phase::Failed, Word::Told) if seen.rank() >= Phase::Sent.rank() => Next::Confirm,
        (_, Word::Asked) if phase.is_over() && seen.is_over() && seen != phase => Next::Contradicted,
        (_, Word::Told) if phase.is_over() && seen.is_over() && seen != phase => Next::Confirm,
        _ if phase.is_over() || seen.rank() <= phase.rank() => Next::Stay,
        (_, Word::Told) if seen.is_over() => Next::Confirm,
        _ => Next::Go(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_goes_back_and_an_end_is_asked_for() {
        use Phase::{Archived, Completed, Declined, Delivered, Drafted, Failed, Voided};
        for (phase, status, word, expected) in [
            (Drafted, Status::Sent, Word::Told, Next::Go(Phase::Sent)),
            (Drafted, Status::Delivered, Word::Told, Next::Go(Delivered)),
            (Delivered, Status::Sent, Word::Told, Next::Stay),
            (Delivered, Status::Sent, Word::Asked, Next::Stay),
            (Delivered, Status::Correct, Word::Told, Next::Stay),
            (Phase::Sent, Status::Signed, Word::Told, Next::Go(Delivered)),
            (Phase::Sent, Status::Completed, Word::Told, Next::Confirm),
            (Phase::Sent, Status::Voided, Word::Told, Next::Confirm),
            (Phase::Sent, Status::Completed, Word::Asked, Next::Go(Completed)),
            (Drafted, Status::Completed, Word::Asked, Next::Go(Completed)),
            (Completed, Status::Completed, Word::Told, Next::Stay),
            (Archived, Status::Completed, Word::Asked, Next::Stay),
            (Archived, Status::Delivered, Word::Told, Next::Stay),
            (Completed, Status::Voided, Word::Told, Next::Confirm),
            (Voided, Status::Voided, Word::Told, Next::Stay),
            (Completed, Status::Voided, Word::Asked, Next::Contradicted),
            (Declined, Status::Completed, Word::Asked, Next::Contradicted),
            (Voided, Status::Sent, Word::Asked, Next::Stay),
            (Failed, Status::Completed, Word::Asked, Next::Go(Completed)),
            (Failed, Status::Sent, Word::Told, Next::Confirm),
            (Failed, Status::Created, Word::Asked, Next::Stay),
        ] {
            assert_eq!(next(phase, status, word), expected, "{phase:?} {status:?} {word:?}");
        }
    }

    #[test]
    fn names_read_back() {
        for (phase, name) in Phase::ALL {
            assert_eq!((Phase::parse(name), phase.name()), (Some(phase), name));
        }
        for (status, name, _) in Status::ALL {
            assert_eq!(Status::parse(&name.to_uppercase()), Some(status));
        }
        assert_eq!((Phase::parse("gone"), Status::parse("template")), (None, None));
    }
}
