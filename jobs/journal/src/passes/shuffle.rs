//! Entries of different parts meet here: records go to buckets by their keys, and what they say of each other goes back to the parts.
//!
//! See [`crate::controls::facts`] for what is a record, a group and a fact. A bucket fits into memory, and each is looked at by one thread.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::PassError;
use super::parts::Crew;
use super::spill::{SpillReader, SpillWriter, broken, buffer_for, take_array};
use super::sums::Sum;
use crate::amount::Amount;
use crate::controls::facts::{Group, What};
use crate::controls::{Config, Fact, Place, Record};
use crate::names::Names;
use crate::stored::{Broken, Reader, Stored};

/// Buckets for each part: a line has about four records.
const BUCKETS_PER_PART: usize = 4;
/// More files than this are not open at once.
const MOST_BUCKETS: usize = 512;

pub fn buckets_for(parts: usize) -> usize {
    (parts * BUCKETS_PER_PART).min(MOST_BUCKETS)
}

/// One thread's files of records.
pub struct RecordsWriter {
    buckets: Vec<BufWriter<File>>,
}

impl RecordsWriter {
    pub fn create(folder: &Path, writer: &str, buckets: usize) -> io::Result<Self> {
        let create = |bucket| {
            let file = File::create_new(records_file(folder, writer, bucket))?;
            Ok(BufWriter::with_capacity(buffer_for(buckets), file))
        };
        Ok(Self { buckets: (0..buckets).map(create).collect::<io::Result<_>>()? })
    }

    pub fn push(&mut self, record: &Record) -> io::Result<()> {
        let bucket = ((u128::from(record.key) * self.buckets.len() as u128) >> 64) as usize;
        self.buckets[bucket].write_all(&record.to_bytes())
    }

    pub fn finish(self) -> io::Result<()> {
        self.buckets
            .into_iter()
            .try_for_each(|file| file.into_inner().map(|_| ()).map_err(io::IntoInnerError::into_error))
    }
}

/// Where the facts of each part are.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    folder: PathBuf,
    writers: Vec<String>,
}

/// The records that were put aside.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// By whom.
    pub writers: &'a [String],
    pub buckets: usize,
    /// Whether they stay when they were read: somebody else may have to read them again.
    pub stay: bool,
}

impl Facts {
    /// Groups the records, and makes facts for so many parts of them.
    pub fn of(
        crew: Crew<'_>,
        folder: &Path,
        records: Records<'_>,
        parts: usize,
        config: &Config,
        names: &Names,
    ) -> Result<Self, PassError> {
        let failed = |cause| PassError::PutAside { folder: folder.into(), cause };
        let begin = |thread| -> Result<Vec<SpillWriter>, PassError> {
            let writer = crew.share.writer(thread);
            (0..parts)
                .map(|part| SpillWriter::one_of(parts, &facts_file(crew.share.into, &writer, part)))
                .collect::<io::Result<_>>()
                .map_err(failed)
        };
        let work = |files: &mut Vec<SpillWriter>, bucket| {
            let taken = take_records(folder, records, bucket).map_err(failed)?;
            // A record alone ties its entry to nothing.
            for records in taken
                .chunk_by(|one, other| group_of(one) == group_of(other))
                .filter(|records| records.len() > 1)
            {
                let mut group = Group::default();
                records.iter().for_each(|record| group.push(*record));
                for fact in group.finish(config, names) {
                    let file = files.get_mut(fact.part as usize).ok_or_else(|| failed(broken()))?;
                    file.push(|out| put_fact(&fact, out)).map_err(failed)?;
                }
            }
            Ok(())
        };
        let written = crew.over(records.buckets, begin, work)?;
        let writers = (0..written.len()).map(|thread| crew.share.writer(thread)).collect();
        written.into_iter().flatten().try_for_each(SpillWriter::finish).map_err(failed)?;
        Ok(Self { folder: folder.into(), writers })
    }

    /// Those of a part, in the order of its entries and, of each entry, as a [`View`](crate::controls::View) wants them.
    pub fn of_part(&self, part: usize) -> io::Result<Vec<Fact>> {
        let mut facts = Vec::new();
        for writer in &self.writers {
            let mut file = SpillReader::open(&facts_file(&self.folder, writer, part))?;
            while let Some(fact) = file.next_with(|bytes| take_fact(bytes, part as u32))? {
                facts.push(fact);
            }
        }
        facts.sort_unstable_by_key(|fact| (fact.number, fact.order()));
        Ok(facts)
    }
}

impl Sum for Facts {
    type Of<'a> = &'a Path;

    fn merge(&mut self, more: Self) {
        self.writers.extend(more.writers);
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.writers.put(out);
    }

    fn take(from: &mut Reader<'_>, folder: &Path) -> Result<Self, Broken> {
        Ok(Self { folder: folder.into(), writers: Stored::take(from)? })
    }
}

