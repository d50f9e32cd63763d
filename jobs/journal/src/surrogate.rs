//! A few rules that flag nearly what the scores flag: easier to discuss than a score, and never the score itself.
//!
//! The rules are leaves of decision trees on the measures of a sample of entries, flagged ones and others: one tree after the other, each on the flagged entries
//! that no rule covers yet. What the rules cover is then counted over all entries, so that support and precision are those of the ledger and not of the sample.
//!
//! [`row`] and [`columns()`] say what rules look at, [`Rules::grow`] finds them, a [`Tally`] counts.

mod columns;
mod relax;
mod round;
mod tally;
mod tree;

pub use columns::{Column, columns, row};
pub use tally::Tally;

/// More rules than this are not a few.
const MOST_RULES: usize = 12;
// A tally has a bit for each.
const _: () = assert!(MOST_RULES <= u16::BITS as usize);
/// Later ones find little.
const MOST_TREES: usize = 4;
/// A rule covers at least this share of the flagged entries in the sample beyond what others cover, and three of them.
const LEAST_SHARE: usize = 100;
const FEWEST: usize = 3;

/// Entries of a ledger, some of the flagged ones and some of the others, each drawn evenly; and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub flagged: Vec<Vec<f64>>,
    pub others: Vec<Vec<f64>>,
    pub all_flagged: u64,
    pub all_others: u64,
}

impl Sample {
    /// How many entries a flagged row and another one stand for.
    fn stands_for(&self) -> (f64, f64) {
        let each = |all: u64, rows: &[Vec<f64>]| all as f64 / rows.len().max(1) as f64;
        (each(self.all_flagged, &self.flagged), each(self.all_others, &self.others))
    }
}

/// Those that cover the most flagged entries of the sample first. An entry may fall under several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    columns: Vec<Column>,
    rules: Vec<relax::Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Condition {
    column: usize,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    From(f64),
    Below(f64),
}

impl Rules {
    /// None where nothing is flagged, or everything. The order of the rows does not matter.
    pub fn grow(columns: Vec<Column>, sample: &Sample) -> Result<Self, linfa::Error> {
        let least = (sample.flagged.len() / LEAST_SHARE).max(FEWEST);
        let mut rules: Vec<relax::Rule> = Vec::new();
        let mut left: Vec<&[f64]> = sample.flagged.iter().map(Vec::as_slice).collect();
        let others: Vec<&[f64]> = sample.others.iter().map(Vec::as_slice).collect();
        for _ in 0..MOST_TREES {
            let leaves = tree::grow(&left, &others, sample.stands_for(), least)?;
            let found =
                leaves.iter().map(|path| relax::relaxed(conditions(&columns, path), &columns, sample));
            rules = relax::cover(rules.into_iter().chain(found).collect(), least, sample);
            let known = left.len();
            left.retain(|row| !rules.iter().any(|rule| holds(rule, row)));
            if left.len() == known {
                break;
            }
        }
        rules.truncate(MOST_RULES);
        Ok(Self { columns, rules })
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the rule applies to an entry.
    pub fn apply(&self, rule: usize, row: &[f64]) -> bool {
        holds(&self.rules[rule], row)
    }

    /// As an auditor reads it.
    pub fn words(&self, rule: usize) -> String {
        let words = |condition: &Condition| self.columns[condition.column].words(condition.bound);
        self.rules[rule].iter().map(words).collect::<Vec<_>>().join(" and ")
    }
}

fn holds(rule: &[Condition], row: &[f64]) -> bool {
    rule.iter().all(|condition| match condition.bound {
        Bound::From(threshold) => row[condition.column] >= threshold,
        Bound::Below(threshold) => row[condition.column] < threshold,
    })
}

/// The tightest bounds of each column, in the order in which the path comes to them.
fn conditions(columns: &[Column], path: &[tree::Turn]) -> relax::Rule {
    let mut conditions: Vec<Condition> = Vec::new();
    for turn in path {
        let threshold = columns[turn.column].threshold(turn.gap.0, turn.gap.1);
        let bound = if turn.above { Bound::From(threshold) } else { Bound::Below(threshold) };
        let same =
            conditions.iter_mut().filter(|known| known.column == turn.column).find_map(|known| {
                match (&mut known.bound, bound) {
                    (Bound::From(known), Bound::From(_)) | (Bound::Below(known), Bound::Below(_)) => {
                        Some(known)
                    }
                    _ => None,
                }
            });
        // A path comes to a tighter bound later.
        match same {
            Some(known) => *known = threshold,
            None => conditions.push(Condition { column: turn.column, bound }),
        }
    }
    conditions
}

#[cfg(test)]
mod tests;
