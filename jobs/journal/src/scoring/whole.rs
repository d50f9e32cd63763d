//! All steps in a row, over the parts of a ledger that somebody hands out: what one process does with its threads.

use iforest::IsolationForest;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::combine::{Combiner, Detected, DetectedCounts, Scored, SignalCounts};
use super::dims::{Dims, Has};
use super::facets::Facets;
use super::measures::{Counted, Empty, Measures, Yardstick};
use crate::names::{Names, Sort};
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
    pub dims: Dims,
    pub empty: Empty,
    pub yardstick: Yardstick,
    pub combiner: Combiner,
    pub value_forest: IsolationForest,
    pub pair_forest: IsolationForest,
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
    let empty = Empty(names.find(Sort::HeaderHead, "").map(|symbol| symbol.0));
    let mut facets = Facets::default();
    let entries = || parts.iter().flat_map(|part| part.entries().iter().map(move |entry| (part, entry)));

    let mut counted = Counted::new(&dims);
    entries().for_each(|(part, entry)| counted.add(&dims, &mut facets, part.postings_of(entry), empty));
    let yardstick = counted.finish();
    let measured: Vec<Measures> = entries()
        .map(|(part, entry)| yardstick.measure(&dims, &mut facets, part.postings_of(entry), empty))
        .collect();

    let mut signals = SignalCounts::default();
    measured.iter().for_each(|measures| signals.add(measures));
    let signals = signals.finish();
    let ids: Vec<&str> = entries().map(|(part, entry)| part.id(entry)).collect();
    let fitted = sample(&ids, seed);
    let value_row = |measures: &Measures| measures.value_row(has.amounts).collect();
    let (value_forest, values) = forest(&fitted, &measured, seed, value_row)?;
    let pair_row = |measures: &Measures| measures.pair_row().to_vec();
    let (pair_forest, pairs) = forest(&fitted, &measured, seed.wrapping_add(1), pair_row)?;
    let detected: Vec<Detected> = measured
        .iter()
        .zip(values.iter().zip(&pairs))
        .map(|(measures, (&value_forest, &pair_forest))| {
            let (values, pairs) = signals.sums(measures, has.amounts);
            Detected { values, pairs, value_forest, pair_forest }
        })
        .collect();

    let mut counts = DetectedCounts::default();
    detected.iter().for_each(|detected| counts.add(detected));
    let combiner = Combiner::new(counts, signals, has.amounts);
    let entries = ids.iter().zip(detected).zip(measured).map(|((id, detected), measures)| ScoredEntry {
        id: id.to_string(),
        scored: combiner.score(&detected, &measures),
        detected,
        measures,
    });
    let entries = entries.collect();
    Ok(Whole { has, dims, empty, yardstick, combiner, value_forest, pair_forest, entries })
}

/// The places of the entries that forests are fitted on, in the order of their ids: whatever order they came in, they are the same.
fn sample(ids: &[&str], seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..ids.len()).collect();
    places.sort_unstable_by_key(|&place| (xxh3_64_with_seed(ids[place].as_bytes(), seed), ids[place]));
    places.truncate(MOST_FITTED);
    places.sort_unstable_by_key(|&place| ids[place]);
    places
}

fn forest(
    fitted: &[usize],
    measured: &[Measures],
    seed: u64,
    row: impl Fn(&Measures) -> Vec<f64>,
) -> Result<(IsolationForest, Vec<f64>), iforest::Error> {
    let table = |places: &mut dyn Iterator<Item = &Measures>| {
        let rows: Vec<Vec<f64>> = places.map(&row).collect();
        let width = rows.first().map_or(0, Vec::len);
        Array2::from_shape_fn((rows.len(), width), |(at, column)| rows[at][column])
    };
    let training = table(&mut fitted.iter().map(|&place| &measured[place]));
    let forest = IsolationForest::params().seed(seed).fit(&DatasetBase::from(training.view()))?;
    let scores = forest.score_samples(&table(&mut measured.iter()))?.to_vec();
    Ok((forest, scores))
}
