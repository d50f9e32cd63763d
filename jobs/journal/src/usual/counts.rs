//! How often names occur, and names together with others.

use std::collections::HashMap;

use crate::names::Symbol;

/// How often each name of a sort occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    counts: Vec<u64>,
    total: u64,
}

impl Counts {
    pub fn add(&mut self, symbol: Symbol) {
        if self.counts.len() <= symbol.index() {
            self.counts.resize(symbol.index() + 1, 0);
        }
        self.counts[symbol.index()] += 1;
        self.total += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    pub fn count(&self, symbol: Symbol) -> u64 {
        self.counts.get(symbol.index()).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Names that occur.
    pub fn kinds(&self) -> u64 {
        self.counts.iter().filter(|&&count| count > 0).count() as u64
    }
}

/// How often each name occurs together with each name of another sort.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Never iterated on the way to a result: the order of a hash map must not reach one.
    counts: HashMap<(Symbol, Symbol), u64>,
}

impl PairCounts {
    pub fn add(&mut self, first: Symbol, second: Symbol) {
        *self.counts.entry((first, second)).or_insert(0) += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (pair, more) in &other.counts {
            *self.counts.entry(*pair).or_insert(0) += more;
        }
    }

    pub fn count(&self, first: Symbol, second: Symbol) -> u64 {
        self.counts.get(&(first, second)).copied().unwrap_or(0)
    }

    /// Pairs that occur.
    pub fn kinds(&self) -> u64 {
        self.counts.len() as u64
    }
}

/// -ln of the share of `count` in `total`, half an occurrence added to each of `kinds`, so that few data make no certainties.
pub fn surprisal(count: u64, total: u64, kinds: u64) -> f64 {
    -libm::log((count as f64 + 0.5) / (total as f64 + 0.5 * kinds as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_parts_are_those_of_the_whole() {
        let symbols = [3, 0, 3, 7, 0, 3].map(Symbol);
        let of = |symbols: &[Symbol]| {
            let (mut counts, mut pairs) = (Counts::default(), PairCounts::default());
            for (index, &symbol) in symbols.iter().enumerate() {
                counts.add(symbol);
                pairs.add(symbol, Symbol(index as u32 % 2));
            }
            (counts, pairs)
        };

        let ((mut counts, mut pairs), (more, more_pairs)) = (of(&symbols[..2]), of(&symbols[2..]));
        counts.merge(&more);
        pairs.merge(&more_pairs);

        assert_eq!((counts, pairs), of(&symbols));
    }

    #[test]
    fn surprisal_falls_with_the_count_and_stays_finite() {
        assert!(surprisal(0, 0, 1) < 1e-9);
        assert!((surprisal(99, 100, 2) - libm::log(101.0 / 99.5)).abs() < 1e-12);
        assert!(surprisal(0, 1_000_000, 50) < f64::INFINITY);
        assert!((0..100).all(|count| surprisal(count, 100, 3) > surprisal(count + 1, 100, 3)));
    }
}
