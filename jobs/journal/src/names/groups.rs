//! Names of which there are too many to be kept: they are counted in groups, or the ledger is refused.
//!
//! How many different names a ledger has, nobody knows before it is read; a column that is another for each line would take all memory. Names that are made of
//! texts, partners, and columns that no field is for may be that many: beyond a bound each of them is known by a group, which follows from its letters alone, so
//! that it does not matter who met how many of them. Of accounts, users and whatever completeness goes by nobody has so many: there the wrong column is mapped.

use xxhash_rust::xxh3::xxh3_64;

use super::Sort;

/// Two names are taken for each other once in so many times.
pub const GROUPS: u32 = 1 << 18;
/// Beside its letters, which are kept twice.
const BESIDE: usize = 96;

/// Bytes that different names may take while a thread reads.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one sort whose names may be grouped.
    pub(super) of_sort: usize,
    /// Of all others together.
    pub(super) kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Some 180,000 partners, and a million accounts and users, of ten letters each.
        Self { of_sort: 24 << 20, kept: 128 << 20 }
    }
}

impl Limits {
    /// Of one sort, in a ledger with so many extra ones: these share what two have.
    pub(super) fn of(self, sort: Sort, extra: usize) -> usize {
        match sort {
            Sort::Extra(_) => self.of_sort.min(2 * self.of_sort / extra.max(1)),
            sort if is_groupable(sort) => self.of_sort,
            _ => self.kept,
        }
    }

    /// Whether what is kept of each sort may be kept; without a weight it is too much already.
    pub(super) fn check(self, weights: impl Iterator<Item = (Sort, Option<usize>)>) -> Result<(), TooMany> {
        let kept = weights.filter(|(sort, _)| !is_groupable(*sort));
        let kept: Vec<_> = kept.map(|(sort, weight)| (sort, weight.unwrap_or(self.kept + 1))).collect();
        if kept.iter().map(|(_, weight)| weight).sum::<usize>() <= self.kept {
            return Ok(());
        }
        // Of two alike the first.
        let heaviest = kept.into_iter().rev().max_by_key(|(_, weight)| *weight);
        Err(TooMany { sort: heaviest.map_or("", |(sort, _)| sort.id()) })
    }
}

/// Whether names of this sort are grouped where there are too many.
fn is_groupable(sort: Sort) -> bool {
    match sort {
        Sort::Partner | Sort::HeaderHead | Sort::LineHead | Sort::ReferencePattern | Sort::Extra(_) => true,
        Sort::Account
        | Sort::Currency
        | Sort::Entity
        | Sort::Ledger
        | Sort::BusinessUnit
        | Sort::Source
        | Sort::DocumentType
        | Sort::User
        | Sort::Approver => false,
    }
}

pub(super) fn weight(name: &str) -> usize {
    2 * name.len() + BESIDE
}

/// No name is in a group of its own, with nothing else: it tells something.
pub(super) fn group(name: &str) -> u32 {
    if name.is_empty() { 0 } else { 1 + (xxh3_64(name.as_bytes()) % u64::from(GROUPS)) as u32 }
}

/// Titles are in the order of their groups.
pub(super) fn title(group: u32) -> Box<str> {
    match group.checked_sub(1) {
        None => "".into(),
        Some(group) => format!("group {group:05x}").into(),
    }
}

/// More different names than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{sort}` has more different values than a ledger can have; set columns.{sort} of the mapping to the column that really holds it, or leave it out"
)]
pub struct TooMany {
    pub sort: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_in_the_order_of_their_groups() {
        let names = ["", "ACME", "Acme", "a", "b", "c", "d", "e"];
        let mut groups: Vec<u32> = names.into_iter().map(group).collect();
        groups.sort_unstable();

        assert!(groups.is_sorted_by(|one, other| one < other), "{groups:?}");
        assert!(groups.iter().map(|&group| title(group)).is_sorted_by(|one, other| one < other));
        assert_eq!(
            (title(0), title(1), title(GROUPS)),
            ("".into(), "group 00000".into(), "group 3ffff".into())
        );
    }

    #[test]
    fn extra_columns_share_what_two_have() {
        let limits = Limits { of_sort: 100, kept: 1_000 };

        assert_eq!([Sort::Partner, Sort::Account].map(|sort| limits.of(sort, 9)), [100, 1_000]);
        assert_eq!([1, 2, 8].map(|count| limits.of(Sort::Extra(0), count)), [100, 100, 25]);
    }

    #[test]
    fn names_that_must_be_kept_have_one_bound_and_the_heaviest_is_named() {
        let limits = Limits { of_sort: 1, kept: 10 };
        let check = |account, user, partner| {
            let weights = [(Sort::Account, account), (Sort::User, user), (Sort::Partner, partner)];
            limits.check(weights.into_iter())
        };

        assert_eq!(check(Some(5), Some(5), None), Ok(()));
        assert_eq!(check(Some(5), Some(6), Some(0)), Err(TooMany { sort: "user" }));
        assert_eq!(check(None, Some(9), Some(0)), Err(TooMany { sort: "account" }));
    }
}
