//! What a model measures by, by the symbols of the ledger that it is asked about.

use std::hash::Hash;

use super::{Conditional, Yardstick};
use crate::names::Sort;
use crate::scoring::carry::Carry;
use crate::scoring::dims::Dims;
use crate::scoring::reference::Usual;

impl Yardstick {
    /// `from` are the model's own categories, `to` the same of the names of both.
    pub(in crate::scoring) fn carried(&self, from: &Dims, to: &Dims, carry: &Carry<'_>) -> Self {
        let account = |symbol| carry.symbol(Sort::Account, symbol);
        let document_type = |symbol| carry.symbol(Sort::DocumentType, symbol);
        let source = |symbol| carry.symbol(Sort::Source, symbol);
        // The head of a line's text where the whole entry has none.
        let head = |(of_line, symbol)| {
            let sort = if of_line { Sort::LineHead } else { Sort::HeaderHead };
            Some((of_line, carry.symbol(sort, symbol)?))
        };
        Self {
            usual: Usual::of(self.usual.reference.carried(from, to, carry)),
            by_side: self.by_side.by(|(symbol, side)| Some((account(symbol)?, side))),
            by_account: self.by_account.by(account),
            months: self.months.clone(),
            lags: self.lags.by(document_type, Some),
            texts: self.texts.by(document_type, head),
            weekdays: self
                .weekdays
                .by(|(of, manual, kind)| Some((source(of)?, manual, document_type(kind)?)), Some),
            limits: self.limits.clone(),
        }
    }
}

impl<G: Copy + Eq + Hash, V: Copy + Eq + Hash> Conditional<G, V> {
    fn by(&self, given: impl Fn(G) -> Option<G>, value: impl Fn(V) -> Option<V>) -> Self {
        let joint = self.joint.iter();
        Self::of(joint.filter_map(|(&(of, what), &count)| Some(((given(of)?, value(what)?), count))))
    }

    pub(super) fn of(joint: impl Iterator<Item = ((G, V), u64)>) -> Self {
        let mut all = Self::default();
        for ((given, value), count) in joint {
            *all.joint.entry((given, value)).or_insert(0) += count;
            *all.given.entry(given).or_insert(0) += count;
            all.values.insert(value);
        }
        all
    }
}
