//! What a check found: the first of it, and how much there was.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

/// Nobody reads more of them.
pub const MOST_FINDINGS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict<T> {
    /// After so many lines, entries or accounts.
    Passed {
        checked: u64,
    },
    Failed(Findings<T>),
    /// Why.
    NotPossible(String),
}

impl<T> Verdict<T> {
    pub fn findings(&self) -> &[T] {
        match self {
            Self::Failed(findings) => &findings.first,
            Self::Passed { .. } | Self::NotPossible(_) => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings<T> {
    /// In order, at most [`MOST_FINDINGS`].
    pub first: Vec<T>,
    /// Of all of them.
    pub count: u64,
}

/// Collects findings in any order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Ord + Deserialize<'de>", serialize = "T: Ord + Serialize"))]
pub struct Firsts<T> {
    /// The last in order on top, to be the first to go.
    kept: BinaryHeap<T>,
    count: u64,
}

impl<T: Ord> Default for Firsts<T> {
    fn default() -> Self {
        Self { kept: BinaryHeap::new(), count: 0 }
    }
}

impl<T: Ord> Firsts<T> {
    pub fn push(&mut self, finding: T) {
        self.count += 1;
        self.keep(finding);
    }

    fn keep(&mut self, finding: T) {
        if self.kept.len() < MOST_FINDINGS {
            self.kept.push(finding);
        } else if let Some(mut last) = self.kept.peek_mut()
            && finding < *last
        {
            *last = finding;
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        for finding in other.kept {
            self.keep(finding);
        }
    }

    pub fn verdict(self, checked: u64) -> Verdict<T> {
        match self.count {
            0 => Verdict::Passed { checked },
            count => Verdict::Failed(Findings { first: self.kept.into_sorted_vec(), count }),
        }
    }
}

impl<T: Ord> FromIterator<T> for Firsts<T> {
    fn from_iter<I: IntoIterator<Item = T>>(findings: I) -> Self {
        let mut firsts = Self::default();
        for finding in findings {
            firsts.push(finding);
        }
        firsts
    }
}

/// What is kept counts, not how the heap lies.
impl<T: Ord + Clone> PartialEq for Firsts<T> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
            && self.kept.clone().into_sorted_vec() == other.kept.clone().into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_first_thousand_and_counts_all_in_any_order() {
        let forward: Firsts<u32> = (0..1_500).collect();
        let mut merged: Firsts<u32> = (700..1_500).rev().collect();
        merged.merge((0..700).rev().collect());

        assert_eq!(merged, forward);
        let Verdict::Failed(findings) = merged.verdict(9_999) else { panic!() };
        assert_eq!(findings.first, (0..1_000).collect::<Vec<_>>());
        assert_eq!(findings.count, 1_500);
        assert_eq!(Firsts::<u32>::default().verdict(7), Verdict::Passed { checked: 7 });
    }
}
