//! Why an entry is unusual, in plain words with plain values that a reader can count again in the ledger.
//!
//! First comes the reason of whoever had the strongest word on the entry, see [`crate::scoring::combine`]; then what set it apart in the forests, the weightiest
//! first. What a forest's split credits to a column is told of that column's value: [`mod@splits`] has the credits, [`facts`] the values behind
//! them, and the other files make words of these. What is ordinary is not told, and nothing twice: an entry about which nothing is unusual has no reasons.

use crate::names::Names;
use crate::part::Posting;
use crate::result::Reason;
use crate::scoring::combine::{Combiner, Scored, Winner};
use crate::scoring::dims::Dims;
use crate::scoring::measures::{Empty, Measures, Signal, Yardstick};

mod amounts;
mod facts;
mod numbers;
mod phrases;
mod signals;
mod splits;

pub use splits::{Splits, splits};

use facts::{Fact, Subject};

/// More do not help a reader.
const MOST: usize = 6;
/// What one entry in twenty has is not told.
const UNCOMMON: f64 = 2.995_732_273_553_991;
/// Of so few splits a reader would see 0.00.
const LEAST_SPLITS: f64 = 0.005;
/// So many values are named where only all of them together are rare.
const TOGETHER: usize = 3;

/// What entries are told by.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub names: &'a Names,
    pub dims: &'a Dims,
    pub yardstick: &'a Yardstick,
    pub combiner: &'a Combiner,
    pub empty: Empty,
    /// What the columns of the extra sorts are called.
    pub titles: &'a [String],
}

/// An entry that is told about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub postings: &'a [Posting],
    pub measures: &'a Measures,
    pub scored: Scored,
    pub splits: &'a Splits,
}

/// Makes words of entries.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    scene: Scene<'a>,
    /// How rare the values of each category are on the average: what every entry is, is no reason.
    usual: Vec<f64>,
}

impl<'a> Words<'a> {
    pub fn new(scene: Scene<'a>) -> Self {
        let usual = (0..scene.dims.len()).map(|dim| scene.yardstick.usual.mean_surprisal(dim)).collect();
        Self { scene, usual }
    }

    /// The winner's first, then the weightiest.
    pub fn reasons(&self, about: &About<'_>) -> Vec<Reason> {
        if about.scored.score < UNCOMMON {
            return Vec::new();
        }
        let facts = facts::of(&self.scene, &self.usual, about);
        let first = self.first(about, &facts);
        let told: Vec<Subject> = first.iter().flat_map(|(subjects, _)| subjects.clone()).collect();
        let others = self.others(&facts, told);
        let others = others.into_iter().map(|fact| self.reason(about, fact.subject, fact.splits));
        first.map(|(_, reason)| reason).into_iter().chain(others).take(MOST).collect()
    }

    /// The reason of whoever had the strongest word, and what need not be told once it is.
    fn first(&self, about: &About<'_>, facts: &[Fact]) -> Option<(Vec<Subject>, Reason)> {
        let notable = || facts.iter().filter(|fact| fact.notable);
        let fact = match about.scored.winner {
            Winner::Test(signal) => return self.signal(about, signal, facts),
            Winner::Values => most(notable(), |fact| fact.in_sum),
            Winner::ValueForest => most(notable().filter(|fact| !fact.subject.is_pair()), |fact| fact.splits),
            // A value that is rare makes all its pairs a little rare: it is told where no pair is striking by itself.
            Winner::Pairs | Winner::PairForest => notable()
                .find(|fact| fact.subject.is_pair())
                .or_else(|| most(notable().filter(|fact| fact.in_pairs > 0.0), |fact| fact.in_pairs))
                .or_else(|| facts.iter().find(|fact| self.is_seldom(fact.subject))),
            Winner::Amount => facts.iter().find(|fact| fact.subject == Subject::Amount),
        };
        match fact {
            Some(fact) => Some((vec![fact.subject], self.reason(about, fact.subject, fact.splits))),
            None => self.together(facts),
        }
    }

    /// Whether it is two values that meet half as often as they should.
    fn is_seldom(&self, subject: Subject) -> bool {
        let reference = &self.scene.yardstick.usual.reference;
        match subject {
            Subject::Pair { pair, a, b } => reference
                .count_pair(pair, a, b)
                .is_some_and(|met| reference.expected(pair, a, b) >= 2.0 * met.max(1) as f64),
            Subject::Value { .. } | Subject::Amount => false,
        }
    }