/// Removes the records of these buckets, as far as they are there.
pub fn forget(folder: &Path, writers: &[String], buckets: Range<usize>) -> io::Result<()> {
    for (bucket, writer) in buckets.flat_map(|bucket| writers.iter().map(move |writer| (bucket, writer))) {
        match std::fs::remove_file(records_file(folder, writer, bucket)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn group_of(record: &Record) -> (u64, u8) {
    (record.key, record.kind as u8)
}

fn take_records(folder: &Path, of: Records<'_>, bucket: usize) -> io::Result<Vec<Record>> {
    let mut bytes = Vec::new();
    for writer in of.writers {
        let path = records_file(folder, writer, bucket);
        File::open(&path)?.read_to_end(&mut bytes)?;
        if !of.stay {
            std::fs::remove_file(path)?;
        }
    }
    let (records, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(broken());
    }
    let mut records: Vec<Record> =
        records.iter().map(Record::from_bytes).collect::<Option<_>>().ok_or_else(broken)?;
    records.sort_unstable_by_key(group_of);
    Ok(records)
}

fn records_file(folder: &Path, writer: &str, bucket: usize) -> PathBuf {
    folder.join(format!("records-{bucket}-{writer}"))
}

fn facts_file(folder: &Path, writer: &str, part: usize) -> PathBuf {
    folder.join(format!("facts-{part}-{writer}"))
}

fn put_fact(fact: &Fact, out: &mut Vec<u8>) {
    let mut put = |field: &[u8]| out.extend(field);
    put(&fact.number.to_le_bytes());
    put(&fact.line.to_le_bytes());
    match fact.what {
        What::Same { lines, entries } => {
            put(&[0]);
            put(&lines.to_le_bytes());
            put(&entries.to_le_bytes());
        }
        What::Near { days } => {
            put(&[1]);
            put(&days.to_le_bytes());
        }
        What::Transposed { amount } => {
            put(&[2]);
            put(&amount.units().to_le_bytes());
        }
        What::Reversed { days, next_period } => {
            put(&[3, u8::from(next_period)]);
            put(&days.to_le_bytes());
        }
        What::Reverses { days, next_period } => {
            put(&[4, u8::from(next_period)]);
            put(&days.to_le_bytes());
        }
        What::Split { lines, sum, limit } => {
            put(&[5]);
            put(&lines.to_le_bytes());
            put(&sum.units().to_le_bytes());
            put(&limit.units().to_le_bytes());
        }
        What::Changed { usual, months, of } => {
            put(&[6]);
            put(&usual.units().to_le_bytes());
            put(&months.to_le_bytes());
            put(&of.to_le_bytes());
        }
    }
    if let Some(Place { hash, part, number }) = fact.other {
        put(&hash.to_le_bytes());
        put(&part.to_le_bytes());
        put(&number.to_le_bytes());
    }
}

fn take_fact(bytes: &mut &[u8], part: u32) -> Option<Fact> {
    let (number, line) = (take_u32(bytes)?, take_u32(bytes)?);
    let [kind] = take_array(bytes)?;
    let what = match kind {
        0 => What::Same { lines: take_u64(bytes)?, entries: take_u64(bytes)? },
        1 => What::Near { days: take_i32(bytes)? },
        2 => What::Transposed { amount: take_amount(bytes)? },
        3 => {
            let next_period = take_array::<1>(bytes)? == [1];
            What::Reversed { days: take_i32(bytes)?, next_period }
        }
        4 => {
            let next_period = take_array::<1>(bytes)? == [1];
            What::Reverses { days: take_i32(bytes)?, next_period }
        }
        5 => What::Split { lines: take_u64(bytes)?, sum: take_amount(bytes)?, limit: take_amount(bytes)? },
        6 => What::Changed { usual: take_amount(bytes)?, months: take_u64(bytes)?, of: take_u64(bytes)? },
        _ => return None,
    };
    let other = if bytes.is_empty() {
        None
    } else {
        Some(Place { hash: take_u64(bytes)?, part: take_u32(bytes)?, number: take_u32(bytes)? })
    };
    Some(Fact { part, number, line, what, other })
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take_array(bytes).map(u32::from_le_bytes)
}

fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    take_array(bytes).map(i32::from_le_bytes)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take_array(bytes).map(u64::from_le_bytes)
}

fn take_amount(bytes: &mut &[u8]) -> Option<Amount> {
    take_array(bytes).map(|raw| Amount::from_units(i128::from_le_bytes(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_comes_back_as_it_was() {
        let amount = Amount::from_cents(-12_345);
        let other = Some(Place { hash: u64::MAX, part: 3, number: 9 });
        let whats = [
            What::Same { lines: 4, entries: 2 },
            What::Near { days: -3 },
            What::Transposed { amount },
            What::Reversed { days: 7, next_period: true },
            What::Reverses { days: 7, next_period: false },
            What::Split { lines: 3, sum: amount, limit: Amount::TEN },
            What::Changed { usual: amount, months: 11, of: 12 },
        ];
        for what in whats {
            for other in [None, other] {
                let fact = Fact { part: 5, number: 6, line: 7, what, other };
                let mut bytes = Vec::new();
                put_fact(&fact, &mut bytes);

                let mut rest = bytes.as_slice();
                assert_eq!(take_fact(&mut rest, 5), Some(fact));
                assert!(rest.is_empty());
                let last = bytes.len() - 1;
                assert_eq!(take_fact(&mut &bytes[..last], 5).filter(|cut| cut.other == other), None);
            }
        }
    }
}
