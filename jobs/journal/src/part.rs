//! A part of a ledger in memory: whole entries, in the order of their ids, whatever order the file had.

use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::Date;
use xxhash_rust::xxh3::xxh3_64;

use crate::amount::Amount;
use crate::heads;
use crate::line::{Line, Side};
use crate::names::{Interner, Names, Sort, Symbol, TooMany};

/// Where a text stands in the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Text {
    start: u32,
    length: u32,
}

impl Text {
    fn of(self, text: &str) -> &str {
        &text[self.start as usize..][..self.length as usize]
    }
}

/// A line of an entry, its names as symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// 0 where the file gives none.
    pub number: u64,
    pub account: Symbol,
    /// The side on which it works.
    pub side: Side,
    /// Debits count up, credits down.
    pub signed: Amount,
    pub currency: Symbol,
    pub entity: Symbol,
    pub ledger: Symbol,
    pub business_unit: Symbol,
    pub source: Symbol,
    pub document_type: Symbol,
    pub user: Symbol,
    pub approver: Symbol,
    pub partner: Symbol,
    pub header_head: Symbol,
    pub line_head: Symbol,
    pub reference_pattern: Symbol,
    pub manual: Option<bool>,
    pub effective: Option<Date>,
    pub document: Option<Date>,
    pub entered: Option<Date>,
    /// Seconds since midnight.
    pub entered_time: Option<u32>,
    pub fiscal_year: Option<i16>,
    pub period: Option<u8>,
    pub reference: Text,
    pub reversal_of: Text,
    pub header_text: Text,
    pub line_text: Text,
    /// Symbols of the extra sorts.
    pub extra: Box<[Symbol]>,
}

impl Posting {
    pub fn symbol(&self, sort: Sort) -> Symbol {
        match sort {
            Sort::Account => self.account,
            Sort::Currency => self.currency,
            Sort::Entity => self.entity,
            Sort::Ledger => self.ledger,
            Sort::BusinessUnit => self.business_unit,
            Sort::Source => self.source,
            Sort::DocumentType => self.document_type,
            Sort::User => self.user,
            Sort::Approver => self.approver,
            Sort::Partner => self.partner,
            Sort::HeaderHead => self.header_head,
            Sort::LineHead => self.line_head,
            Sort::ReferencePattern => self.reference_pattern,
            Sort::Extra(place) => self.extra[usize::from(place)],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: Text,
    postings: Range<usize>,
}

/// Whole entries, sorted by id; the postings of each by number and, where numbers are doubled or missing, by what they say.
#[derive(Debug, Default)]
pub struct Part {
    entries: Vec<Entry>,
    postings: Vec<Posting>,
    text: String,
}

impl Part {
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    pub fn postings_of(&self, entry: &Entry) -> &[Posting] {
        &self.postings[entry.postings.clone()]
    }

    pub fn id(&self, entry: &Entry) -> &str {
        self.text(entry.id)
    }

    pub fn text(&self, text: Text) -> &str {
        text.of(&self.text)
    }
}

/// Texts that are looked for among those that are there already.
const RECENT: usize = 1 << 12;
/// Texts of which the names that are made of them are known, and how long they may be: a field may have a megabyte.
const MOST_MADE: usize = 1 << 9;
const LONGEST_MADE: usize = 1 << 9;

/// Takes postings in any order and makes a [`Part`] of them.
#[derive(Default)]
pub struct PartBuilder {
    postings: Vec<Posting>,
    /// For each posting the number of its entry, in the order in which entries were met.
    entries: Vec<u32>,
    ids: Vec<Text>,
    numbers: HashMap<Box<str>, u32>,
    text: String,
    /// By their hashes: the lines of an account say the same again and again.
    recent: Vec<Text>,
}

impl PartBuilder {
    /// With memory for so many lines.
    pub fn for_lines(lines: usize) -> Self {
        let (postings, entries) = (Vec::with_capacity(lines), Vec::with_capacity(lines));
        Self { postings, entries, ..Self::default() }
    }

    /// Keeps a text and says where. The part has to stay below 4 GiB of texts, which its maker sees to.
    pub fn keep(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        if self.recent.is_empty() {
            self.recent.resize(RECENT, Text::default());
        }
        let place = xxh3_64(text.as_bytes()) as usize % RECENT;
        let recent = self.recent[place];
        if recent.of(&self.text) == text {
            return recent;
        }
        self.recent[place] = self.append(text);
        self.recent[place]
    }

    fn append(&mut self, text: &str) -> Text {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Text { start, length: text.len() as u32 }
    }

    pub fn push(&mut self, entry: &str, posting: Posting) {
        let number = self.number(entry);
        self.entries.push(number);
        self.postings.push(posting);
    }

    fn number(&mut self, entry: &str) -> u32 {
        // The line before is mostly of the same entry.
        if let Some(&last) = self.entries.last()
            && self.ids[last as usize].of(&self.text) == entry
        {
            return last;
        }
        if let Some(&number) = self.numbers.get(entry) {
            return number;
        }
        let number = self.ids.len() as u32;
        let id = self.append(entry);
        self.ids.push(id);
        self.numbers.insert(entry.into(), number);
        number
    }

    pub fn finish(self) -> Part {
        let Self { mut postings, entries: of_posting, ids, text, .. } = self;
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_unstable_by_key(|&number| ids[number as usize].of(&text));
        let mut ends = vec![0_u32; ids.len()];
        of_posting.iter().for_each(|&number| ends[number as usize] += 1);
        let mut end = 0;
        let mut entries = Vec::with_capacity(ids.len());
        for &number in &order {
            let start = end;
            end += ends[number as usize];
            // Where its next posting goes; behind the last one, it is the end.
            ends[number as usize] = start;
            entries.push(Entry { id: ids[number as usize], postings: start as usize..end as usize });
        }
        let place = |number: u32| {
            let next = &mut ends[number as usize];
            *next += 1;
            *next - 1
        };
        reorder(&mut postings, of_posting.into_iter().map(place).collect());
        for entry in &entries {
            let lines = &mut postings[entry.postings.clone()];
            if !lines.is_sorted_by(|one, other| one.number < other.number) {
                lines.sort_unstable_by(|one, other| {
                    let by_number = one.number.cmp(&other.number);
                    by_number.then_with(|| content(one, &text).cmp(&content(other, &text)))
                });
            }
        }
        Part { entries, postings, text }
    }
}

/// Puts each posting into its place, where sorting would move each of them many times.
fn reorder(postings: &mut [Posting], mut places: Vec<u32>) {
    for at in 0..postings.len() {
        while places[at] as usize != at {
            let to = places[at] as usize;
            postings.swap(at, to);
            places.swap(at, to);
        }
    }
}

/// All that a posting says, so that two that differ have one order, however they came.
fn content<'a>(posting: &Posting, text: &'a str) -> impl Ord + use<'a> {
    let names = Sort::ALL.map(|sort| posting.symbol(sort));
    let texts = [posting.reference, posting.reversal_of, posting.header_text, posting.line_text];
    let texts = texts.map(|at| at.of(text));
    let dates = (posting.effective, posting.document, posting.entered, posting.entered_time);
    let rest = (posting.fiscal_year, posting.period, posting.manual, posting.extra.clone());
    (posting.side, posting.signed, names, dates, rest, texts)
}

