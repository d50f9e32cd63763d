//! The published procedures of the AICPA's reference implementation on its sample ledger, counted by our own tests.
//!
//! The counts are asserted in that project's own tests, and counted once more with pandas by `benches/journal/aicpa_procedures.py`. Where a test of ours
//! differs on purpose, both counts are here. The data lie in `shared/data/journal` beside the project; without them the tests say so.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy does not know helpers for tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use journal::amount::Amount;
use journal::calendar::{self, Calendars};
use journal::completeness::{self, Completeness, Counted, Given, Logged, LoggedDifference, Verdict};
use journal::controls::facts::{Group, What, records};
use journal::controls::{Config, Fact, Id, Keywords, Norms, Scene, Summary, View};
use journal::line::{Line, Side};
use journal::names::Names;
use journal::part::{Part, from_lines};

fn rows(name: &str) -> Option<Vec<csv::StringRecord>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/journal").join(name);
    if !path.exists() {
        println!("skipped: no data file `{name}`");
        return None;
    }
    Some(csv::Reader::from_path(path).unwrap().into_records().map(Result::unwrap).collect())
}

fn date(text: &str) -> Option<Date> {
    // What SAP writes for no date.
    let text = (text != "19000101").then_some(text)?;
    Some(
        Date::new(text[..4].parse().unwrap(), text[4..6].parse().unwrap(), text[6..].parse().unwrap())
            .unwrap(),
    )
}

fn line(row: &csv::StringRecord) -> Line<'_> {
    let time: u32 = row[15].parse().unwrap();
    Line {
        entry: &row[0],
        number: Some(row[1].parse().unwrap()),
        line_text: &row[2],
        business_unit: &row[3],
        effective: date(&row[4]),
        fiscal_year: Some(row[5].parse().unwrap()),
        account: &row[6],
        amount: row[7].parse().unwrap(),
        side: if &row[8] == "S" { Side::Debit } else { Side::Credit },
        currency: &row[9],
        header_text: &row[10],
        source: &row[11],
        user: &row[12],
        document: date(&row[13]),
        entered: date(&row[14]),
        entered_time: Some(time / 10_000 * 3_600 + time / 100 % 100 * 60 + time % 100),
        period: Some(row[16].parse().unwrap()),
        ..Line::default()
    }
}

struct Ledger {
    part: Part,
    names: Names,
}

fn ledger() -> Option<Ledger> {
    let rows = rows("GL_Detail.csv")?;
    let (part, names) = from_lines(rows.iter().map(line));
    Some(Ledger { part, names })
}

fn config(json: &str) -> Config {
    let config: Config = serde_json::from_str(json).unwrap();
    config.check().unwrap();
    config
}

impl Ledger {
    fn facts(&self, config: &Config) -> BTreeMap<u32, Vec<Fact>> {
        let mut all = Vec::new();
        for (number, entry) in self.part.entries().iter().enumerate() {
            records(&self.part, entry, (0, number as u32), &self.names, config, &mut all);
        }
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for record in all {
            groups.entry(record.key).or_default().push(record);
        }
        let mut facts: BTreeMap<u32, Vec<Fact>> = BTreeMap::new();
        for fact in groups.into_values().flat_map(|group| group.finish(config, &self.names)) {
            facts.entry(fact.number).or_default().push(fact);
        }
        facts.values_mut().for_each(|facts| facts.sort_unstable_by_key(Fact::order));
        facts
    }

    /// Lines and entries that each of the tests hits.
    fn hits(&self, config: &Config, ids: &[Id]) -> BTreeMap<Id, (usize, usize)> {
        let mut summary = Summary::new(&self.names);
        summary.add(&self.part);
        let norms = Norms::new(summary, &self.names);
        let calendars = Calendars::new(&calendar::Config::default(), &self.names).unwrap();
        let keywords = Keywords::new(&config.keyword);
        let scene =
            Scene { names: &self.names, norms: &norms, calendars: &calendars, config, keywords: &keywords };
        let facts = self.facts(config);
        let tests: Vec<_> = config.tests().filter(|(id, _)| ids.contains(id)).collect();
        let mut counts: BTreeMap<Id, (usize, usize)> = ids.iter().map(|&id| (id, (0, 0))).collect();
        for (number, entry) in self.part.entries().iter().enumerate() {
            let facts = facts.get(&(number as u32)).map_or(&[][..], Vec::as_slice);
            let view = View::new(scene, &self.part, entry, facts);
            for hit in tests.iter().filter_map(|(_, test)| test.look(&view)) {
                let count = counts.get_mut(&hit.id).unwrap();
                *count = (count.0 + hit.lines.len(), count.1 + 1);
            }
        }
        counts
    }

