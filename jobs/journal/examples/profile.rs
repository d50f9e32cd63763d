//! Where the time of a run goes: `profile LEDGER.csv [MAPPING.json] [TIMES]` reads a ledger and does each step over all parts on one thread.
//!
//! A row has the processor's seconds, the least of so many times, and a hash of what came out: a change that makes a step faster must leave it as it is.
//! The mapping of the synthetic ledger is `{"preset": "datasynth", "round_to": 2}`, which is what is taken without one.

#![expect(clippy::unwrap_used, reason = "an example that is called wrongly may say so in any way")]

use std::fmt::{self, Debug, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use journal::calendar::{self, Calendars};
use journal::completeness::{self, Balance, ControlTotals, Given};
use journal::controls::facts::{Group, Record, records};
use journal::controls::{Config, Fact, Hit, Keywords, Norms, Scene, Summary, View};
use journal::ingest::{self, Input, Mapping};
use journal::names::{Names, Sort};
use journal::part::{Entry, Part};
use journal::passes::read::{Reading, read};
use journal::scoring::dims::{Dims, Has};
use journal::scoring::facets::Facets;
use journal::scoring::measures::{Counted, Empty};
use journal::settings::Window;
use journal::spool::parts_for;
use xxhash_rust::xxh3::Xxh3;

/// With something in every list, so that no test is idle.
const EVERYTHING: &str = r#"{
    "approval_limits": { "*": ["1000", "5000", "10000", "100000"] }, "material": { "materiality": { "*": "500000" } },
    "suspense": { "accounts": ["29*", "1900-1999"] }, "revenue_side": { "accounts": ["4*"], "expected_against": ["11*", "1000-1099"] },
    "self_approval": { "conflicts": [{ "one": "P2P", "other": "O2C" }] },
    "watched_user": { "senior": ["CFO001"], "departed": { "SYSTEM": "2024-11-30" }, "known": ["SYSTEM"] },
    "manual": { "sources": ["R2R", "SA"], "top_side_sources": ["H2R"] }, "intercompany": { "accounts": ["115*"] }
}"#;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let ledger = PathBuf::from(arguments.next().expect("usage: profile LEDGER.csv [MAPPING.json] [TIMES]"));
    let mapping = arguments.next();
    let mapping = mapping.as_deref().unwrap_or(r#"{"preset": "datasynth", "round_to": 2}"#);
    let mapping: Mapping = serde_json::from_str(mapping).unwrap();
    let times: usize = arguments.next().map_or(1, |times| times.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let parts = parts_for(std::fs::metadata(&ledger).unwrap().len());
    println!("| step | seconds | hash |\n|---|---|---|");
    let mut reading = None;
    for threads in [1, 2] {
        let mut seconds = f64::INFINITY;
        for time in 0..times {
            let folder = place.path().join(format!("{threads}-{time}"));
            std::fs::create_dir(&folder).unwrap();
            let begun = now();
            reading = Some(read_once(&ledger, &mapping, &folder, parts, threads));
            seconds = seconds.min(begun.elapsed().as_secs_f64());
        }
        let Reading { spool, origin, lines, outside: _, rejected } = reading.as_ref().unwrap();
        let hash = hash(&(spool.names(), origin, lines, rejected));
        println!("| read on {threads}, by the clock | {seconds:.3} | {hash} |");
    }
    let spool = reading.unwrap().spool;
    let loaded = step(
        "load",
        times,
        || (0..parts).map(|part| spool.load(part).unwrap()).collect(),
        |parts: &Vec<Part>| told(parts),
    );
    let ledger = Ledger { parts: &loaded, names: spool.names(), times };
    ledger.completeness();
    let summary =
        step("summary", times, || ledger.summary(), |summary| serde_json::to_string(summary).unwrap());
    let norms = step("norms", times, || Norms::new(summary.clone(), ledger.names), |_| ());
    ledger.tests("", &Config::default(), &calendar::Config::default(), &norms);
    let days = r#"{ "ledger_zone": "Europe/Berlin", "standard": { "zone": "America/Chicago", "holidays": ["2024-07-04", "2007-07-04"] } }"#;
    let config: Config = serde_json::from_str(EVERYTHING).unwrap();
    config.check().unwrap();
    ledger.tests("everything: ", &config, &serde_json::from_str(days).unwrap(), &norms);
    ledger.scoring();
    println!("peak: {}", peak());
}

fn read_once(ledger: &Path, mapping: &Mapping, folder: &Path, parts: usize, threads: usize) -> Reading {
    let source = ingest::open(&Input::File(ledger.into()), mapping).unwrap();
    read(source, Window::default(), folder, parts, threads, &|_, _| ControlFlow::Continue(())).unwrap()
}

struct Ledger<'a> {
    parts: &'a [Part],
    names: &'a Names,
    times: usize,
}

impl<'a> Ledger<'a> {
    /// With the number of the part and of the entry in it.
    fn entries(&self) -> impl Iterator<Item = (&'a Part, &'a Entry, (u32, u32))> {
        let of = |(number, part): (usize, &'a Part)| {
            let entries = part.entries().iter().enumerate();
            entries.map(move |(place, entry)| (part, entry, (number as u32, place as u32)))
        };
        self.parts.iter().enumerate().flat_map(of)
    }