/// A text, and the number of the name that is made of it.
type Made = (Box<str>, u32);

/// Numbers the names of lines, those that are made of their texts included.
pub struct Namer {
    interner: Interner,
    /// For each sort that is made of a text, texts that were met a moment ago, by their hashes, with the number each got.
    recent: [Vec<Option<Made>>; 3],
    made: String,
}

impl Namer {
    /// For lines with so many extra columns.
    pub fn new(extra: usize) -> Self {
        let recent = std::array::from_fn(|_| vec![None; MOST_MADE]);
        Self { interner: Interner::new(extra), recent, made: String::new() }
    }

    pub fn extra(&self) -> usize {
        self.interner.extra()
    }

    pub fn finish(self) -> Interner {
        self.interner
    }

    pub fn check(&self) -> Result<(), TooMany> {
        self.interner.check()
    }

    pub fn number(&mut self, line: &Line<'_>, sort: Sort) -> u32 {
        let name = match sort {
            Sort::Account => line.account,
            Sort::Currency => line.currency,
            Sort::Entity => line.entity,
            Sort::Ledger => line.ledger,
            Sort::BusinessUnit => line.business_unit,
            Sort::Source => line.source,
            Sort::DocumentType => line.document_type,
            Sort::User => line.user,
            Sort::Approver => line.approver,
            Sort::Partner => line.partner,
            Sort::HeaderHead => return self.made(0, sort, line.header_text, heads::head),
            Sort::LineHead => return self.made(1, sort, line.line_text, heads::head),
            Sort::ReferencePattern => return self.made(2, sort, line.reference, heads::pattern),
            Sort::Extra(place) => line.extra.get(usize::from(place)).copied().unwrap_or(""),
        };
        self.interner.number(sort, name)
    }

    fn made(&mut self, place: usize, sort: Sort, text: &str, make: fn(&str, &mut String)) -> u32 {
        let recent = &mut self.recent[place][xxh3_64(text.as_bytes()) as usize % MOST_MADE];
        if let Some((known, number)) = recent
            && **known == *text
        {
            return *number;
        }
        self.made.clear();
        make(text, &mut self.made);
        let number = self.interner.number(sort, &self.made);
        if text.len() <= LONGEST_MADE {
            *recent = Some((text.into(), number));
        }
        number
    }
}

