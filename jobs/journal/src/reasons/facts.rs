//! What there is to say about an entry: its rarest value of each category, its amount, and the values that hardly ever meet.

use super::{About, Scene, UNCOMMON, amounts};
use crate::scoring::facets::{Facets, Pair};

/// A value that is four times as rare as the values of its category are is rare; where there are four hundred accounts, one in four hundred is none.
const RARER: f64 = 2.0 * std::f64::consts::LN_2;
/// Values that meet a tenth as often as they should are worth a word.
const SELDOM: f64 = std::f64::consts::LN_10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Value {
        dim: usize,
        value: u32,
    },
    /// What the entry moves and how far its amounts are from what is usual: one matter to a reader, two columns to a forest.
    Amount,
    Pair {
        pair: Pair,
        a: u32,
        b: u32,
    },
}

impl Subject {
    pub(super) fn is_pair(self) -> bool {
        matches!(self, Self::Pair { .. })
    }

    /// The values of a pair, each with its category.
    pub(super) fn ends(self) -> Option<[(usize, u32); 2]> {
        match self {
            Self::Pair { pair, a, b } => Some([(pair.0, a), (pair.1, b)]),
            Self::Value { .. } | Self::Amount => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fact {
    pub(super) subject: Subject,
    /// By how many splits earlier than expected it set the entry apart.
    pub(super) splits: f64,
    /// By how much more than that of other entries it counts in the sum of values.
    pub(super) in_sum: f64,
    /// How much it counts in the sum of pairs: half of each pair that it is in.
    pub(super) in_pairs: f64,
    /// Whether a reader would find it unusual too.
    pub(super) notable: bool,
}

/// Values in the order of their categories, the amount, pairs with the most striking first. All splits of an entry's rows are in them, each once.
pub(super) fn of(scene: &Scene<'_>, usual: &[f64], about: &About<'_>) -> Vec<Fact> {
    let mut facets = Facets::default();
    facets.look(scene.dims, about.postings);
    let mut facts = values(scene, usual, about, &mut facets);
    if let [amount, deviation] = about.splits.values[scene.dims.len()..] {
        facts.push(Fact {
            subject: Subject::Amount,
            splits: amount + deviation,
            // The mean of what ranks say is 1.
            in_sum: scene.combiner.amount_in_sum(about.measures) - 1.0,
            in_pairs: 0.0,
            notable: amounts::is_notable(scene, about.postings),
        });
    }
    let pairs = pairs(scene, about, &mut facets);
    for pair in &pairs {
        let ends = pair.subject.ends().into_iter().flatten();
        for end in ends.map(|(dim, value)| Subject::Value { dim, value }) {
            if let Some(fact) = facts.iter_mut().find(|fact| fact.subject == end) {
                fact.in_pairs += pair.in_pairs / 2.0;
            }
        }
    }
    facts.extend(pairs);
    facts
}

fn values(scene: &Scene<'_>, usual: &[f64], about: &About<'_>, facets: &mut Facets) -> Vec<Fact> {
    let mut rarest: Vec<Option<(u32, f64)>> = vec![None; scene.dims.len()];
    facets.each_value(|dim, value| {
        let surprisal = scene.yardstick.usual.surprisal(dim, value);
        if rarest[dim].is_none_or(|(_, highest)| surprisal > highest) {
            rarest[dim] = Some((value, surprisal));
        }
    });
    let fact = |(dim, rarest): (usize, &Option<(u32, f64)>)| {
        let (value, surprisal) = (*rarest)?;
        Some(Fact {
            subject: Subject::Value { dim, value },
            splits: about.splits.values[dim],
            in_sum: surprisal - usual[dim],
            in_pairs: 0.0,
            notable: surprisal >= UNCOMMON && surprisal - usual[dim] >= RARER,
        })
    };
    rarest.iter().enumerate().filter_map(fact).collect()
}

/// The most striking pair of each two categories. The forest of combinations knows the three highest residuals, which are told of their pairs, and two sums,
/// of which each pair has the share that it has in the sum.
fn pairs(scene: &Scene<'_>, about: &About<'_>, facets: &mut Facets) -> Vec<Fact> {
    let mut found: Vec<(Pair, (u32, u32), f64)> = Vec::new();
    facets.each_pair(|pair, a, b| {
        let residual = scene.yardstick.usual.reference.residual(pair, a, b);
        match found.last_mut() {
            // Those of two categories come one after the other.
            Some(last) if last.0 == pair => {
                if residual > last.2 {
                    *last = (pair, (a, b), residual);
                }
            }
            _ => found.push((pair, (a, b), residual)),
        }
    });
    found.retain(|(_, _, residual)| *residual > 0.0);
    found.sort_by(|(_, _, a), (_, _, b)| b.total_cmp(a));
    let above: f64 = found.iter().map(|(_, _, residual)| residual).sum();
    let [a, b, c, together, sum] = about.splits.pairs;
    let highest = [a, b, c].into_iter().chain(std::iter::repeat(0.0));
    let fact = |((pair, (a, b), residual), own): ((Pair, (u32, u32), f64), f64)| Fact {
        subject: Subject::Pair { pair, a, b },
        splits: own + (together + sum) * residual / above,
        // Pairs count a quarter.
        in_sum: residual / 4.0,
        in_pairs: residual,
        notable: residual >= SELDOM,
    };
    found.into_iter().zip(highest).map(fact).collect()
}
