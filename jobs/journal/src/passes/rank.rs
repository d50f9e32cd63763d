//! The seventh pass: the entries of all parts in one order, the most unusual first.
//!
//! Each part put its entries aside in that order, so the first of all is the first of one of them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use super::judge::{Row, rows_of_part};
use super::spill::SpillReader;

/// Calls with each entry and its rank, from 1.
pub fn each(
    folder: &Path,
    parts: usize,
    mut take: impl FnMut(u64, &Row) -> io::Result<()>,
) -> io::Result<()> {
    let mut files: Vec<SpillReader> =
        (0..parts).map(|part| rows_of_part(folder, part)).collect::<io::Result<_>>()?;
    let mut heads = BinaryHeap::with_capacity(parts);
    for (part, file) in files.iter_mut().enumerate() {
        if let Some(row) = file.next_with(Row::take)? {
            heads.push(Head { row, part });
        }
    }
    let mut rank = 0;
    while let Some(Head { row, part }) = heads.pop() {
        rank += 1;
        take(rank, &row)?;
        if let Some(row) = files[part].next_with(Row::take)? {
            heads.push(Head { row, part });
        }
    }
    Ok(())
}

/// The first entry of a part that is not yet ranked; the first of all is the greatest.
struct Head {
    row: Row,
    part: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        other.row.order().cmp(&self.row.order())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}
