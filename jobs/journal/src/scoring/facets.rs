//! An entry's values in each category, and the pairs of them that occur together.
//!
//! An entry counts once for each value that it holds, however many lines hold it: four thousand lines of one entry do not outweigh four thousand others.
//! Values of the whole entry meet each other and each value of its lines; values of lines meet on their line.

use super::dims::Dims;
use crate::part::Posting;

/// Scratch for one entry after the other.
#[derive(Default)]
pub struct Facets {
    header: Vec<u32>,
    /// The distinct lines, each `width` values.
    lines: Vec<u32>,
    width: usize,
    singles: Vec<u32>,
    pairs: Vec<(u32, u32)>,
    order: Vec<u32>,
}

/// A pair of categories, by their numbers; the first is the smaller.
pub type Pair = (usize, usize);

impl Facets {
    /// Looks at the entry of these lines; the first speaks for the whole entry.
    pub fn look(&mut self, dims: &Dims, postings: &[Posting]) {
        self.header.clear();
        if let Some(first) = postings.first() {
            self.header.extend(dims.header.iter().map(|dim| dim.value(first)));
        }
        self.width = dims.line.len();
        self.lines.clear();
        for posting in postings {
            self.lines.extend(dims.line.iter().map(|dim| dim.value(posting)));
        }
        if self.width > 0 && postings.len() > 8 {
            self.drop_doubled();
        }
    }

    /// Long entries mostly repeat themselves.
    fn drop_doubled(&mut self) {
        let width = self.width;
        self.order.clear();
        self.order.extend(0..(self.lines.len() / width) as u32);
        let line = |at: &u32| &self.lines[*at as usize * width..][..width];
        self.order.sort_unstable_by(|a, b| line(a).cmp(line(b)));
        self.order.dedup_by(|a, b| line(a) == line(b));
        let distinct: Vec<u32> = self.order.iter().flat_map(|at| line(at).iter().copied()).collect();
        self.lines = distinct;
    }

    /// Each value of each category, once.
    pub fn each_value(&mut self, mut take: impl FnMut(usize, u32)) {
        for (dim, &value) in self.header.iter().enumerate() {
            take(dim, value);
        }
        for place in 0..self.width {
            let dim = self.header.len() + place;
            distinct(&mut self.singles, self.lines.iter().skip(place).step_by(self.width).copied());
            self.singles.iter().for_each(|&value| take(dim, value));
        }
    }

    /// Each pair of values that occur together, once for each pair of categories.
    pub fn each_pair(&mut self, mut take: impl FnMut(Pair, u32, u32)) {
        let headers = self.header.len();
        for second in 1..headers {
            for first in 0..second {
                take((first, second), self.header[first], self.header[second]);
            }
        }
        for place in 0..self.width {
            distinct(&mut self.singles, self.lines.iter().skip(place).step_by(self.width).copied());
            for (first, &value) in self.header.iter().enumerate() {
                self.singles.iter().for_each(|&other| take((first, headers + place), value, other));
            }
            for before in 0..place {
                let lines = self.lines.chunks_exact(self.width);
                distinct(&mut self.pairs, lines.map(|line| (line[before], line[place])));
                self.pairs.iter().for_each(|&(a, b)| take((headers + before, headers + place), a, b));
            }
        }
    }
}

fn distinct<T: Ord>(out: &mut Vec<T>, values: impl Iterator<Item = T>) {
    out.clear();
    out.extend(values);
    out.sort_unstable();
    out.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;
    use crate::line::{Line, Side};
    use crate::names::Sort;
    use crate::part::from_lines;
    use crate::scoring::dims::{Dim, Has};

    #[test]
    fn values_and_pairs_of_an_entry_count_once() {
        let line = |account, side, user| Line {
            entry: "a",
            account,
            side,
            user,
            amount: Amount::from_cents(1),
            ..Line::default()
        };
        let mut lines =
            vec![line("1", Side::Debit, "x"), line("2", Side::Credit, "x"), line("2", Side::Debit, "x")];
        lines.extend(std::iter::repeat_n(line("1", Side::Debit, "x"), 20));
        lines.push(Line { entry: "b", user: "y", ..Line::default() });
        let (part, names) = from_lines(lines);
        let dims = Dims::of(&names, Has { amounts: true, ..Has::default() });
        assert_eq!(
            (&dims.header[..], &dims.line[..]),
            (&[Dim::Name(Sort::User)][..], &[Dim::Name(Sort::Account), Dim::Side][..])
        );
        let mut facets = Facets::default();

        facets.look(&dims, part.postings_of(&part.entries()[0]));

        let (mut values, mut pairs) = (Vec::new(), Vec::new());
        facets.each_value(|dim, value| values.push((dim, value)));
        facets.each_pair(|pair, a, b| pairs.push((pair, a, b)));
        // Accounts are "", 1 and 2; sides debit 0 and credit 1.
        assert_eq!(values, [(0, 0), (1, 1), (1, 2), (2, 0), (2, 1)]);
        assert_eq!(
            pairs,
            [
                ((0, 1), 0, 1),
                ((0, 1), 0, 2),
                ((0, 2), 0, 0),
                ((0, 2), 0, 1),
                ((1, 2), 1, 0),
                ((1, 2), 2, 0),
                ((1, 2), 2, 1),
            ]
        );
    }
}
