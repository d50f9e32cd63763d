//! What a model measures by, as bytes of its file; and what was counted in some parts of a ledger, as bytes for whoever adds it up.

use std::hash::Hash;

use super::{Conditional, Counted, Yardstick};
use crate::scoring::dims::Dims;
use crate::scoring::reference::{Reference, Usual};
use crate::stored::{Broken, Reader, Stored, put_sorted, take_sorted};

impl Yardstick {
    pub(in crate::scoring) fn put(&self, out: &mut Vec<u8>) {
        let Self { usual, by_side, by_account, months, lags, texts, weekdays, limits } = self;
        usual.reference.put(out);
        by_side.put(out);
        by_account.put(out);
        months.put(out);
        lags.put(out);
        texts.put(out);
        weekdays.put(out);
        limits.put(out);
    }

    pub(in crate::scoring) fn take(from: &mut Reader<'_>, dims: &Dims) -> Result<Self, Broken> {
        Ok(Self {
            usual: Usual::of(Reference::take(from, dims)?),
            by_side: Stored::take(from)?,
            by_account: Stored::take(from)?,
            months: Stored::take(from)?,
            lags: Stored::take(from)?,
            texts: Stored::take(from)?,
            weekdays: Stored::take(from)?,
            limits: Stored::take(from)?,
        })
    }
}

impl Counted {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let Self { reference, by_side, by_account, months, lags, texts, weekdays, limits } = self;
        reference.put_counts(out);
        by_side.put(out);
        by_account.put(out);
        months.put(out);
        lags.put(out);
        texts.put(out);
        weekdays.put(out);
        limits.put(out);
    }

    /// One of so many side by side.
    pub(crate) fn take(from: &mut Reader<'_>, dims: &Dims, of: usize) -> Result<Self, Broken> {
        Ok(Self {
            reference: Reference::take_counts(from, dims, of)?,
            by_side: Stored::take(from)?,
            by_account: Stored::take(from)?,
            months: Stored::take(from)?,
            lags: Stored::take(from)?,
            texts: Stored::take(from)?,
            weekdays: Stored::take(from)?,
            limits: Stored::take(from)?,
        })
    }
}

/// How often each value comes with what is given; all else follows.
impl<G: Stored + Copy + Ord + Hash, V: Stored + Copy + Ord + Hash> Stored for Conditional<G, V> {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        put_sorted(self.joint.iter().map(|(&pair, &count)| (pair, count)), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let joint: Vec<((G, V), u64)> = take_sorted(from)?;
        // So that sums of them stay below what a number holds.
        if joint.iter().any(|(_, count)| !(1..1 << 40).contains(count)) || joint.len() > 1 << 23 {
            return Err(Broken("it counts more entries than there can be"));
        }
        Ok(Self::of(joint.into_iter()))
    }
}