    fn completeness(&self) {
        let count = || {
            let mut counted = completeness::Counted::new(completeness::Config::default());
            self.parts.iter().for_each(|part| counted.add(part, self.names));
            counted
        };
        let zero = Some(journal::amount::Amount::ZERO);
        let control_totals = ControlTotals {
            debits: zero,
            credits: zero,
            accounts_hash: zero,
            lines: Some(0),
            entries: Some(0),
        };
        let given = Given {
            trial_balance: Some(vec![Balance::default()]),
            control_totals: Some(control_totals),
            in_window: false,
        };
        step("completeness", self.times, count, |counted| counted.clone().finish(self.names, &given));
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::new(self.names);
        self.parts.iter().for_each(|part| summary.add(part));
        summary
    }

    fn tests(&self, which: &str, config: &Config, days: &calendar::Config, norms: &Norms) {
        let records = || {
            let mut all = Vec::new();
            for (part, entry, place) in self.entries() {
                records(part, entry, place, self.names, config, &mut all);
            }
            all
        };
        let all = step(&format!("{which}records"), self.times, records, Vec::len);
        let group = || grouped(all.clone(), config, self.names);
        let facts = step(&format!("{which}facts"), self.times, group, Vec::clone);
        let (keywords, calendars) =
            (Keywords::new(&config.keyword), Calendars::new(days, self.names).unwrap());
        let scene = Scene { names: self.names, norms, calendars: &calendars, config, keywords: &keywords };
        let views = || {
            let mut rest = &facts[..];
            self.entries().map(move |(part, entry, place)| {
                let own = rest.iter().take_while(|fact| (fact.part, fact.number) == place).count();
                let (own, behind) = rest.split_at(own);
                rest = behind;
                View::new(scene, part, entry, own)
            })
        };
        let hits = || views().map(|view| view.hits()).collect::<Vec<_>>();
        let words = |hits: &Vec<Vec<Hit>>| {
            let words = |hit: &Hit| (hit.id, hit.lines.clone(), hit.said.words(self.names), hit.other);
            hits.iter().flatten().map(words).collect::<Vec<_>>()
        };
        step(&format!("{which}hits"), self.times, hits, words);
        for (id, test) in config.tests() {
            let look = || views().filter_map(|view| test.look(&view)).count();
            step(&format!("{which}{}", id.about().id), self.times, look, |hits| *hits);
        }
    }

    fn scoring(&self) {
        let mut has = Has::default();
        self.parts.iter().flat_map(Part::postings).for_each(|posting| has.add(posting));
        let dims = Dims::of(self.names, has);
        let empty = Empty(self.names.find(Sort::HeaderHead, "").map(|symbol| symbol.index() as u32));
        let count = || {
            let (mut counted, mut facets) = (Counted::new(&dims, 1), Facets::default());
            self.entries()
                .for_each(|(part, entry, _)| counted.add(&dims, &mut facets, part.postings_of(entry), empty));
            counted
        };
        let counted = step("scoring count", self.times, count, |_| ());
        let yardstick = step("scoring finish", self.times, || counted.clone().finish(), |_| ());
        let measure = || {
            let mut facets = Facets::default();
            let entries = self.entries();
            entries
                .map(|(part, entry, _)| yardstick.measure(&dims, &mut facets, part.postings_of(entry), empty))
                .collect()
        };
        step("scoring measure", self.times, measure, Vec::clone);
    }
}

/// In the order of their entries.
fn grouped(mut records: Vec<Record>, config: &Config, names: &Names) -> Vec<Fact> {
    records.sort_unstable_by_key(|record| record.key);
    let mut facts = Vec::new();
    for of_key in records.chunk_by(|one, other| one.key == other.key) {
        let mut group = Group::default();
        of_key.iter().for_each(|record| group.push(*record));
        facts.extend(group.finish(config, names));
    }
    facts.sort_unstable_by_key(|fact| (fact.part, fact.number, fact.order()));
    facts
}

/// All that the parts say.
fn told(parts: &[Part]) -> Vec<String> {
    let of_part = |part: &Part| {
        let mut told = String::new();
        for entry in part.entries() {
            writeln!(told, "{}", part.id(entry)).unwrap();
            for posting in part.postings_of(entry) {
                let mut bare = posting.clone();
                let texts =
                    [&mut bare.reference, &mut bare.reversal_of, &mut bare.header_text, &mut bare.line_text];
                let texts = texts.map(|text| part.text(std::mem::take(text)).to_string());
                writeln!(told, "{bare:?} {texts:?}").unwrap();
            }
        }
        told
    };
    parts.iter().map(of_part).collect()
}

/// Does a step and prints its row.
fn step<T, R: Debug>(
    name: &str,
    times: usize,
    mut work: impl FnMut() -> T,
    result: impl FnOnce(&T) -> R,
) -> T {
    let mut least = f64::INFINITY;
    let mut done = None;
    for _ in 0..times {
        drop(done.take());
        let begun = processor();
        done = Some(work());
        least = least.min(processor() - begun);
    }
    let done = done.unwrap();
    println!("| {name} | {least:.3} | {} |", hash(&result(&done)));
    done
}

/// Of how it prints.
fn hash(value: &impl Debug) -> String {
    struct Hash(Xxh3);
    impl Write for Hash {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hash = Hash(Xxh3::new());
    write!(hash, "{value:?}").unwrap();
    format!("{:016x}", hash.0.digest())
}

/// Seconds that this thread was given, as Linux counts them: others may work beside it.
fn processor() -> f64 {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    counted.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .map_or_else(String::new, |line| line.replace('\t', " "))
}
