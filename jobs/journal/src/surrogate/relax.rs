//! From the leaves of a tree to rules that are short: of a path, most turns only say which other rules do not apply.
//!
//! A condition without which a rule is as precise goes, whatever it excluded was mostly flagged too. Rules overlap then, and some cover nothing that others do
//! not cover already.

use super::{Bound, Column, Condition, Sample};

/// So much of what a rule covers, and of its precision, may a round threshold cost.
const LITTLE: f64 = 0.01;

/// Conditions that hold together.
pub(super) type Rule = Vec<Condition>;

/// Rows of the sample under a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Covered {
    flagged: f64,
    others: f64,
}

impl Covered {
    /// Entries of the ledger, each row standing for several.
    fn precision(self, sample: &Sample) -> f64 {
        let (flagged_for, others_for) = sample.stands_for();
        let flagged = self.flagged * flagged_for;
        if flagged == 0.0 { 0.0 } else { flagged / (flagged + self.others * others_for) }
    }
}

fn covered(rule: &[Condition], sample: &Sample) -> Covered {
    let count = |rows: &[Vec<f64>]| rows.iter().filter(|row| super::holds(rule, row)).count() as f64;
    Covered { flagged: count(&sample.flagged), others: count(&sample.others) }
}

/// Without the conditions that make the rule no more precise, and with round thresholds where they do as well.
pub(super) fn relaxed(rule: Rule, columns: &[Column], sample: &Sample) -> Rule {
    let rule = shortened(rule, sample);
    (0..rule.len()).fold(rule, |rule, place| rounded(rule, place, columns, sample))
}

fn shortened(mut rule: Rule, sample: &Sample) -> Rule {
    let mut precision = covered(&rule, sample).precision(sample);
    while rule.len() > 1 {
        let without = |place: usize| {
            let mut shorter = rule.clone();
            shorter.remove(place);
            (covered(&shorter, sample).precision(sample), shorter)
        };
        // Of equals without the last, which mattered least when the path came to it.
        let shorter = (0..rule.len()).map(without).max_by(|(a, _), (b, _)| a.total_cmp(b));
        match shorter {
            Some((reached, shorter)) if reached >= precision => (precision, rule) = (reached, shorter),
            _ => break,
        }
    }
    rule
}

/// With the threshold in this place written with one digit, two or three, if that costs next to nothing.
fn rounded(rule: Rule, place: usize, columns: &[Column], sample: &Sample) -> Rule {
    let before = covered(&rule, sample);
    let candidate = |digits: u32| {
        let mut rounder = rule.clone();
        let Condition { column, bound } = &mut rounder[place];
        let (Bound::From(threshold) | Bound::Below(threshold)) = bound;
        *threshold = columns[*column].rounded(*threshold, digits);
        rounder
    };
    let is_as_good = |rounder: &Rule| {
        let after = covered(rounder, sample);
        after.flagged >= before.flagged * (1.0 - LITTLE)
            && after.precision(sample) >= before.precision(sample) - LITTLE
    };
    (1..=3).map(candidate).find(is_as_good).unwrap_or(rule)
}

/// Those of the rules that cover at least so many flagged rows that none of the rules before covers, the ones that cover most first.
pub(super) fn cover(rules: Vec<Rule>, least: usize, sample: &Sample) -> Vec<Rule> {
    let mut left: Vec<&Vec<f64>> = sample.flagged.iter().collect();
    let mut rules = rules;
    let mut chosen = Vec::new();
    loop {
        let news = |rule: &Rule| left.iter().filter(|row| super::holds(rule, row)).count();
        // The first of equals.
        let best = rules.iter().map(news).enumerate().rev().max_by_key(|(_, news)| *news);
        let Some((place, _)) = best.filter(|(_, news)| *news >= least) else { return chosen };
        let rule = rules.remove(place);
        left.retain(|row| !super::holds(&rule, row));
        chosen.push(rule);
    }
}

#[cfg(test)]
mod tests;
