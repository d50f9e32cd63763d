//! All steps in a row, over the parts of a ledger that somebody hands out: what one process does with its threads.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::combine::{Combiner, Detected, DetectedCounts, Scored, SignalCounts};
use super::detectors::{Detectors, Growth};
use super::dims::{Dims, Has};
use super::facets::Facets;
use super::fitted::Fitted;
use super::measures::{Counted, Empty, Measures};
use crate::names::Names;
use crate::part::Part;

/// Forests are fitted on at most so many entries, those with the smallest hashes of their ids.
const MOST_FITTED: usize = 65_536;

#[derive(Debug, Clone, PartialEq)]
pub struct ScoredEntry {
    pub id: String,
    pub scored: Scored,
    pub detected: Detected,
    pub measures: Measures,
}

/// A ledger with its scores, and all that its entries were measured by.
#[derive(Debug)]
pub struct Whole {
    pub has: Has,
    pub fitted: Fitted,
    /// In the order of the parts and of the entries in them.
    pub entries: Vec<ScoredEntry>,
}

/// Scores each entry of the parts; in the order of the parts and of the entries in them.
pub fn score(parts: &[Part], names: &Names, seed: u64) -> Result<Vec<ScoredEntry>, iforest::Error> {
    Ok(whole(parts, names, seed)?.entries)
}

/// As [`score`], with all that it took.
pub fn whole(parts: &[Part], names: &Names, seed: u64) -> Result<Whole, iforest::Error> {
    let mut has = Has::default();
    parts.iter().flat_map(Part::postings).for_each(|posting| has.add(posting));
    let dims = Dims::of(names, has);
    let empty = Empty::of(names);
    let mut facets = Facets::default();
    let entries = || parts.iter().flat_map(|part| part.entries().iter().map(move |entry| (part, entry)));

    let mut counted = Counted::new(&dims, 1);
    entries().for_each(|(part, entry)| counted.add(&dims, &mut facets, part.postings_of(entry), empty));
    let yardstick = counted.finish();
    let measured: Vec<Measures> = entries()
        .map(|(part, entry)| yardstick.measure(&dims, &mut facets, part.postings_of(entry), empty))
        .collect();

    let mut signals = SignalCounts::default();
    measured.iter().for_each(|measures| signals.add(measures));
    let ids: Vec<&str> = entries().map(|(part, entry)| part.id(entry)).collect();
    let rows: Vec<&Measures> = sample(&ids, seed).into_iter().map(|place| &measured[place]).collect();
    let growth = Growth { trees: 100, sample: 256, seed };
    let detectors = Detectors::grow(&rows, signals.finish(), growth, has.amounts)?;
    let detected = detectors.detect(&measured.iter().collect::<Vec<_>>())?;

    let mut counts = DetectedCounts::default();
    detected.iter().for_each(|detected| counts.add(detected));
    let combiner = Combiner::new(counts, detectors.signals.clone(), has.amounts);
    let entries = ids.iter().zip(detected).zip(measured).map(|((id, detected), measures)| ScoredEntry {
        id: id.to_string(),
        scored: combiner.score(&detected, &measures),
        detected,
        measures,
    });
    let entries = entries.collect();
    let fitted = Fitted { dims: Arc::new(dims), empty, yardstick, detectors, combiner };
    Ok(Whole { has, fitted, entries })
}

/// The places of the entries that forests are fitted on, in the order of their ids: whatever order they came in, they are the same.
fn sample(ids: &[&str], seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..ids.len()).collect();
    places.sort_unstable_by_key(|&place| (xxh3_64_with_seed(ids[place].as_bytes(), seed), ids[place]));
    places.truncate(MOST_FITTED);
    places.sort_unstable_by_key(|&place| ids[place]);
    places
}
