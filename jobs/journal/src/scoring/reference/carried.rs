//! The counts of a model, by the symbols of the ledger that it is asked about.

use super::{LARGEST_TABLE, Reference, Table, cells::Cells, pairs};
use crate::scoring::carry::Carry;
use crate::scoring::dims::Dims;

/// Counts that a table may have once a ledger's own names have come to it.
const LARGEST_CARRIED: u64 = 2 * LARGEST_TABLE;
/// A table that is emptier than one in so many is not worth its room; nor can a file of few bytes ask for much of it.
const EMPTIEST: u64 = 64;

impl Reference {
    /// `from` are the model's own categories, `to` the same of the names of both. The map needs no change: it knows pairs by their names.
    pub(in crate::scoring) fn carried(&self, from: &Dims, to: &Dims, carry: &Carry<'_>) -> Self {
        let value = |dim: usize, value: u32| carry.value(from.get(dim), value);
        let values = self.values.iter().enumerate().map(|(dim, counts)| {
            let mut carried = vec![0; to.kinds(dim) as usize];
            for (own, &count) in counts.iter().enumerate() {
                let place = value(dim, own as u32).and_then(|value| carried.get_mut(value as usize));
                if let Some(place) = place {
                    *place = count;
                }
            }
            carried
        });
        let tables = pairs(from.len()).zip(&self.tables).map(|((first, second), table)| {
            let Some(cells) = table.cells() else { return Table::Sparse };
            let cell = |(a, b, count)| Some((value(first, a)?, value(second, b)?, count));
            Table::of_cells((to.kinds(first), to.kinds(second)), cells.into_iter().filter_map(cell).collect())
        });
        Self {
            entries: self.entries,
            values: values.collect(),
            tables: tables.collect(),
            map: self.map.clone(),
            hashes: to.hashes().to_vec(),
        }
    }
}

impl Table {
    /// A table of so many rows and columns with these counts, all of them within it.
    pub(super) fn of_cells((rows, width): (u32, u32), cells: Vec<(u32, u32, u32)>) -> Self {
        let size = u64::from(rows) * u64::from(width);
        if size > LARGEST_CARRIED || size > EMPTIEST * (cells.len() as u64 + 1) {
            return Self::Few(Cells::of(cells.into_iter()));
        }
        let mut counts = vec![0; size as usize];
        for (a, b, count) in cells {
            counts[(a * width + b) as usize] = count;
        }
        Self::Dense { width, counts }
    }

    /// The counts above 0, each with its row and column, in no order; `None` where they are in the map.
    pub(super) fn cells(&self) -> Option<Vec<(u32, u32, u32)>> {
        match self {
            Self::Sparse => None,
            Self::Few(cells) => Some(cells.iter().collect()),
            Self::Dense { width, counts } => {
                let cell = |(at, &count): (usize, &u32)| {
                    (count > 0).then(|| (at as u32 / width, at as u32 % width, count))
                };
                Some(counts.iter().enumerate().filter_map(cell).collect())
            }
        }
    }
}
