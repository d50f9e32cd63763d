//! Of all that the provider has under a key: which one counts. Pure.
//!
//! Each envelope carries the transaction of what was asked for, beside its key. One of our own transaction is ours, draft or not. One of another went out for another
//! request: what was asked for before was refused, or the database was restored to before it was asked for. A draft of another is nobody's: it has the words of then.

use crate::phase::Phase;
use crate::provider::Found;

/// The one that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    Draft(String),
    Out(String),
    /// It went out for a request that this record does not tell of.
    Before(String),
}

/// One that went out goes before a draft, and else the oldest draft, which another attempt would choose too. Found are the oldest first.
pub fn known(found: &[Found], transaction: &str) -> Option<Known> {
    let is_own = |found: &&Found| {
        found.transaction.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(transaction))
    };
    let is_out = |found: &&Found| !matches!(found.status.phase(), Phase::Drafted | Phase::Deleted);
    let is_draft = |found: &&Found| found.status.phase() == Phase::Drafted;
    let out = found.iter().filter(is_out);
    let own = out.clone().find(is_own).map(|found| Known::Out(found.id.clone()));
    own.or_else(|| out.clone().next().map(|found| Known::Before(found.id.clone()))).or_else(|| {
        let draft = found.iter().filter(is_draft).find(is_own);
        draft.map(|found| Known::Draft(found.id.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::Status;

    #[test]
    fn one_that_went_out_is_adopted_before_a_draft_and_else_the_oldest_of_our_own() {
        let found = |id: &str, status, transaction: Option<&str>| Found {
            id: id.into(),
            status,
            made_at: None,
            transaction: transaction.map(str::to_owned),
        };
        let own = Some("t");
        for (found, expected) in [
            (vec![], None),
            (vec![found("a", Status::Deleted, own)], None),
            (
                vec![found("a", Status::Created, own), found("b", Status::Created, own)],
                Some(Known::Draft("a".into())),
            ),
            (
                vec![found("a", Status::Created, own), found("b", Status::Delivered, own)],
                Some(Known::Out("b".into())),
            ),
            (
                vec![found("a", Status::Deleted, own), found("b", Status::Created, Some("T"))],
                Some(Known::Draft("b".into())),
            ),
            // Of another request: what went out counts, and a draft does not.
            (vec![found("a", Status::Created, Some("u"))], None),
            (
                vec![found("a", Status::Created, Some("u")), found("b", Status::Created, own)],
                Some(Known::Draft("b".into())),
            ),
            (
                vec![found("a", Status::Created, own), found("b", Status::Voided, Some("u"))],
                Some(Known::Before("b".into())),
            ),
            (
                vec![found("a", Status::Sent, Some("u")), found("b", Status::Sent, own)],
                Some(Known::Out("b".into())),
            ),
            // Nobody says of which.
            (vec![found("a", Status::Created, None)], None),
            (vec![found("a", Status::Completed, None)], Some(Known::Before("a".into()))),
        ] {
            assert_eq!(known(&found, "t"), expected, "{found:?}");
        }
    }
}