    fn completeness(&self, config: completeness::Config) -> Completeness {
        let mut counted = Counted::new(config);
        counted.add(&self.part, &self.names);
        let mut totals: BTreeMap<String, Logged> = BTreeMap::new();
        for row in rows("Log_File.csv").unwrap_or_default() {
            let entry = row[0].to_string();
            let zero = Logged { entry: entry.clone(), debits: Amount::ZERO, credits: Amount::ZERO };
            let logged = totals.entry(entry).or_insert(zero);
            let total = row[2].parse().unwrap();
            match &row[1] {
                "S" => logged.debits = total,
                _ => logged.credits = total,
            }
        }
        counted.add_log(&self.part, &totals.into_values().collect::<Vec<_>>());
        counted.finish(&self.names, &Given::default())
    }
}

fn count<T>(verdict: &Verdict<T>) -> u64 {
    match verdict {
        Verdict::Failed(findings) => findings.count,
        Verdict::Passed { .. } => 0,
        Verdict::NotPossible(why) => panic!("{why}"),
    }
}

#[test]
fn gaps_listing_control_totals_and_balance_are_as_published() {
    let Some(ledger) = ledger() else { return };

    let as_published =
        ledger.completeness(completeness::Config { largest_gap: u64::MAX, ..Default::default() });
    let by_default = ledger.completeness(completeness::Config::default());

    // 1.1: every jump is a gap. By default, a jump of more than a million numbers begins another range of them.
    assert_eq!(count(&as_published.gaps), 12);
    assert_eq!(count(&by_default.gaps), 1);
    // 1.2 and 1.3: all entries are in both, and one has other totals. The log was printed with ten significant digits.
    let differing: Vec<_> = as_published
        .entry_totals
        .findings()
        .iter()
        .map(|found| (found.entry.as_str(), &found.difference))
        .collect();
    let (logged, found) = ("339732014.90".parse().unwrap(), "339732014.88".parse().unwrap());
    assert_eq!(
        differing,
        [
            ("1500000002", &LoggedDifference::Debits { logged, found }),
            ("1500000002", &LoggedDifference::Credits { logged, found }),
        ]
    );
    // 2.1: the published procedure adds up all currencies of an entry. Ours does not, and finds the same four.
    let unbalanced: Vec<_> =
        as_published.balanced.findings().iter().map(|found| found.entry.as_str()).collect();
    assert_eq!(unbalanced, ["100011090", "100011091", "100011092", "100011093"]);
    assert_eq!(count(&as_published.doubled), 0);
    println!("lines complete: {:?}", as_published.lines_complete.findings().first());
}

#[test]
fn duplicates_are_as_published() {
    let Some(ledger) = ledger() else { return };
    let with_zeros = config(r#"{ "duplicate": { "least_amount": "0" } }"#);
    let lines = |config: &Config| {
        let same = |fact: &&Fact| matches!(fact.what, What::Same { .. });
        ledger.facts(config).values().flatten().filter(same).count()
    };

    // 2.2: lines with the account, period and net amount of another line. Ours of the same test must be in another entry, and of 1.00 and more.
    assert_eq!(lines(&with_zeros), 6_919);
    assert_eq!(ledger.hits(&with_zeros, &[Id::Duplicate])[&Id::Duplicate].0, 6_907);
    assert_eq!(ledger.hits(&Config::default(), &[Id::Duplicate])[&Id::Duplicate].0, 6_787);
}

#[test]
fn round_postdated_night_and_rare_lines_are_as_published() {
    let Some(ledger) = ledger() else { return };
    let config = config(r#"{ "other_date": { "late_days": 100000, "ahead_days": 100000 } }"#);

    let hits = ledger.hits(&config, Id::ALL);

    for (id, (lines, entries)) in &hits {
        println!("{} {:<24}{lines:>7} lines{entries:>7} entries", id.about().code, id.about().id);
    }
    let lines = |id| hits[&id].0;
    // 2.3: 226 lines without a remainder of 1,000, of which 106 are zero. Zero is not round for us, and has a test of its own.
    assert_eq!((lines(Id::Round), lines(Id::Zero), lines(Id::Round) + lines(Id::Zero)), (120, 106, 226));
    // 2.4: the document is dated more than a month after the entry.
    assert_eq!(lines(Id::OtherDate), 149);
    // 2.5: weekends, and from 20:00 to 06:00.
    assert_eq!((lines(Id::DayOff), lines(Id::AfterHours)), (0, 190));
    // 2.6: users of ten lines or fewer, accounts of three or fewer.
    assert_eq!((lines(Id::RareUser), lines(Id::RareAccount)), (52, 32));
    // 2.1 once more, as a test of entries.
    assert_eq!(hits[&Id::Unbalanced].1, 4);
}
