//! What entries look like to a model, in counts that add up: the ledger's that it was made from, and any other's.

use crate::names::{Names, Sort, Symbol};
use crate::part::Posting;
use crate::scoring::carry::Carry;
use crate::scoring::combine::Scored;
use crate::scoring::dims::Dims;
use crate::scoring::measures::{Measures, Signal};
use crate::stored::{Broken, Reader, Stored};
use crate::usual::ranks::{RankCounts, Ranks};

/// Bins of a feature, unless many entries have one value.
const BINS: u64 = 10;

/// Of the entries of one population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    entries: u64,
    features: Vec<RankCounts>,
    scores: RankCounts,
    /// Entries with a name that the model does not know, by [`Sort::index`].
    unseen: Vec<u64>,
}

impl Summary {
    pub fn new(dims: &Dims, names: &Names) -> Self {
        Self {
            entries: 0,
            features: vec![RankCounts::default(); names_of(dims).len()],
            scores: RankCounts::default(),
            unseen: vec![0; Sort::all(names.extra()).count()],
        }
    }

    pub fn add(&mut self, measures: &Measures, scored: &Scored) {
        self.entries += 1;
        for (counts, value) in self.features.iter_mut().zip(values(measures)) {
            counts.add(coarse(value));
        }
        self.scores.add(scored.score);
    }

    /// Which columns of the entry have names that the model does not know. There are none in the ledger that it was made from.
    pub fn add_unseen(&mut self, known: &Known, postings: &[Posting]) {
        let extra = self.unseen.len().saturating_sub(crate::names::FIXED);
        for (count, sort) in self.unseen.iter_mut().zip(Sort::all(extra)) {
            let unseen = |posting: &Posting| !known.knows(sort, posting.symbol(sort));
            *count += u64::from(postings.iter().any(unseen));
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.entries += other.entries;
        self.features.iter_mut().zip(&other.features).for_each(|(counts, more)| counts.merge(more));
        self.scores.merge(&other.scores);
        self.unseen.iter_mut().zip(&other.unseen).for_each(|(count, more)| *count += more);
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Of the ledger that the model was made from: what later ones are held against.
    pub fn reference(self, dims: &Dims) -> Reference {
        let entries = self.entries;
        let (features, scores) = self.finish();
        let features = names_of(dims).into_iter().zip(&features);
        Reference {
            entries,
            features: features.map(|(name, ranks)| (name, Bins::of(ranks))).collect(),
            score_bins: Bins::of(&scores),
            scores,
        }
    }

    pub(super) fn finish(self) -> (Vec<Ranks>, Ranks) {
        (self.features.into_iter().map(RankCounts::finish).collect(), self.scores.finish())
    }
}

/// Each column that any entry has a name of that the model does not know, and the share of those entries.
pub(super) fn unseen_columns(summary: &Summary) -> impl Iterator<Item = (String, f64)> {
    let extra = summary.unseen.len().saturating_sub(crate::names::FIXED);
    let entries = summary.entries.max(1) as f64;
    let unseen = Sort::all(extra).zip(&summary.unseen).filter(|(_, count)| **count > 0);
    unseen.map(move |(sort, count)| (sort.title(), *count as f64 / entries))
}

/// What the features of a population are called. Pairs of values are none of them: those of the entries that a model was made from are among its own counts, so
/// that a ledger just like it would seem to have moved, the more so the smaller it is.
fn names_of(dims: &Dims) -> Vec<String> {
    let values = (0..dims.len()).map(|dim| dims.get(dim).title());
    let others = ["amount", "deviation"].map(String::from);
    let tests = Signal::ALL.map(|signal| format!("test {}", signal.id()));
    values.chain(others).chain(tests).collect()
}

/// None of them below 0.
fn values(measures: &Measures) -> impl Iterator<Item = f64> {
    let others = [measures.amount, measures.deviation];
    measures.surprisals.iter().copied().chain(others).chain(measures.signals)
}

/// To a hundredth of it, so that there are few different ones, and as bins have it.
fn coarse(value: f64) -> f64 {
    f32::from_bits((value.max(0.0) as f32).to_bits() & 0xffff_0000).into()
}

/// What a population looked like when the model was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub(super) entries: u64,
    pub(super) features: Vec<(String, Bins)>,
    pub(super) score_bins: Bins,
    pub(super) scores: Ranks,
}

/// How many values lie up to each edge and above the one before; the last bin has no edge.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bins {
    edges: Vec<f64>,
    pub(super) counts: Vec<u64>,
}

impl Bins {
    /// Of a tenth of the values each, as far as these differ.
    fn of(ranks: &Ranks) -> Self {
        let mut edges: Vec<f64> = (1..BINS).map(|part| ranks.up_to(part, BINS)).collect();
        edges.dedup();
        let counts = count(&edges, ranks);
        Self { edges, counts }
    }

    /// As many of other values.
    pub(super) fn count(&self, ranks: &Ranks) -> Vec<u64> {
        count(&self.edges, ranks)
    }
}

fn count(edges: &[f64], ranks: &Ranks) -> Vec<u64> {
    let above = edges.iter().map(|&edge| ranks.above(edge));
    let from = std::iter::once(ranks.total()).chain(above.clone());
    from.zip(above.chain([0])).map(|(from, above)| from - above).collect()
}

impl Stored for Reference {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.entries.put(out);
        self.features.put(out);
        self.score_bins.put(out);
        self.scores.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self {
            entries: Stored::take(from)?,
            features: Stored::take(from)?,
            score_bins: Stored::take(from)?,
            scores: Stored::take(from)?,
        })
    }
}

impl Reference {
    /// Whether it is of such a population.
    pub(crate) fn is_of(&self, dims: &Dims) -> bool {
        self.features.iter().map(|(name, _)| name).eq(&names_of(dims))
    }
}

impl Stored for Bins {
    const LEAST: usize = 16;

    fn put(&self, out: &mut Vec<u8>) {
        self.edges.put(out);
        self.counts.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let (edges, counts): (Vec<f64>, Vec<u64>) = Stored::take(from)?;
        let fits = counts.len() == edges.len() + 1 && edges.len() < BINS as usize;
        // So that the sum of all stays below what a number holds.
        if fits && edges.is_sorted() && counts.iter().all(|&count| count < 1 << 56) {
            Ok(Self { edges, counts })
        } else {
            Err(Broken("its bins are out of order"))
        }
    }
}

/// The names that a model knows, by the symbols of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known(Vec<Vec<bool>>);

impl Known {
    pub fn of(carry: &Carry<'_>) -> Self {
        let of_sort = |sort| {
            let mut known = vec![false; carry.names.count(sort)];
            for symbol in carry.ranks.all(sort) {
                if let Some(known) = known.get_mut(symbol.index()) {
                    *known = true;
                }
            }
            known
        };
        Self(Sort::all(carry.names.extra()).map(of_sort).collect())
    }

    fn knows(&self, sort: Sort, symbol: Symbol) -> bool {
        let known = self.0.get(sort.index()).and_then(|known| known.get(symbol.index()));
        known.copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
