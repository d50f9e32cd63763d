use std::fs;

use std::ops::ControlFlow;

use super::*;
use crate::ingest::{self, Input, Mapping, Preset};
use crate::names::Sort;

const HEADER: &str =
    "Journal_ID,Journal_ID_Line_Number,GL_Account_Number,Amount,Amount_Credit_Debit_Indicator,Entered_By";

fn mapping() -> Mapping {
    Mapping { preset: Some(Preset::Ads), ..Mapping::default() }
}

fn reading(folder: &Path, text: &str, parts: usize, threads: usize) -> Result<Reading, PassError> {
    let file = folder.join("ledger.csv");
    fs::write(&file, text).unwrap();
    let put_aside = folder.join(format!("parts-{parts}-{threads}"));
    fs::create_dir(&put_aside).unwrap();
    let source = ingest::open(&Input::File(file), &mapping()).unwrap();
    read(source, Window::default(), &put_aside, parts, threads, &|_, _| ControlFlow::Continue(()))
}

/// Each entry with its accounts and users, in words.
fn told(reading: &Reading) -> Vec<String> {
    let names = reading.spool.names();
    let mut told: Vec<String> = (0..reading.spool.parts())
        .flat_map(|part| {
            let part = reading.spool.load(part).unwrap();
            let entry = |entry| {
                let postings = part.postings_of(entry).iter().map(|posting| {
                    let name = |sort| names.name(sort, posting.symbol(sort));
                    format!("{} {} {}", name(Sort::Account), name(Sort::User), posting.signed)
                });
                format!("{}: {}", part.id(entry), postings.collect::<Vec<_>>().join(", "))
            };
            part.entries().iter().map(entry).collect::<Vec<_>>()
        })
        .collect();
    told.sort();
    told
}

#[test]
fn every_line_is_put_aside_with_its_entry_however_many_parts_and_threads() {
    let lines: String = (0..3_000)
        .map(|line| format!("JE-{},{},{},{}.50,S,u{}\n", line % 700, line, 4_000 + line % 13, line, line % 5))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{HEADER}\n{lines}");
    let one = reading(folder.path(), &text, 1, 1).unwrap();

    let expected = told(&one);
    assert_eq!((one.lines, expected.len()), (3_000, 700));
    assert!(expected[0].starts_with("JE-0: 4000 u0 0.50, "), "{}", expected[0]);

    for (parts, threads) in [(1, 3), (7, 1), (7, 2)] {
        let other = reading(folder.path(), &text, parts, threads).unwrap();
        assert_eq!(told(&other), expected, "{parts} parts, {threads} threads");
        assert_eq!(other.origin, one.origin);
    }
}

#[test]
fn rejected_lines_are_counted_and_the_first_are_listed_in_order() {
    let lines: String =
        (0..MOST_LISTED + 500).map(|line| format!("JE-{line},1,4711,x{line},S,u\n")).collect();
    let folder = tempfile::tempdir().unwrap();

    let reading = reading(folder.path(), &format!("{HEADER}\n{lines}JE,1,4711,5,S,u\n"), 2, 3).unwrap();

    assert_eq!((reading.lines, reading.rejected.count), (1, MOST_LISTED as u64 + 500));
    let places: Vec<u64> = reading.rejected.first.iter().map(|rejection| rejection.first_line).collect();
    assert_eq!(places, (2..MOST_LISTED as u64 + 2).collect::<Vec<_>>());
}

#[test]
fn a_pass_that_is_stopped_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.csv");
    fs::write(&file, format!("{HEADER}\nJE,1,4711,5,S,u\n")).unwrap();
    let source = ingest::open(&Input::File(file), &mapping()).unwrap();

    let stopped = read(source, Window::default(), folder.path(), 1, 2, &|_, _| ControlFlow::Break(()));

    assert!(matches!(stopped, Err(PassError::Stopped)));
}

/// Many blocks, none of which can be parsed.
struct Broken(u64);

impl Source for Broken {
    fn next_block(&mut self) -> Result<Option<Box<dyn Block>>, ReadError> {
        self.0 += 1;
        Ok((self.0 < 1_000).then(|| Box::new(BrokenBlock) as Box<dyn Block>))
    }

    fn position(&self) -> (u64, Option<u64>) {
        (self.0, None)
    }

    fn extra(&self) -> usize {
        0
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        panic!("it was not read to its end")
    }
}

struct BrokenBlock;

impl Block for BrokenBlock {
    fn parse(self: Box<Self>, _: &mut dyn FnMut(Row<'_>)) -> Result<(), ReadError> {
        Err(ReadError::Changed)
    }
}

/// It once waited for ever for somebody to take the next block.
#[test]
fn a_pass_whose_threads_all_fail_says_so() {
    for threads in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let failed = read(Box::new(Broken(0)), Window::default(), folder.path(), 1, threads, &|_, _| {
            ControlFlow::Continue(())
        });

        assert!(matches!(failed.err(), Some(PassError::Read(ReadError::Changed))));
    }
}
