//! Two results side by side: what was read, how it was scored, what was found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Band, Parameter, Results, TopEntry};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub same_input: bool,
    pub same_scores: bool,
    /// Settings that differ.
    pub parameters: Vec<Change<String>>,
    pub population: Vec<Change<u64>>,
    /// Entries hit by each test that hits another number of them.
    pub tests: Vec<Change<u64>>,
    pub bands: Vec<Change<u64>>,
    /// Of the entries listed at the top: only in one, in the order of the other, or moved.
    pub gone: Vec<String>,
    pub new: Vec<String>,
    pub moved: Vec<Moved>,
}

/// None where one of the two does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    pub name: String,
    pub before: Option<T>,
    pub after: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    pub entry: String,
    pub rank_before: u64,
    pub rank_after: u64,
    pub risk_before: f64,
    pub risk_after: f64,
}

impl Comparison {
    pub fn of(before: &Results, after: &Results) -> Self {
        let tops = |results: &Results| -> BTreeMap<String, TopEntry> {
            results.top.listed().iter().map(|top| (top.entry.clone(), top.clone())).collect()
        };
        let (of_before, of_after) = (tops(before), tops(after));
        let only = |of: &Results, other: &BTreeMap<String, TopEntry>| {
            let missing = of.top.listed().iter().filter(|top| !other.contains_key(&top.entry));
            missing.map(|top| top.entry.clone()).collect()
        };
        let moved = after.top.listed().iter().filter_map(|after| {
            let before = of_before.get(&after.entry)?;
            let differs = before.rank != after.rank || before.risk.to_bits() != after.risk.to_bits();
            differs.then(|| Moved {
                entry: after.entry.clone(),
                rank_before: before.rank,
                rank_after: after.rank,
                risk_before: before.risk,
                risk_after: after.risk,
            })
        });
        let parameters = |results: &Results| {
            results.parameters.iter().map(|Parameter { name, value }| (name.clone(), value.clone())).collect()
        };
        let population = |results: &Results| {
            let population = &results.population;
            [("entries".to_string(), population.entries), ("lines".to_string(), population.lines)].into()
        };
        let tests = |results: &Results| {
            results.tests.iter().map(|test| (test.id.clone(), test.hits.total())).collect()
        };
        let bands = |results: &Results| {
            let count = |band: Band| {
                results.bands.iter().filter(|count| count.band == band).map(|count| count.entries).sum()
            };
            Band::ALL.map(|band| (band.name().to_string(), count(band))).into()
        };
        Self {
            same_input: before.inputs_sha256() == after.inputs_sha256(),
            same_scores: before.scores_sha256 == after.scores_sha256,
            parameters: changes(&parameters(before), &parameters(after)),
            population: changes(&population(before), &population(after)),
            tests: changes(&tests(before), &tests(after)),
            bands: changes(&bands(before), &bands(after)),
            gone: only(before, &of_after),
            new: only(after, &of_before),
            moved: moved.collect(),
        }
    }
}

fn changes<T: Clone + PartialEq>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) -> Vec<Change<T>> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::results;
    use super::*;

    #[test]
    fn results_compared_with_themselves_differ_in_nothing() {
        let one = results(7);

        let same = Comparison::of(&one, &one);

        assert!(same.same_input && same.same_scores);
        assert!(
            same.parameters.is_empty()
                && same.population.is_empty()
                && same.tests.is_empty()
                && same.bands.is_empty()
        );
        assert!(same.gone.is_empty() && same.new.is_empty() && same.moved.is_empty());
    }

    #[test]
    fn what_changed_is_named() {
        let before = results(7);
        let mut after = before.clone();
        after.inputs[0].sha256 = "other".into();
        after.parameters[0].value = "other".into();
        after.population.entries += 1;
        let mut top: Vec<TopEntry> = after.top.listed().to_vec();
        let gone = top.remove(0).entry;
        top[0].rank += 5;
        let moved = top[0].entry.clone();
        top.push(TopEntry { entry: "NEW".into(), ..top[1].clone() });
        after.top = super::super::Listed::of(top, 0);

        let found = Comparison::of(&before, &after);

        assert!(!found.same_input);
        assert_eq!(found.parameters[0].after.as_deref(), Some("other"));
        assert_eq!(
            found.population,
            [Change {
                name: "entries".into(),
                before: Some(before.population.entries),
                after: Some(after.population.entries)
            }]
        );
        assert_eq!((found.gone, found.new), (vec![gone], vec!["NEW".to_string()]));
        assert_eq!(found.moved.into_iter().map(|one| one.entry).collect::<Vec<_>>(), [moved]);
    }
}
