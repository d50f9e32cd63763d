//! What a population's entries are scored by, once all of it is known: a function from the lines of an entry to a score.

use std::sync::Arc;

use super::carry::Carry;
use super::combine::{Combiner, Detected, Scored};
use super::detectors::Detectors;
use super::dims::Dims;
use super::facets::Facets;
use super::measures::{Empty, Measures, Yardstick};
use crate::names::Names;
use crate::part::Posting;
use crate::stored::{Broken, Reader};

/// Of one population. Whoever asks it must name things by the symbols of the names that it was made with, or [carried](Self::carried) to.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub dims: Arc<Dims>,
    pub empty: Empty,
    pub yardstick: Yardstick,
    pub detectors: Detectors,
    pub combiner: Combiner,
}

/// All that is said of an entry on the way to its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub measures: Measures,
    pub detected: Detected,
    pub scored: Scored,
}

impl Fitted {
    pub fn measure(&self, facets: &mut Facets, postings: &[Posting]) -> Measures {
        self.yardstick.measure(&self.dims, facets, postings, self.empty)
    }

    /// Each entry by its lines, in their order.
    pub fn score<'p>(
        &self,
        facets: &mut Facets,
        entries: impl IntoIterator<Item = &'p [Posting]>,
    ) -> Result<Vec<Judged>, iforest::Error> {
        let measured: Vec<Measures> =
            entries.into_iter().map(|postings| self.measure(facets, postings)).collect();
        let detected = self.detectors.detect(&measured.iter().collect::<Vec<_>>())?;
        let judged = measured.into_iter().zip(detected).map(|(measures, detected)| Judged {
            scored: self.combiner.score(&detected, &measures),
            measures,
            detected,
        });
        Ok(judged.collect())
    }

    /// The same, asked by the symbols of more names. Another population that was carried there `before` may share its categories.
    pub fn carried(&self, carry: &Carry<'_>, before: Option<(&Self, &Self)>) -> Self {
        let dims = match before.filter(|(from, _)| *from.dims == *self.dims) {
            Some((_, to)) => Arc::clone(&to.dims),
            None => Arc::new(self.dims.carried(carry.names)),
        };
        Self {
            yardstick: self.yardstick.carried(&self.dims, &dims, carry),
            dims,
            empty: Empty::of(carry.names),
            detectors: self.detectors.clone(),
            combiner: self.combiner.clone(),
        }
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        let Self { dims, empty: _, yardstick, detectors, combiner } = self;
        dims.put(out);
        yardstick.put(out);
        detectors.put(out);
        combiner.put(out);
    }

    /// What [`put`](Self::put) wrote of a population that was named by these.
    pub fn take(from: &mut Reader<'_>, names: &Names, before: Option<&Self>) -> Result<Self, Broken> {
        let dims = Dims::take(from, names, before.map(|before| &before.dims))?;
        let yardstick = Yardstick::take(from, &dims)?;
        let detectors = Detectors::take(from, dims.len())?;
        let combiner = Combiner::take(from, detectors.signals.clone(), detectors.has_amounts)?;
        Ok(Self { dims, empty: Empty::of(names), yardstick, detectors, combiner })
    }
}

#[cfg(test)]
mod tests;
