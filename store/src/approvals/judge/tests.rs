//! Tables of who may vote and what an approval is good for.

use jiff::SignedDuration;
use uuid::Uuid;

use super::super::{ApprovalId, RUN, VoteRow, digest};
use super::*;

const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn approval(state: ApprovalState, people: u8, voters: &[&str]) -> ApprovalRow {
    let vote =
        |voter: &&str| VoteRow { voter: (*voter).into(), verdict: Verdict::Grant, reason: None, at: NOON };
    ApprovalRow {
        id: ApprovalId(Uuid::nil()),
        action: RUN.into(),
        what: "{}".into(),
        salt: vec![7; 16],
        sha256: digest(&[7; 16], "{}").to_vec(),
        tenant: None,
        author: "user:ada".into(),
        people,
        permission: "approvals:give".into(),
        job: None,
        state,
        asked_at: NOON,
        expires_at: NOON + HOUR,
        ended_at: None,
        reason: None,
        votes: voters.iter().map(vote).collect(),
    }
}

#[test]
fn a_vote_is_another_persons_once_on_what_was_shown_and_in_time() {
    use ApprovalState::{Granted, Pending, Used};
    use Verdict::{Grant, Refuse};
    let own = hex(&digest(&[7; 16], "{}"));
    let (seen, other) = (Some(own.as_str()), "00".repeat(32));
    let wrong = VoteRefusal::OtherHash(own.clone());
    let (early, late) = (NOON, NOON + HOUR);
    let one = || approval(Pending, 1, &[]);
    for (approval, voter, verdict, seen, now, expected) in [
        (one(), "user:bob", Grant, seen, early, Ok(After::Granted)),
        (one(), "user:bob", Refuse, None, early, Ok(After::Refused)),
        (one(), "platform:idp:1", Grant, seen, early, Ok(After::Granted)),
        (one(), "user:ada", Grant, seen, early, Err(VoteRefusal::Author)),
        (one(), "user:ada", Refuse, None, early, Err(VoteRefusal::Author)),
        (one(), "service:ci", Grant, seen, early, Err(VoteRefusal::NoPerson("service:ci".into()))),
        (one(), "token:api", Grant, seen, early, Err(VoteRefusal::NoPerson("token:api".into()))),
        (one(), "user:bob", Grant, None, early, Err(wrong.clone())),
        (one(), "user:bob", Grant, Some(other.as_str()), early, Err(wrong)),
        (one(), "user:bob", Grant, seen, late, Err(VoteRefusal::Expired(late))),
        (approval(Pending, 2, &[]), "user:bob", Grant, seen, early, Ok(After::Pending)),
        (approval(Pending, 2, &["user:bob"]), "user:eve", Grant, seen, early, Ok(After::Granted)),
        (approval(Pending, 2, &["user:bob"]), "user:bob", Grant, seen, early, Err(VoteRefusal::VotedAlready)),
        (
            approval(Pending, 2, &["user:bob"]),
            "user:bob",
            Refuse,
            None,
            early,
            Err(VoteRefusal::VotedAlready),
        ),
        (
            approval(Granted, 1, &["user:bob"]),
            "user:eve",
            Refuse,
            None,
            early,
            Err(VoteRefusal::Over(Granted)),
        ),
        (approval(Used, 1, &["user:bob"]), "user:eve", Grant, seen, early, Err(VoteRefusal::Over(Used))),
    ] {
        let told = vote(&approval, voter, verdict, seen, now);
        assert_eq!(told, expected, "{voter} {verdict:?} {:?} {}", approval.state, approval.votes.len());
    }
}

#[test]
fn an_approval_is_good_for_its_own_bytes_in_the_hand_of_its_author() {
    use ApprovalState::{Expired, Granted, Pending, Refused, Used, Withdrawn};
    let late = NOON + HOUR;
    for (state, action, what, author, now, expected) in [
        (Granted, RUN, "{}", "user:ada", NOON, Ok(())),
        (Used, RUN, "{}", "user:ada", NOON, Ok(())),
        (Granted, RUN, "{}", "user:bob", NOON, Err(Unfit::OtherAuthor)),
        (Granted, "models.promote", "{}", "user:ada", NOON, Err(Unfit::OtherAction(RUN.into()))),
        (Granted, RUN, "{ }", "user:ada", NOON, Err(Unfit::OtherBytes)),
        (Used, RUN, "{ }", "user:ada", NOON, Err(Unfit::OtherBytes)),
        (Granted, RUN, "{}", "user:ada", late, Err(Unfit::Expired(late))),
        (Pending, RUN, "{}", "user:ada", NOON, Err(Unfit::State(Pending))),
        (Refused, RUN, "{}", "user:ada", NOON, Err(Unfit::State(Refused))),
        (Withdrawn, RUN, "{}", "user:ada", NOON, Err(Unfit::State(Withdrawn))),
        (Expired, RUN, "{}", "user:ada", NOON, Err(Unfit::State(Expired))),
    ] {
        let told = fits(&approval(state, 1, &[]), action, what, author, now);
        assert_eq!(told, expected, "{state:?} {action} {what} {author}");
    }
}

#[test]
fn what_is_over_is_not_taken_back() {
    for state in ApprovalState::ALL {
        assert_eq!(open(&approval(state, 1, &[]), NOON).is_ok(), state.is_open(), "{state:?}");
        assert!(open(&approval(state, 1, &[]), NOON + HOUR).is_err(), "{state:?}");
    }
}
