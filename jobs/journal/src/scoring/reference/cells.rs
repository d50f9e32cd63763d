//! A table of counts of which nearly all are 0.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::pair_map::Mixed;

/// Counts above 0 by row and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cells(HashMap<u64, u32, BuildHasherDefault<Mixed>>);

impl Cells {
    pub(super) fn of(cells: impl Iterator<Item = (u32, u32, u32)>) -> Self {
        Self(cells.map(|(a, b, count)| (key(a, b), count)).collect())
    }

    pub(super) fn add(&mut self, a: u32, b: u32, count: u32) {
        *self.0.entry(key(a, b)).or_insert(0) += count;
    }

    pub(super) fn get(&self, a: u32, b: u32) -> u32 {
        self.0.get(&key(a, b)).copied().unwrap_or(0)
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (&key, &more) in &other.0 {
            *self.0.entry(key).or_insert(0) += more;
        }
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.0.iter().map(|(&key, &count)| ((key >> 32) as u32, key as u32, count))
    }
}

fn key(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}
