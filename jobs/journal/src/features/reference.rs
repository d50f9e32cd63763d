//! What is usual in a ledger: how often names and combinations of names occur, and the spread of amounts per account.
//! Pure.

use std::collections::HashMap;

use super::log_amount;
use crate::ledger::{Ledger, Line, Names, Symbol};
use crate::line::Side;

/// Fewer amounts than this say nothing about the spread in an account.
const FEWEST_AMOUNTS: usize = 20;
/// Least median deviation of ln(amount), about 10 %: in an account of equal rents a rise of a tenth is not extreme.
const LEAST_DEVIATION: f64 = 0.1;
/// Makes the median deviation of normal data its standard deviation.
const NORMAL: f64 = 1.4826;

#[derive(Debug)]
pub struct Reference {
    pub(super) accounts: Counts,
    pub(super) users: Counts,
    pub(super) sources: Counts,
    pub(super) business_units: Counts,
    pub(super) accounts_of_users: PairCounts<Symbol>,
    pub(super) accounts_of_sources: PairCounts<Symbol>,
    pub(super) sides_of_accounts: PairCounts<Side>,
    pub(super) amounts: Amounts,
}

impl Reference {
    pub fn of(ledger: &Ledger) -> Self {
        let lines = ledger.lines();
        let accounts = Counts::of(&ledger.accounts, lines, |line| line.account);
        let users = Counts::of(&ledger.users, lines, |line| line.user);
        let sources = Counts::of(&ledger.sources, lines, |line| line.source);
        Self {
            accounts_of_users: PairCounts::of(&users, ledger.accounts.len(), lines, |line| {
                (line.user, line.account)
            }),
            accounts_of_sources: PairCounts::of(&sources, ledger.accounts.len(), lines, |line| {
                (line.source, line.account)
            }),
            sides_of_accounts: PairCounts::of(&accounts, 2, lines, |line| (line.account, line.side)),
            business_units: Counts::of(&ledger.business_units, lines, |line| line.business_unit),
            amounts: Amounts::of(lines, ledger.accounts.len()),
            accounts,
            users,
            sources,
        }
    }
}

/// How often each name occurs.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    counts: Vec<u64>,
    pub(super) total: u64,
}

impl Counts {
    fn of(names: &Names, lines: &[Line], symbol: impl Fn(&Line) -> Symbol) -> Self {
        let mut counts = vec![0; names.len()];
        for line in lines {
            counts[symbol(line).index()] += 1;
        }
        Self { counts, total: lines.len() as u64 }
    }

    pub(super) fn count(&self, symbol: Symbol) -> u64 {
        self.counts[symbol.index()]
    }

    pub(super) fn surprisal(&self, symbol: Symbol) -> f64 {
        surprisal(self.count(symbol), self.total, self.counts.len())
    }
}

/// How often each name of `T` occurs together with each given name.
#[derive(Debug)]
pub(super) struct PairCounts<T> {
    /// Never iterated: the order of a hash map must not reach a result.
    counts: HashMap<(Symbol, T), u64>,
    given: Counts,
    kinds: usize,
}

impl<T: Copy + Eq + std::hash::Hash> PairCounts<T> {
    fn of(given: &Counts, kinds: usize, lines: &[Line], pair: impl Fn(&Line) -> (Symbol, T)) -> Self {
        let mut counts = HashMap::new();
        for line in lines {
            *counts.entry(pair(line)).or_insert(0) += 1;
        }
        Self { counts, given: given.clone(), kinds }
    }

    pub(super) fn count(&self, given: Symbol, value: T) -> u64 {
        self.counts.get(&(given, value)).copied().unwrap_or(0)
    }

    pub(super) fn given(&self, given: Symbol) -> u64 {
        self.given.count(given)
    }

    pub(super) fn surprisal(&self, given: Symbol, value: T) -> f64 {
        surprisal(self.count(given, value), self.given(given), self.kinds)
    }
}

/// -ln of the share, half an occurrence added to every kind, so that few data make no certainties.
fn surprisal(count: u64, total: u64, kinds: usize) -> f64 {
    -libm::log((count as f64 + 0.5) / (total as f64 + 0.5 * kinds as f64))
}

/// The spread of ln(amount) per account and side, and of all lines where an account has too few.
#[derive(Debug)]
pub(super) struct Amounts {
    per_account: Vec<[Option<Spread>; 2]>,
    all: Spread,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    deviation: f64,
    /// 0: the spread of the whole ledger.
    pub(super) lines: usize,
}

impl Amounts {
    fn of(lines: &[Line], accounts: usize) -> Self {
        let mut logs: Vec<[Vec<f64>; 2]> = vec![[Vec::new(), Vec::new()]; accounts];
        for line in lines {
            logs[line.account.index()][line.side as usize].push(log_amount(line));
        }
        let enough = |mut logs: Vec<f64>| (logs.len() >= FEWEST_AMOUNTS).then(|| Spread::of(&mut logs));
        let all = Spread { lines: 0, ..Spread::of(&mut lines.iter().map(log_amount).collect::<Vec<_>>()) };
        Self { per_account: logs.into_iter().map(|sides| sides.map(enough)).collect(), all }
    }

    pub(super) fn of_line(&self, line: &Line) -> Spread {
        self.per_account[line.account.index()][line.side as usize].unwrap_or(self.all)
    }
}

impl Spread {
    fn of(logs: &mut [f64]) -> Self {
        let median = median(logs);
        let mut deviations: Vec<f64> = logs.iter().map(|log| (log - median).abs()).collect();
        let deviation = self::median(&mut deviations).max(LEAST_DEVIATION);
        Self { median, deviation, lines: logs.len() }
    }

    /// How many robust standard deviations a log amount is from the median, in either direction.
    pub(super) fn deviations(&self, log: f64) -> f64 {
        (log - self.median).abs() / (NORMAL * self.deviation)
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprisal_falls_with_the_count_and_stays_finite() {
        assert!(surprisal(0, 0, 1) < 1e-9);
        assert!((surprisal(99, 100, 2) - libm::log(101.0 / 99.5)).abs() < 1e-12);
        assert!(surprisal(0, 1_000_000, 50) < f64::INFINITY);
        assert!((0..100).all(|count| surprisal(count, 100, 3) > surprisal(count + 1, 100, 3)));
    }

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn equal_amounts_do_not_make_the_next_one_infinitely_far() {
        let spread = Spread::of(&mut [5.0; 30]);

        assert!((spread.deviations(5.0 + LEAST_DEVIATION * NORMAL) - 1.0).abs() < 1e-12);
    }
}
