//! Runs tests over a ledger of a few lines, parted as one likes.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Config, Fact, Hit, Id, Keywords, Norms, Scene, Summary, View, facts};
use crate::amount::Amount;
use crate::calendar::{self, Calendars};
use crate::line::{Line, Side};
use crate::names::Names;
use crate::part::{Part, PartBuilder, from_lines};

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A line of an entry that says what every line says.
pub fn line<'a>(entry: &'a str, account: &'a str, amount: &str) -> Line<'a> {
    let amount: Amount = amount.parse().unwrap();
    let side = if amount.is_negative() { Side::Credit } else { Side::Debit };
    Line {
        entry,
        account,
        amount: amount.abs(),
        side,
        currency: "EUR",
        user: "MEIER",
        source: "SA",
        effective: Some(jiff::civil::date(2025, 3, 12)),
        entered: Some(jiff::civil::date(2025, 3, 12)),
        entered_time: Some(10 * 3_600),
        line_text: "office supplies",
        ..Line::default()
    }
}

/// So many copies of a line as entries of their own, each of a few with its own id: what makes something usual.
pub fn usual<'a>(ids: &'a [String], line: &Line<'a>) -> Vec<Line<'a>> {
    ids.iter().map(|id| Line { entry: id, ..line.clone() }).collect()
}

pub fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("usual-{number:05}")).collect()
}

/// A ledger in as many parts as the greatest number its entries are given.
pub fn parted(lines: Vec<Line<'_>>, place: impl Fn(usize) -> usize) -> (Vec<Part>, Names) {
    let (whole, names) = from_lines(lines);
    let mut builders: Vec<PartBuilder> = Vec::new();
    for (index, entry) in whole.entries().iter().enumerate() {
        let place = place(index);
        builders.resize_with(builders.len().max(place + 1), PartBuilder::default);
        for posting in whole.postings_of(entry) {
            let mut posting = posting.clone();
            for text in [
                &mut posting.reference,
                &mut posting.reversal_of,
                &mut posting.header_text,
                &mut posting.line_text,
            ] {
                *text = builders[place].keep(whole.text(*text));
            }
            builders[place].push(whole.id(entry), posting);
        }
    }
    (builders.into_iter().map(PartBuilder::finish).collect(), names)
}

/// Facts by part and number of the entry, as pass 3 reads them.
pub fn facts(parts: &[Part], names: &Names, config: &Config) -> BTreeMap<(u32, u32), Vec<Fact>> {
    let mut records = Vec::new();
    for (part_number, part) in parts.iter().enumerate() {
        for (number, entry) in part.entries().iter().enumerate() {
            let place = (part_number as u32, number as u32);
            facts::records(part, entry, place, names, config, &mut records);
        }
    }
    let mut groups: BTreeMap<u64, facts::Group> = BTreeMap::new();
    for record in records {
        groups.entry(record.key).or_default().push(record);
    }
    let mut facts: BTreeMap<(u32, u32), Vec<Fact>> = BTreeMap::new();
    for group in groups.into_values() {
        for fact in group.finish(config, names) {
            facts.entry((fact.part, fact.number)).or_default().push(fact);
        }
    }
    facts.values_mut().for_each(|facts| facts.sort_unstable_by_key(Fact::order));
    facts
}

pub fn norms(parts: &[Part], names: &Names) -> Norms {
    let mut summary = Summary::new(names);
    for part in parts.iter().rev() {
        let mut of_part = Summary::new(names);
        of_part.add(part);
        summary.merge(of_part);
    }
    Norms::new(summary, names)
}

/// A hit in words, with the id of its entry; the same for every way of parting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub entry: String,
    pub id: Id,
    pub lines: Vec<u32>,
    pub words: String,
    pub other: Option<u64>,
}

pub fn told(config: &Config, calendars: &calendar::Config, parts: &[Part], names: &Names) -> Vec<Told> {
    config.check().unwrap();
    let norms = norms(parts, names);
    let calendars = Calendars::new(calendars, names).unwrap();
    let keywords = Keywords::new(&config.keyword);
    let scene = Scene { names, norms: &norms, calendars: &calendars, config, keywords: &keywords };
    let facts = facts(parts, names, config);
    let mut all = Vec::new();
    for (part_number, part) in parts.iter().enumerate() {
        for (number, entry) in part.entries().iter().enumerate() {
            let facts = facts.get(&(part_number as u32, number as u32)).map_or(&[][..], Vec::as_slice);
            let told = |Hit { id, lines, said, other }: Hit| Told {
                entry: part.id(entry).into(),
                id,
                lines,
                words: said.words(names),
                other: other.map(|other| other.hash),
            };
            all.extend(View::new(scene, part, entry, facts).hits().into_iter().map(told));
        }
    }
    all.sort();
    all
}

/// Which entries one test hits, and in which words.
pub fn hits(config: &Config, id: Id, lines: Vec<Line<'_>>) -> Vec<(String, String)> {
    hits_on(config, &calendar::Config::default(), id, lines)
}

pub fn hits_on(
    config: &Config,
    days: &calendar::Config,
    id: Id,
    lines: Vec<Line<'_>>,
) -> Vec<(String, String)> {
    let (parts, names) = parted(lines, |_| 0);
    let told = told(config, days, &parts, &names).into_iter().filter(|told| told.id == id);
    told.map(|told| (told.entry, told.words)).collect()
}

/// The lines that one test hits, by entry.
pub fn lines_hit(config: &Config, id: Id, lines: Vec<Line<'_>>) -> Vec<(String, Vec<u32>)> {
    let (parts, names) = parted(lines, |_| 0);
    let told =
        told(config, &calendar::Config::default(), &parts, &names).into_iter().filter(|told| told.id == id);
    told.map(|told| (told.entry, told.lines)).collect()
}

pub fn config(json: &str) -> Config {
    serde_json::from_str(json).unwrap()
}

/// Whether the one line of entry `x` is hit.
pub fn hits_x(config: &Config, id: Id, lines: Vec<Line<'_>>) -> bool {
    hits(config, id, lines).iter().any(|(entry, _)| entry == "x")
}
