//! Whether somebody may vote, what comes of a vote, and whether an approval fits what is to be done; pure.

use jiff::Timestamp;

use super::{ApprovalRow, ApprovalState, Verdict, hex, is_person};

/// What an approval is after a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Another person is wanted.
    Pending,
    Granted,
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoteRefusal {
    #[error("this approval is {} already", .0.name())]
    Over(ApprovalState),
    #[error("this approval expired at {0}")]
    Expired(Timestamp),
    #[error("whoever asked does not approve it")]
    Author,
    #[error("it is about you, so others approve it")]
    Subject,
    #[error("{0} asked, whose token you have made; others approve it")]
    Maker(String),
    #[error("a person approves, and {0} is none")]
    NoPerson(String),
    #[error("you have voted on this already; another person is wanted")]
    VotedAlready,
    #[error("sha256: is not the hash of what would be done, {0}; look at it again")]
    OtherHash(String),
    #[error("the job is not what was shown any more: somebody changed its row")]
    Changed,
    #[error("whoever asked takes it back, or somebody who may give it")]
    NotYours,
}

/// What this vote makes of the approval.
pub fn vote(
    approval: &ApprovalRow,
    voter: &str,
    verdict: Verdict,
    seen: Option<&str>,
    now: Timestamp,
) -> Result<After, VoteRefusal> {
    open(approval, now)?;
    if approval.state != ApprovalState::Pending {
        return Err(VoteRefusal::Over(approval.state));
    }
    if !is_person(voter) {
        return Err(VoteRefusal::NoPerson(voter.to_owned()));
    }
    if approval.author == voter {
        return Err(VoteRefusal::Author);
    }
    if approval.votes.iter().any(|vote| vote.voter == voter) {
        return Err(VoteRefusal::VotedAlready);
    }
    match verdict {
        Verdict::Refuse => Ok(After::Refused),
        Verdict::Grant => {
            let own = hex(&approval.sha256);
            if seen.is_none_or(|seen| !seen.eq_ignore_ascii_case(&own)) {
                return Err(VoteRefusal::OtherHash(own));
            }
            let given = approval.votes.iter().filter(|vote| vote.verdict == Verdict::Grant).count() + 1;
            Ok(if given >= usize::from(approval.people) { After::Granted } else { After::Pending })
        }
    }
}

/// Until it is used it can be taken back. Who may, the caller has looked at.
pub fn open(approval: &ApprovalRow, now: Timestamp) -> Result<(), VoteRefusal> {
    match approval.state.is_open() {
        false => Err(VoteRefusal::Over(approval.state)),
        true if approval.expires_at <= now => Err(VoteRefusal::Expired(approval.expires_at)),
        true => Ok(()),
    }
}

/// Why an approval does not fit what is to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it was given for something else: {0}")]
    OtherAction(String),
    #[error("it was given for other bytes than these: what is asked for now is not what was shown")]
    OtherBytes,
    #[error("somebody else asked for it")]
    OtherAuthor,
    #[error("it is {}, and not granted", .0.name())]
    State(ApprovalState),
    #[error("it expired at {0}")]
    Expired(Timestamp),
}

/// Whether it may be used for this now. One that is used already passes: the transaction that would use it again is
/// where that fails, and a request that is sent again under its key is answered as it was before it comes so far.
pub fn fits(
    approval: &ApprovalRow,
    action: &str,
    what: &str,
    author: &str,
    now: Timestamp,
) -> Result<(), Unfit> {
    if approval.author != author {
        return Err(Unfit::OtherAuthor);
    }
    if approval.action != action {
        return Err(Unfit::OtherAction(approval.action.clone()));
    }
    if super::digest(&approval.salt, what).as_slice() != approval.sha256 {
        return Err(Unfit::OtherBytes);
    }
    match approval.state {
        ApprovalState::Used => Ok(()),
        ApprovalState::Granted if approval.expires_at <= now => Err(Unfit::Expired(approval.expires_at)),
        ApprovalState::Granted => Ok(()),
        state => Err(Unfit::State(state)),
    }
}

#[cfg(test)]
mod tests;
