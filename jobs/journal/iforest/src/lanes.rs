//! Rows as the walk wants them: groups of sixteen side by side, each value a [key](crate::key).
//!
//! A group holds every column twice, once with its missing values below all numbers and once above. A split that sends missing values left reads the first,
//! one that sends them right the second, and the walk itself never asks whether a value is there.

use linfa::Float;
use ndarray::{ArrayView2, s};

use crate::Error;
use crate::key::{MISSING_LEFT, MISSING_RIGHT, key};
use crate::sample::narrow;

/// Rows that walk down a tree side by side, so that the processor can overlap their memory accesses.
pub(crate) const LANES: usize = 16;

/// The side to which a split sends rows without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Left,
    Right,
}

/// Where a column's keys stand in a group.
pub(crate) fn place(column: u32, missing: Missing) -> u32 {
    (2 * column + u32::from(missing == Missing::Right)) * LANES as u32
}

pub(crate) fn unplace(place: u32) -> (u32, Missing) {
    let copy = place / LANES as u32;
    (copy / 2, if copy.is_multiple_of(2) { Missing::Left } else { Missing::Right })
}

/// A block of rows.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Of one group.
    size: usize,
    keys: Vec<u32>,
}

impl Lanes {
    /// Takes over rows of a table; the last group is filled up with rows of the least key. The row of an error is counted from the table's first.
    pub(crate) fn fill<F: Float>(
        &mut self,
        table: &ArrayView2<'_, F>,
        first: usize,
        count: usize,
    ) -> Result<(), Error> {
        self.size = 2 * table.ncols() * LANES;
        self.keys.clear();
        self.keys.resize(count.div_ceil(LANES) * self.size, 0);
        for (index, row) in table.slice(s![first..first + count, ..]).rows().into_iter().enumerate() {
            let group = &mut self.keys[index / LANES * self.size..][..self.size];
            let places = group.chunks_exact_mut(2 * LANES);
            let mut infinite = false;
            for (place, &value) in places.zip(row) {
                let value = narrow(value);
                let (left, right) =
                    if value.is_nan() { (MISSING_LEFT, MISSING_RIGHT) } else { (key(value), key(value)) };
                infinite |= value.is_infinite();
                place[index % LANES] = left;
                place[LANES + index % LANES] = right;
            }
            if infinite {
                let column = row.iter().position(|&value| narrow(value).is_infinite()).unwrap_or(0);
                return Err(Error::Infinite { row: first + index, column });
            }
        }
        Ok(())
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &[u32]> {
        self.keys.chunks_exact(self.size)
    }

    /// Length of one group.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn at(&self, row: usize, place: u32) -> u32 {
        self.keys[row / LANES * self.size + place as usize + row % LANES]
    }
}
