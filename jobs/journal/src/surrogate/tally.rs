//! What the rules cover, counted over all entries of the ledger. Adds up.

use std::collections::BTreeMap;

use super::Rules;
use crate::result::{Rule, Surrogate};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By the rules that apply, a bit for each: which of them are kept is known at the end.
    covered: BTreeMap<u16, Covered>,
}

/// Entries, and flagged ones among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Covered {
    entries: u64,
    flagged: u64,
}

impl Tally {
    /// Counts an entry by its row, see [`super::row`].
    pub fn add(&mut self, rules: &Rules, row: &[f64], is_flagged: bool) {
        let applying = (0..rules.len()).filter(|&rule| rules.apply(rule, row));
        let covered = self.covered.entry(applying.fold(0, |set, rule| set | 1 << rule)).or_default();
        covered.entries += 1;
        covered.flagged += u64::from(is_flagged);
    }

    /// With the counts of another part, under the same rules.
    pub fn merge(&mut self, other: &Self) {
        for (set, more) in &other.covered {
            let covered = self.covered.entry(*set).or_default();
            covered.entries += more.entries;
            covered.flagged += more.flagged;
        }
    }

    /// The rules that mostly flag in the whole ledger too, those that cover the most flagged entries first.
    pub fn finish(&self, rules: &Rules) -> Surrogate {
        let mut kept: Vec<(usize, Covered)> = (0..rules.len())
            .map(|rule| (rule, self.sum(|set| set & 1 << rule != 0)))
            .filter(|(_, covered)| 2 * covered.flagged > covered.entries)
            .collect();
        kept.sort_by_key(|(_, covered)| std::cmp::Reverse(covered.flagged));
        let any = kept.iter().fold(0, |set, (rule, _)| set | 1 << rule);
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        Surrogate {
            fidelity: share(self.sum(|set| set & any != 0).flagged, self.sum(|_| true).flagged),
            rules: kept
                .into_iter()
                .map(|(rule, Covered { entries, flagged })| Rule {
                    text: rules.words(rule),
                    support: entries,
                    precision: share(flagged, entries),
                })
                .collect(),
        }
    }

    fn sum(&self, of: impl Fn(u16) -> bool) -> Covered {
        let sum = |sum: Covered, (_, more): (&u16, &Covered)| Covered {
            entries: sum.entries + more.entries,
            flagged: sum.flagged + more.flagged,
        };
        self.covered.iter().filter(|(set, _)| of(**set)).fold(Covered::default(), sum)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::grown;
    use super::*;

    #[test]
    fn tallies_of_parts_are_the_tally_of_the_whole() {
        let (rules, rows) = grown();
        let of = |rows: &[(Vec<f64>, bool)]| {
            let mut tally = Tally::default();
            rows.iter().for_each(|(row, is_flagged)| tally.add(&rules, row, *is_flagged));
            tally
        };

        let mut merged = of(&rows[..rows.len() / 3]);
        merged.merge(&of(&rows[rows.len() / 3..]));

        assert_eq!(merged, of(&rows));
        assert_eq!(merged.finish(&rules), of(&rows).finish(&rules));
    }

    #[test]
    fn support_precision_and_fidelity_are_counted_over_all_entries() {
        let (rules, rows) = grown();
        let mut tally = Tally::default();
        rows.iter().for_each(|(row, is_flagged)| tally.add(&rules, row, *is_flagged));

        let surrogate = tally.finish(&rules);

        let flagged = |(_, is_flagged): &&(Vec<f64>, bool)| *is_flagged;
        let mut covered: Vec<(usize, usize, String)> = (0..rules.len())
            .map(|rule| {
                let under = || rows.iter().filter(|(row, _)| rules.apply(rule, row));
                (under().filter(flagged).count(), under().count(), rules.words(rule))
            })
            .collect();
        covered.sort_by_key(|(hits, ..)| std::cmp::Reverse(*hits));
        let told = covered.iter().map(|(hits, support, words)| Rule {
            text: words.clone(),
            support: *support as u64,
            precision: *hits as f64 / *support as f64,
        });
        let by_rules =
            rows.iter().filter(|(row, is)| *is && (0..rules.len()).any(|rule| rules.apply(rule, row)));
        assert_eq!(surrogate.rules, told.collect::<Vec<_>>());
        assert_eq!(surrogate.fidelity, by_rules.count() as f64 / rows.iter().filter(flagged).count() as f64);
    }

    #[test]
    fn a_rule_that_flags_half_of_what_it_covers_is_none() {
        let (rules, rows) = grown();
        let (row, _) = rows.iter().find(|(row, _)| rules.apply(0, row)).unwrap();
        let mut tally = Tally::default();
        [true, true, false].iter().for_each(|is_flagged| tally.add(&rules, row, *is_flagged));
        let before = tally.finish(&rules);
        tally.add(&rules, row, false);
        let after = tally.finish(&rules);

        assert_eq!((before.rules.len(), before.fidelity), (1, 1.0));
        assert_eq!((after.rules.len(), after.fidelity), (0, 0.0));
    }

    #[test]
    fn where_nothing_was_flagged_nothing_is_claimed() {
        let (rules, rows) = grown();
        let mut tally = Tally::default();
        assert_eq!(tally.finish(&rules), Surrogate::default());

        rows.iter().for_each(|(row, _)| tally.add(&rules, row, false));

        assert_eq!(tally.finish(&rules), Surrogate::default());
    }
}
