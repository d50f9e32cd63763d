//! Counts as bytes of a model file, and those of some parts of a ledger as bytes for whoever adds them up.

use super::{PairMap, Reference, Table, pairs};
use crate::scoring::dims::Dims;
use crate::stored::{Broken, Reader, Stored, put_sorted, take_sorted};

impl Reference {
    pub(in crate::scoring) fn put(&self, out: &mut Vec<u8>) {
        self.entries.put(out);
        self.values.put(out);
        for table in &self.tables {
            let mut cells = table.cells();
            cells.iter_mut().for_each(|cells| cells.sort_unstable());
            cells.put(out);
        }
        let (counts, dropped_bits) = self.map.parts();
        dropped_bits.put(out);
        put_sorted(counts, out);
    }

    /// Tables as they are, so that they add up to what one process would have counted.
    pub(in crate::scoring) fn put_counts(&self, out: &mut Vec<u8>) {
        self.entries.put(out);
        self.values.put(out);
        for table in &self.tables {
            if let Table::Dense { counts, .. } = table {
                let counts = counts.iter().enumerate().filter(|(_, count)| **count > 0);
                counts.map(|(place, &count)| (place as u32, count)).collect::<Vec<_>>().put(out);
            }
        }
        let (counts, dropped_bits) = self.map.parts();
        dropped_bits.put(out);
        put_sorted(counts, out);
    }

    /// What [`put_counts`](Self::put_counts) wrote of one of so many side by side.
    pub(in crate::scoring) fn take_counts(
        from: &mut Reader<'_>,
        dims: &Dims,
        of: usize,
    ) -> Result<Self, Broken> {
        let other = Broken("it counts in other categories");
        let mut counts = Self::new(dims, of);
        counts.entries = Stored::take(from)?;
        let values: Vec<Vec<u32>> = Stored::take(from)?;
        if !values.iter().map(Vec::len).eq(counts.values.iter().map(Vec::len)) {
            return Err(other);
        }
        counts.values = values;
        for table in &mut counts.tables {
            if let Table::Dense { counts, .. } = table {
                for (place, count) in <Vec<(u32, u32)> as Stored>::take(from)? {
                    *counts.get_mut(place as usize).ok_or(other)? = count;
                }
            }
        }
        let dropped_bits = u32::take(from)?;
        counts.map = counts.map.holding(take_sorted(from)?, dropped_bits).ok_or(other)?;
        Ok(counts)
    }

    /// Everything that is looked up without a question later is looked at here.
    pub(in crate::scoring) fn take(from: &mut Reader<'_>, dims: &Dims) -> Result<Self, Broken> {
        let entries = u64::take(from)?;
        if entries == 0 {
            return Err(Broken("a population has no entries"));
        }
        let values: Vec<Vec<u32>> = Vec::take(from)?;
        let kinds = (0..dims.len()).map(|dim| dims.kinds(dim) as usize);
        let at_most_all = |count: &u32| u64::from(*count) <= entries;
        if !values.iter().map(Vec::len).eq(kinds) || !values.iter().flatten().all(at_most_all) {
            return Err(Broken("it counts more or fewer values than it has names"));
        }
        let tables = pairs(dims.len()).map(|(first, second)| {
            let cells: Option<Vec<(u32, u32, u32)>> = Stored::take(from)?;
            let size = (dims.kinds(first), dims.kinds(second));
            cells.map_or(Ok(Table::Sparse), |cells| table(size, cells))
        });
        let tables = tables.collect::<Result<_, _>>()?;
        let dropped_bits = u32::take(from)?;
        let map = PairMap::of(take_sorted(from)?, dropped_bits);
        let map = map.ok_or(Broken("it counts pairs that it would have dropped"))?;
        Ok(Self { entries, values, tables, map, hashes: dims.hashes().to_vec() })
    }
}

fn table(size: (u32, u32), cells: Vec<(u32, u32, u32)>) -> Result<Table, Broken> {
    let within = |&(a, b, count): &(u32, u32, u32)| a < size.0 && b < size.1 && count > 0;
    let in_order = cells.is_sorted_by(|one, other| (one.0, one.1) < (other.0, other.1));
    if in_order && cells.iter().all(within) {
        Ok(Table::of_cells(size, cells))
    } else {
        Err(Broken("it counts a pair of values that are not there"))
    }
}
