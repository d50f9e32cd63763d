//! The ledger in memory: entries of lines, in one order whatever order the file had.
//!
//! Scores must not depend on how a file happens to be sorted. Lines are sorted by entry, number and content, and the
//! symbols that stand for accounts, users and so on are numbered in the order of their names.

use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::Date;

use crate::amount::Amount;
use crate::line::{self, Side};

/// A name that occurs many times, kept once; its number is its rank among the names of its [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All names of one sort. The empty name, where it occurs, is a name like the others: an entry without a user among
/// thousands with one is as rare as a rare user.
#[derive(Debug, Default)]
pub struct Names(Vec<Box<str>>);

impl Names {
    pub fn name(&self, symbol: Symbol) -> &str {
        &self.0[symbol.index()]
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Place of its entry in [`Ledger::entries`].
    entry: Symbol,
    /// 0 where the file gives none.
    pub number: u64,
    pub account: Symbol,
    pub side: Side,
    /// Debits count up, credits down.
    pub signed: Amount,
    pub currency: Symbol,
    pub business_unit: Symbol,
    pub source: Symbol,
    pub user: Symbol,
    pub effective: Option<Date>,
    pub entered: Option<Date>,
    /// Seconds since midnight.
    pub entered_time: Option<u32>,
    /// The entry or the line says in words what it is for.
    pub described: bool,
}

#[derive(Debug)]
pub struct Entry {
    pub id: Box<str>,
    lines: Range<usize>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    lines: Vec<Line>,
    entries: Vec<Entry>,
    pub accounts: Names,
    pub users: Names,
    pub sources: Names,
    pub business_units: Names,
    pub currencies: Names,
}

impl Ledger {
    /// Sorted by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub fn lines_of(&self, entry: &Entry) -> &[Line] {
        &self.lines[entry.lines.clone()]
    }
}

/// Takes lines in any order and makes a [`Ledger`] of them.
#[derive(Default)]
pub struct LedgerBuilder {
    lines: Vec<Line>,
    entries: Interner,
    accounts: Interner,
    users: Interner,
    sources: Interner,
    business_units: Interner,
    currencies: Interner,
}

impl LedgerBuilder {
    pub fn push(&mut self, line: &line::Line<'_>) {
        self.lines.push(Line {
            entry: self.entries.symbol(line.entry),
            number: line.number.unwrap_or(0),
            account: self.accounts.symbol(line.account),
            side: side(line),
            signed: line.signed(),
            currency: self.currencies.symbol(line.currency),
            business_unit: self.business_units.symbol(line.business_unit),
            source: self.sources.symbol(line.source),
            user: self.users.symbol(line.user),
            effective: line.effective,
            entered: line.entered,
            entered_time: line.entered_time,
            described: !(line.header_text.is_empty() && line.line_text.is_empty()),
        });
    }

    pub fn finish(self) -> Ledger {
        let mut lines = self.lines;
        let (ids, entry_ranks) = self.entries.in_order();
        let (accounts, account_ranks) = self.accounts.in_order();
        let (users, user_ranks) = self.users.in_order();
        let (sources, source_ranks) = self.sources.in_order();
        let (business_units, unit_ranks) = self.business_units.in_order();
        let (currencies, currency_ranks) = self.currencies.in_order();
        for line in &mut lines {
            line.entry = entry_ranks[line.entry.index()];
            line.account = account_ranks[line.account.index()];
            line.user = user_ranks[line.user.index()];
            line.source = source_ranks[line.source.index()];
            line.business_unit = unit_ranks[line.business_unit.index()];
            line.currency = currency_ranks[line.currency.index()];
        }
        // By entry and number first; the rest of the fields only decides where numbers are doubled or missing.
        lines.sort_unstable();
        let mut end = 0;
        let entries = lines
            .chunk_by(|a, b| a.entry == b.entry)
            .zip(ids.0)
            .map(|(lines, id)| {
                let start = end;
                end += lines.len();
                Entry { id, lines: start..end }
            })
            .collect();
        Ledger { lines, entries, accounts, users, sources, business_units, currencies }
    }
}

/// A negative debit works as a credit; counting it as one keeps "the usual side of an account" true.
fn side(line: &line::Line<'_>) -> Side {
    match (line.side, line.amount.is_negative()) {
        (Side::Debit, false) | (Side::Credit, true) => Side::Debit,
        (Side::Credit, false) | (Side::Debit, true) => Side::Credit,
    }
}

#[derive(Default)]
struct Interner(HashMap<Box<str>, Symbol>);

impl Interner {
    fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.0.get(name) {
            return symbol;
        }
        let symbol = Symbol(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.insert(name.into(), symbol);
        symbol
    }

    /// The names in order, and the new symbol of each old one.
    fn in_order(self) -> (Names, Vec<Symbol>) {
        let mut names: Vec<(Box<str>, Symbol)> = self.0.into_iter().collect();
        names.sort_unstable();
        let mut ranks = vec![Symbol(0); names.len()];
        for (rank, (_, symbol)) in names.iter().enumerate() {
            ranks[symbol.index()] = Symbol(rank as u32);
        }
        (Names(names.into_iter().map(|(name, _)| name).collect()), ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::testing;

    fn ledger(lines: &[&str]) -> Ledger {
        let header = "Journal_ID,Journal_ID_Line_Number,GL_Account_Number,Amount,Entered_By";
        let file = [&[header], lines].concat().join("\n");
        let mut builder = LedgerBuilder::default();
        testing::ads_lines(&file, &mut |line| builder.push(line));
        builder.finish()
    }

    #[test]
    fn lines_of_an_entry_come_together_in_the_order_of_their_numbers() {
        let ledger = ledger(&["b,10,4711,1,x", "a,1,4711,2,x", "b,9,4711,3,x"]);

        let entries: Vec<_> = ledger
            .entries()
            .iter()
            .map(|entry| {
                let numbers: Vec<_> = ledger.lines_of(entry).iter().map(|line| line.number).collect();
                (&*entry.id, numbers)
            })
            .collect();

        assert_eq!(entries, [("a", vec![1]), ("b", vec![9, 10])]);
    }

    #[test]
    fn the_order_of_the_file_does_not_matter_even_for_doubled_line_numbers() {
        let lines = ["a,1,4711,1,meier", "a,1,4711,-1,huber", "a,1,0815,1,meier", "b,,4711,5,", "b,,4711,4,"];
        let mut reversed = lines;
        reversed.reverse();

        let (one, other) = (ledger(&lines), ledger(&reversed));

        assert_eq!(one.lines(), other.lines());
        assert_eq!(one.users.0, other.users.0);
        assert_eq!(one.users.0.iter().map(|name| &**name).collect::<Vec<_>>(), ["", "huber", "meier"]);
    }

    #[test]
    fn a_negative_debit_works_as_a_credit() {
        let ledger = ledger(&["a,1,4711,-7,x"]);

        assert_eq!(
            (ledger.lines()[0].side, ledger.lines()[0].signed),
            (Side::Credit, Amount::from_cents(-700))
        );
    }
}