/// A ledger that fits into one part, from its lines: for tests, and for what is small anyway.
pub fn from_lines<'a>(lines: impl IntoIterator<Item = Line<'a>>) -> (Part, Names) {
    let lines: Vec<Line<'_>> = lines.into_iter().collect();
    let extra = lines.first().map_or(0, |line| line.extra.len());
    let mut namer = Namer::new(extra);
    let number = |line: &Line<'_>, namer: &mut Namer| -> Vec<u32> {
        Sort::all(extra).map(|sort| namer.number(line, sort)).collect()
    };
    let numbers: Vec<Vec<u32>> = lines.iter().map(|line| number(line, &mut namer)).collect();
    // What fits into memory as it is has not too many names.
    let (names, ranks) = Names::of(vec![namer.finish()]).unwrap_or_default();
    let mut builder = PartBuilder::default();
    for (line, numbers) in lines.iter().zip(numbers) {
        // The numbers are of the interner whose ranks these are.
        let symbol = |sort: Sort| ranks[0].symbol(sort, numbers[sort.index()]).unwrap_or(Symbol(0));
        let posting = Posting {
            number: line.number.unwrap_or(0),
            account: symbol(Sort::Account),
            side: line.working_side(),
            signed: line.signed(),
            currency: symbol(Sort::Currency),
            entity: symbol(Sort::Entity),
            ledger: symbol(Sort::Ledger),
            business_unit: symbol(Sort::BusinessUnit),
            source: symbol(Sort::Source),
            document_type: symbol(Sort::DocumentType),
            user: symbol(Sort::User),
            approver: symbol(Sort::Approver),
            partner: symbol(Sort::Partner),
            header_head: symbol(Sort::HeaderHead),
            line_head: symbol(Sort::LineHead),
            reference_pattern: symbol(Sort::ReferencePattern),
            manual: line.manual,
            effective: line.effective,
            document: line.document,
            entered: line.entered,
            entered_time: line.entered_time,
            fiscal_year: line.fiscal_year,
            period: line.period,
            reference: builder.keep(line.reference),
            reversal_of: builder.keep(line.reversal_of),
            header_text: builder.keep(line.header_text),
            line_text: builder.keep(line.line_text),
            extra: (0..extra).map(|place| symbol(Sort::Extra(place as u8))).collect(),
        };
        builder.push(line.entry, posting);
    }
    (builder.finish(), names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(entry: &'a str, number: u64, account: &'a str, cents: i64) -> Line<'a> {
        Line { entry, number: Some(number), account, amount: Amount::from_cents(cents), ..Line::default() }
    }

    #[test]
    fn lines_of_an_entry_come_together_in_the_order_of_their_numbers() {
        let (part, _) =
            from_lines([line("b", 10, "4711", 1), line("a", 1, "4711", 2), line("b", 9, "4711", 3)]);

        let entries: Vec<_> = part
            .entries()
            .iter()
            .map(|entry| {
                let numbers: Vec<_> = part.postings_of(entry).iter().map(|posting| posting.number).collect();
                (part.id(entry), numbers)
            })
            .collect();

        assert_eq!(entries, [("a", vec![1]), ("b", vec![9, 10])]);
    }

    #[test]
    fn the_order_of_the_file_does_not_matter_even_for_doubled_line_numbers() {
        let lines = [
            Line { user: "meier", ..line("a", 1, "4711", 100) },
            Line { user: "huber", ..line("a", 1, "4711", 100) },
            Line { line_text: "x", ..line("a", 1, "4711", 100) },
            Line { line_text: "y", ..line("a", 1, "4711", 100) },
            Line { number: None, ..line("b", 0, "0815", 5) },
            Line { number: None, ..line("b", 0, "0815", -5) },
        ];
        let told = |(part, names): (Part, Names)| -> Vec<_> {
            let of = |posting: &Posting| {
                let user = names.name(Sort::User, posting.user).to_string();
                (user, posting.signed, posting.side, part.text(posting.line_text).to_string())
            };
            part.postings().iter().map(of).collect()
        };

        let forward = told(from_lines(lines.clone()));
        let backward = told(from_lines(lines.into_iter().rev()));

        assert_eq!(forward, backward);
    }

    #[test]
    fn a_negative_debit_works_as_a_credit() {
        let (part, _) = from_lines([line("a", 1, "4711", -700)]);

        assert_eq!(
            (part.postings()[0].side, part.postings()[0].signed),
            (Side::Credit, Amount::from_cents(-700))
        );
    }
}
