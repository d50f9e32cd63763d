//! Who is compared with whom: entries of one entity, made by hand or not, among themselves where there are enough of them.
//!
//! What people enter by hand is what auditors are asked to look at, and beside millions of automatic entries all of it is rare. Populations that are too
//! small to say what is usual are one together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{Names, Sort, Symbol};
use crate::part::Posting;
use crate::stored::{Broken, Reader, Stored};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether entities, and entries by hand, are measured apart.
    pub apart: bool,
    /// Fewer entries do not say what is usual among them.
    pub least_entries: u64,
    /// The largest so many; the others are one together.
    pub most: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { apart: true, least_entries: 2_000, most: 16 }
    }
}

/// Entity, and whether by hand.
pub type Key = (Symbol, Option<bool>);

/// That of an entry; its first line speaks for it.
pub fn key(postings: &[Posting]) -> Key {
    postings.first().map_or((Symbol(0), None), |first| (first.entity, first.manual))
}

/// Entries of each; adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Key, u64>);

impl Counts {
    pub fn add(&mut self, postings: &[Posting]) {
        *self.0.entry(key(postings)).or_insert(0) += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, more) in &other.0 {
            *self.0.entry(*key).or_insert(0) += more;
        }
    }
}

impl Stored for Counts {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        let counts = self.0.iter().map(|(&(entity, manual), &entries)| ((entity.0, manual), entries));
        counts.collect::<Vec<_>>().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let counts: Vec<((u32, Option<bool>), u64)> = Stored::take(from)?;
        let counts =
            counts.into_iter().map(|((entity, manual), entries)| ((Symbol(entity), manual), entries));
        Ok(Self(counts.collect()))
    }
}

/// The populations of a ledger. The first holds whoever has none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Populations {
    apart: Vec<Key>,
    places: BTreeMap<Key, usize>,
    titles: Vec<String>,
}

impl Populations {
    pub fn of(counts: &Counts, config: &Config, names: &Names) -> Self {
        let mut largest: Vec<(&Key, &u64)> = counts.0.iter().collect();
        largest.sort_by_key(|(key, entries)| (std::cmp::Reverse(**entries), **key));
        let enough = |(_, entries): &(&Key, &u64)| config.apart && **entries >= config.least_entries;
        let mut own = largest.iter().take_while(|one| enough(one)).count().min(config.most);
        // Those that are too small are together too small as well: others join them.
        let left = |own: usize| largest[own..].iter().map(|(_, entries)| **entries).sum::<u64>();
        while own > 0 && (1..config.least_entries).contains(&left(own)) {
            own -= 1;
        }
        let mut apart: Vec<Key> = largest[..own].iter().map(|(key, _)| **key).collect();
        apart.sort_unstable();
        // One population that holds everything is the whole ledger.
        if apart.len() == counts.0.len() && apart.len() == 1 {
            apart.clear();
        }
        Self::known(apart, names)
    }

    /// The whole ledger, and nobody apart.
    pub fn one() -> Self {
        Self { apart: Vec::new(), places: BTreeMap::new(), titles: vec![ALL.into()] }
    }

    /// Those that stand apart, in their order.
    pub fn known(apart: Vec<Key>, names: &Names) -> Self {
        let places = apart.iter().enumerate().map(|(place, key)| (*key, place + 1)).collect();
        let first = if apart.is_empty() { ALL } else { "others" };
        let apart_titles = apart.iter().map(|key| title(*key, names));
        let titles = std::iter::once(first.to_string()).chain(apart_titles).collect();
        Self { apart, places, titles }
    }

    /// How many there are; at least the first, which may hold nobody.
    pub fn count(&self) -> usize {
        self.titles.len()
    }

    /// The population of an entry.
    pub fn place(&self, postings: &[Posting]) -> usize {
        self.places.get(&key(postings)).copied().unwrap_or(0)
    }

    pub fn title(&self, place: usize) -> &str {
        &self.titles[place]
    }

    /// Entity, and whether by hand; none for the first.
    pub fn key_of(&self, place: usize) -> Option<Key> {
        place.checked_sub(1).and_then(|place| self.apart.get(place).copied())
    }
}

/// What a population is called that has all entries.
const ALL: &str = "all";

fn title((entity, manual): Key, names: &Names) -> String {
    let how = match manual {
        Some(true) => "by hand",
        Some(false) => "automatic",
        None => "all",
    };
    match names.name(Sort::Entity, entity) {
        "" => how.into(),
        entity => format!("{entity}, {how}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;
    use crate::part::{Part, from_lines};

    fn ledger(groups: &[(&str, Option<bool>, usize)]) -> (Part, Names) {
        let ids: Vec<String> =
            (0..groups.iter().map(|group| group.2).sum()).map(|id| format!("{id:05}")).collect();
        let of = groups
            .iter()
            .flat_map(|&(entity, manual, entries)| std::iter::repeat_n((entity, manual), entries));
        from_lines(ids.iter().zip(of).map(|(entry, (entity, manual))| Line {
            entry,
            entity,
            manual,
            ..Line::default()
        }))
    }

    /// The titles, and how many entries each has.
    fn populations(groups: &[(&str, Option<bool>, usize)], config: Config) -> Vec<(String, usize)> {
        let (part, names) = ledger(groups);
        let mut counts = Counts::default();
        part.entries().iter().for_each(|entry| counts.add(part.postings_of(entry)));
        let populations = Populations::of(&counts, &config, &names);
        let mut sizes = vec![0; populations.count()];
        part.entries().iter().for_each(|entry| sizes[populations.place(part.postings_of(entry))] += 1);
        sizes
            .into_iter()
            .enumerate()
            .map(|(place, size)| (populations.title(place).to_string(), size))
            .collect()
    }

    #[test]
    fn populations_with_enough_entries_stand_apart_and_the_others_are_one() {
        let config = Config { least_entries: 10, ..Config::default() };
        let (hand, automatic) = (Some(true), Some(false));
        for (groups, expected) in [
            (
                &[("1000", hand, 12), ("1000", automatic, 30), ("2000", None, 6), ("3000", None, 5)][..],
                &[("others", 11), ("1000, automatic", 30), ("1000, by hand", 12)][..],
            ),
            (
                &[("1000", hand, 12), ("1000", automatic, 30)],
                &[("others", 0), ("1000, automatic", 30), ("1000, by hand", 12)],
            ),
            // Too few are left alone.
            (
                &[("1000", hand, 12), ("1000", automatic, 30), ("2000", None, 9)],
                &[("others", 21), ("1000, automatic", 30)],
            ),
            (&[("", hand, 11), ("", automatic, 3)], &[("all", 14)]),
            (&[("1000", None, 40)], &[("all", 40)]),
            (&[("1000", hand, 3), ("1000", automatic, 4)], &[("all", 7)]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(title, size)| (title.to_string(), *size)).collect();
            assert_eq!(populations(groups, config), expected, "{groups:?}");
        }
    }

    #[test]
    fn only_the_largest_stand_apart_and_none_if_nobody_wants_it() {
        let groups = [("a", None, 20), ("b", None, 30), ("c", None, 20), ("d", None, 12)];
        let own =
            |config| populations(&groups, config).into_iter().map(|(title, _)| title).collect::<Vec<_>>();

        assert_eq!(
            own(Config { least_entries: 10, most: 2, ..Config::default() }),
            ["others", "a, all", "b, all"]
        );
        assert_eq!(own(Config { apart: false, least_entries: 10, ..Config::default() }), ["all"]);
    }
}
