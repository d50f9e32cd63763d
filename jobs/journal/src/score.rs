//! From a ledger to scores: which entries are unusual, in what order, and why. Pure: the same ledger, parameters and
//! seed give the same bits, whatever the order of the lines and the number of threads.

use iforest::{IsolationForest, IsolationForestParams};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::amount::Amount;
use crate::features::{self, Feature, Reference};
use crate::ledger::{Entry, Ledger};

/// More reasons than this do not help a reader.
const MOST_REASONS: usize = 3;
/// A reason that weighs less than this share of the first is noise.
const LEAST_SHARE: f64 = 0.15;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    pub seed: u64,
    pub trees: usize,
    /// Entries each tree is grown from.
    pub sample: usize,
    /// How many of the most unusual entries are reported with reasons.
    pub top: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { seed: 0, trees: 100, sample: 256, top: 20 }
    }
}

impl Params {
    pub(crate) fn forest(&self) -> IsolationForestParams {
        IsolationForest::params().seed(self.seed).trees(self.trees).sample_size(self.sample)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One per entry, in the ledger's order; near 1 is unusual, below 0.5 ordinary.
    pub scores: Vec<f64>,
    /// Places of the entries, the most unusual first; of equal scores, the lesser id.
    pub order: Vec<usize>,
    pub top: Vec<TopEntry>,
    /// SHA-256 over the id and the score's bits of every entry in the order of the ids.
    pub sha256: String,
}

/// An entry someone should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopEntry {
    pub rank: usize,
    pub journal_id: String,
    pub score: f64,
    pub lines: usize,
    pub largest_amount: String,
    pub currency: String,
    /// The weightiest first.
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub feature: String,
    /// How many splits earlier than expected this feature set the entry apart, on average over the trees.
    pub weight: f64,
    pub text: String,
}

pub fn fit(matrix: &Array2<f64>, params: &Params) -> Result<IsolationForest, iforest::Error> {
    params.forest().fit(&DatasetBase::from(matrix.view()))
}

pub fn score(
    ledger: &Ledger,
    reference: &Reference,
    matrix: &Array2<f64>,
    forest: &IsolationForest,
    params: &Params,
) -> Result<Scores, iforest::Error> {
    let scores = forest.score_samples(matrix)?.to_vec();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Entries are sorted by id, so a stable sort leaves equal scores in the order of their ids.
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));

    let reported = &order[..params.top.min(order.len())];
    let explained = forest.explain(&matrix.select(Axis(0), reported))?;
    let top = reported
        .iter()
        .zip(explained.contributions.rows())
        .enumerate()
        .map(|(place, (&index, contributions))| {
            let entry = &ledger.entries()[index];
            let reasons = reasons(ledger, reference, entry, contributions);
            top_entry(ledger, entry, place + 1, scores[index], reasons)
        })
        .collect();
    let sha256 = fingerprint(ledger.entries(), &scores);
    Ok(Scores { scores, order, top, sha256 })
}

fn top_entry(ledger: &Ledger, entry: &Entry, rank: usize, score: f64, reasons: Vec<Reason>) -> TopEntry {
    let (largest_amount, currency) = largest_amount(ledger, entry);
    TopEntry {
        rank,
        journal_id: entry.id.to_string(),
        score,
        lines: ledger.lines_of(entry).len(),
        largest_amount: largest_amount.to_string(),
        currency: currency.to_string(),
        reasons,
    }
}

/// Sums over currencies mean nothing; the largest line does.
pub(crate) fn largest_amount<'a>(ledger: &'a Ledger, entry: &Entry) -> (Amount, &'a str) {
    ledger
        .lines_of(entry)
        .iter()
        .map(|line| (line.signed.abs(), ledger.currencies.name(line.currency)))
        .max_by_key(|&(amount, _)| amount)
        .unwrap_or_default()
}

/// The features that spared the entry the most splits, in plain words.
fn reasons(
    ledger: &Ledger,
    reference: &Reference,
    entry: &Entry,
    contributions: ArrayView1<'_, f64>,
) -> Vec<Reason> {
    let mut weights: Vec<(Feature, f64)> =
        Feature::ALL.into_iter().zip(contributions.iter().map(|&change| -change)).collect();
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let least = weights.first().map_or(0.0, |&(_, first)| first * LEAST_SHARE);
    weights
        .into_iter()
        .take_while(|&(_, weight)| weight > 0.0 && weight >= least)
        .filter_map(|(feature, weight)| {
            let text = features::reason(feature, ledger, reference, entry)?;
            Some(Reason { feature: feature.id().into(), weight, text })
        })
        .take(MOST_REASONS)
        .collect()
}

fn fingerprint(entries: &[Entry], scores: &[f64]) -> String {
    let mut hash = Sha256::new();
    for (entry, score) in entries.iter().zip(scores) {
        // The length keeps neighbouring ids and scores apart.
        hash.update((entry.id.len() as u64).to_le_bytes());
        hash.update(entry.id.as_bytes());
        hash.update(score.to_bits().to_le_bytes());
    }
    hex(hash)
}

pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