    fn signal(&self, about: &About<'_>, signal: Signal, facts: &[Fact]) -> Option<(Vec<Subject>, Reason)> {
        let words = signals::words(&self.scene, about.postings, signal)?;
        let dims = signals::dims(&self.scene, about.postings, signal);
        let same = facts.iter().filter(|fact| match fact.subject {
            Subject::Value { dim, .. } => dims.contains(&self.scene.dims.get(dim)),
            Subject::Amount | Subject::Pair { .. } => false,
        });
        let contribution = same.clone().fold(0.0, |sum, fact| sum + fact.splits);
        let reason = Reason { feature: signal.id().into(), contribution, words };
        Some((same.map(|fact| fact.subject).collect(), reason))
    }

    /// No value is rare by itself.
    fn together(&self, facts: &[Fact]) -> Option<(Vec<Subject>, Reason)> {
        let mut named: Vec<&Fact> =
            facts.iter().filter(|fact| fact.in_sum > 0.0 && !fact.subject.is_pair()).collect();
        named.sort_by(|a, b| b.in_sum.total_cmp(&a.in_sum));
        let of_values = named.iter().filter_map(|fact| match fact.subject {
            Subject::Value { dim, value } => Some((dim, value)),
            Subject::Amount | Subject::Pair { .. } => None,
        });
        let values: Vec<(usize, u32)> = of_values.take(TOGETHER).collect();
        let words = phrases::together(&self.scene, &values)?;
        let subject = |&(dim, value): &(usize, u32)| Subject::Value { dim, value };
        let subjects: Vec<Subject> = values.iter().map(subject).collect();
        let told = facts.iter().filter(|fact| subjects.contains(&fact.subject));
        let contribution = told.fold(0.0, |sum, fact| sum + fact.splits);
        Some((subjects, Reason { feature: "values".into(), contribution, words }))
    }

    /// What else set the entry apart.
    fn others(&self, facts: &[Fact], mut told: Vec<Subject>) -> Vec<Fact> {
        let mut others: Vec<Fact> = facts
            .iter()
            .filter(|fact| fact.notable && fact.splits >= LEAST_SPLITS && !told.contains(&fact.subject))
            .copied()
            .collect();
        others.sort_by(|a, b| b.splits.total_cmp(&a.splits));
        others.retain(|fact| {
            let again = told.iter().any(|known| self.says_the_same(*known, fact.subject));
            told.push(fact.subject);
            !again
        });
        others
    }

    /// Two pairs say the same where one value is in both and the other values mark the very same entries, as a source does that has one document type.
    fn says_the_same(&self, one: Subject, other: Subject) -> bool {
        let (Some(one), Some(other)) = (one.ends(), other.ends()) else { return false };
        let reference = &self.scene.yardstick.usual.reference;
        let alike = |(dim, value): (usize, u32), (other_dim, other_value): (usize, u32)| {
            let met = match dim.cmp(&other_dim) {
                std::cmp::Ordering::Less => reference.count_pair((dim, other_dim), value, other_value),
                std::cmp::Ordering::Greater => reference.count_pair((other_dim, dim), other_value, value),
                std::cmp::Ordering::Equal => (value == other_value).then(|| reference.count(dim, value)),
            };
            met == Some(reference.count(dim, value)) && met == Some(reference.count(other_dim, other_value))
        };
        (alike(one[0], other[0]) && alike(one[1], other[1]))
            || (alike(one[0], other[1]) && alike(one[1], other[0]))
    }

    fn reason(&self, about: &About<'_>, subject: Subject, splits: f64) -> Reason {
        let (feature, words) = match subject {
            Subject::Value { dim, value } => {
                (phrases::feature(&self.scene, dim), phrases::value(&self.scene, about.postings, dim, value))
            }
            Subject::Amount => ("amount".into(), amounts::words(&self.scene, about.postings)),
            Subject::Pair { pair, a, b } => (
                format!(
                    "{} + {}",
                    phrases::feature(&self.scene, pair.0),
                    phrases::feature(&self.scene, pair.1)
                ),
                phrases::meeting(&self.scene, pair, a, b),
            ),
        };
        Reason { feature, contribution: splits, words }
    }
}

/// The first of equals.
fn most<'f>(
    facts: impl DoubleEndedIterator<Item = &'f Fact>,
    weight: impl Fn(&Fact) -> f64,
) -> Option<&'f Fact> {
    facts.rev().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

#[cfg(test)]
mod tests;
