//! The second pass: what has to be known of the whole ledger before anything is said of one entry.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;

use super::log::Log;
use super::parts::Crew;
use super::shuffle::RecordsWriter;
use super::sums::Sum;
use super::{PassError, populations};
use crate::amount::Amount;
use crate::calendar::accounting_date;
use crate::completeness;
use crate::controls::{self, Summary};
use crate::line::Side;
use crate::names::{Names, Symbol};
use crate::part::{Part, Posting};
use crate::scoring::dims::Has;
use crate::spool::Spool;
use crate::stored::{Broken, Reader, Stored, put_json, take_json};

/// What all parts say together.
pub struct Survey {
    pub completeness: completeness::Counted,
    pub summary: Summary,
    pub has: Has,
    pub populations: populations::Counts,
    pub totals: Totals,
    pub entries: u64,
    pub lines: u64,
    /// Who put records aside that tie entries to each other.
    pub writers: Vec<String>,
}

/// Debits and credits of each entity and currency, and the time that the ledger covers. Adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub of: BTreeMap<(Symbol, Symbol), Total>,
    pub window: Option<(Date, Date)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    pub lines: u64,
    pub debit: Amount,
    pub credit: Amount,
}

impl Totals {
    fn add(&mut self, posting: &Posting) {
        let total = self.of.entry((posting.entity, posting.currency)).or_default();
        total.lines += 1;
        match posting.side {
            Side::Debit => total.debit = total.debit + posting.signed.abs(),
            Side::Credit => total.credit = total.credit + posting.signed.abs(),
        }
        if let Some(date) = accounting_date(posting) {
            self.widen((date, date));
        }
    }

    fn widen(&mut self, (from, to): (Date, Date)) {
        self.window = Some(self.window.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
    }

    fn merge(&mut self, other: &Self) {
        for (key, more) in &other.of {
            let total = self.of.entry(*key).or_default();
            total.lines += more.lines;
            total.debit = total.debit + more.debit;
            total.credit = total.credit + more.credit;
        }
        if let Some(window) = other.window {
            self.widen(window);
        }
    }

    /// The currency with the most lines, which is that of sums; of equals the first by name.
    pub fn main_currency(&self) -> Option<Symbol> {
        let mut lines: BTreeMap<Symbol, u64> = BTreeMap::new();
        for ((_, currency), total) in &self.of {
            *lines.entry(*currency).or_insert(0) += total.lines;
        }
        lines
            .into_iter()
            .max_by_key(|&(currency, lines)| (lines, std::cmp::Reverse(currency)))
            .map(|most| most.0)
    }
}

/// By what the ledger is checked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub completeness: &'a completeness::Config,
    pub controls: &'a controls::Config,
    pub log: Option<&'a Log>,
}

/// Surveys parts, and puts the records that tie entries to each other aside.
pub fn survey(
    crew: Crew<'_>,
    spool: &Spool,
    folder: &Path,
    buckets: usize,
    asked: Asked<'_>,
) -> Result<Survey, PassError> {
    let failed = PassError::put_aside(folder);
    let names = spool.names();
    let Asked { completeness, controls, log } = asked;
    let begin = |thread| {
        let writer = crew.share.writer(thread);
        let records = RecordsWriter::create(crew.share.into, &writer, buckets).map_err(failed)?;
        Ok(One { survey: Survey::new(completeness.clone(), names), records, made: Vec::new() })
    };
    let work = |one: &mut One, number: usize| {
        let part = spool.load(number).map_err(failed)?;
        one.survey.add(&part, names);
        if let Some(log) = log {
            one.survey.completeness.add_log(&part, &log.of_part(number).map_err(failed)?);
        }
        one.put_records(&part, number as u32, names, controls).map_err(failed)
    };
    let mut survey = Survey::new(completeness.clone(), names);
    for (thread, One { survey: more, records, .. }) in
        crew.over(spool.parts(), begin, work)?.into_iter().enumerate()
    {
        records.finish().map_err(failed)?;
        survey.writers.push(crew.share.writer(thread));
        survey.merge(more);
    }
    Ok(survey)
}

/// What a thread has of its parts.
struct One {
    survey: Survey,
    records: RecordsWriter,
    made: Vec<controls::Record>,
}

impl One {
    fn put_records(
        &mut self,
        part: &Part,
        number: u32,
        names: &Names,
        config: &controls::Config,
    ) -> std::io::Result<()> {
        for (place, entry) in part.entries().iter().enumerate() {
            self.made.clear();
            controls::facts::records(part, entry, (number, place as u32), names, config, &mut self.made);
            self.made.iter().try_for_each(|record| self.records.push(record))?;
        }
        Ok(())
    }
}

impl Survey {
    fn new(completeness: completeness::Config, names: &Names) -> Self {
        Self {
            completeness: completeness::Counted::new(completeness),
            summary: Summary::new(names),
            has: Has::default(),
            populations: populations::Counts::default(),
            totals: Totals::default(),
            entries: 0,
            lines: 0,
            writers: Vec::new(),
        }
    }

    fn add(&mut self, part: &Part, names: &Names) {
        self.completeness.add(part, names);
        self.summary.add(part);
        self.entries += part.entries().len() as u64;
        self.lines += part.postings().len() as u64;
        for entry in part.entries() {
            self.populations.add(part.postings_of(entry));
        }
        for posting in part.postings() {
            self.has.add(posting);
            self.totals.add(posting);
        }
    }
}

impl Sum for Survey {
    type Of<'a> = ();

    fn merge(&mut self, other: Self) {
        self.completeness.merge(other.completeness);
        self.summary.merge(other.summary);
        self.has.merge(other.has);
        self.populations.merge(&other.populations);
        self.totals.merge(&other.totals);
        self.entries += other.entries;
        self.lines += other.lines;
        self.writers.extend(other.writers);
    }

    fn put(&self, out: &mut Vec<u8>) {
        let Self { completeness, summary, has, populations, totals, entries, lines, writers } = self;
        put_json(completeness, out);
        put_json(summary, out);
        put_json(has, out);
        populations.put(out);
        let of = totals.of.iter().map(|(&(entity, currency), total)| {
            let Total { lines, debit, credit } = *total;
            ((entity.0, currency.0), (lines, debit.units(), credit.units()))
        });
        of.collect::<Vec<_>>().put(out);
        put_json(&totals.window, out);
        entries.put(out);
        lines.put(out);
        writers.put(out);
    }

    fn take(from: &mut Reader<'_>, (): ()) -> Result<Self, Broken> {
        Ok(Self {
            completeness: take_json(from)?,
            summary: take_json(from)?,
            has: take_json(from)?,
            populations: Stored::take(from)?,
            totals: Totals { of: totals(from)?, window: take_json(from)? },
            entries: Stored::take(from)?,
            lines: Stored::take(from)?,
            writers: Stored::take(from)?,
        })
    }
}

type Totalled = ((u32, u32), (u64, i128, i128));

fn totals(from: &mut Reader<'_>) -> Result<BTreeMap<(Symbol, Symbol), Total>, Broken> {
    let of: Vec<Totalled> = Stored::take(from)?;
    let total = |((entity, currency), (lines, debit, credit)): Totalled| {
        let (debit, credit) = (Amount::from_units(debit), Amount::from_units(credit));
        ((Symbol(entity), Symbol(currency)), Total { lines, debit, credit })
    };
    Ok(of.into_iter().map(total).collect())
}
