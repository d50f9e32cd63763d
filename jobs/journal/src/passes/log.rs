//! The totals that the source's own log kept of each entry, put aside by part: a log is as long as its ledger has entries.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::spill::{SpillReader, SpillWriter, put_text, take_array, take_text};
use crate::amount::Amount;
use crate::completeness::Logged;
use crate::ingest::control::ControlTotal;
use crate::line::Side;
use crate::spool::part_of;

pub struct LogWriter {
    folder: PathBuf,
    parts: Vec<SpillWriter>,
}

impl LogWriter {
    pub fn create(folder: &Path, parts: usize) -> io::Result<Self> {
        let files = (0..parts).map(|part| SpillWriter::one_of(parts, &file(folder, part)));
        Ok(Self { folder: folder.into(), parts: files.collect::<io::Result<_>>()? })
    }

    pub fn push(&mut self, total: &ControlTotal<'_>) -> io::Result<()> {
        let side = match total.side {
            Some(Side::Debit) => 0,
            Some(Side::Credit) => 1,
            None => 2,
        };
        let part = part_of(total.entry, self.parts.len());
        self.parts[part].push(|out| {
            put_text(total.entry, out);
            out.push(side);
            out.extend(total.total.units().to_le_bytes());
        })
    }

    pub fn finish(self) -> io::Result<Log> {
        self.parts.into_iter().try_for_each(SpillWriter::finish)?;
        Ok(Log { folder: self.folder })
    }
}

pub struct Log {
    folder: PathBuf,
}

impl Log {
    /// That which was put aside in this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The entries of a part, sorted by id. An entry has a row for each side or one for both.
    pub fn of_part(&self, part: usize) -> io::Result<Vec<Logged>> {
        let mut sums: BTreeMap<String, [Amount; 2]> = BTreeMap::new();
        let mut file = SpillReader::open(&file(&self.folder, part))?;
        while let Some((entry, side, total)) = file.next_with(take)? {
            let [debits, credits] = sums.entry(entry).or_default();
            if side != 1 {
                *debits = *debits + total.abs();
            }
            if side != 0 {
                *credits = *credits + total.abs();
            }
        }
        Ok(sums.into_iter().map(|(entry, [debits, credits])| Logged { entry, debits, credits }).collect())
    }
}

fn take(bytes: &mut &[u8]) -> Option<(String, u8, Amount)> {
    let entry = take_text(bytes)?.to_string();
    let [side] = take_array(bytes)?;
    Some((entry, side, Amount::from_units(i128::from_le_bytes(take_array(bytes)?))))
}

fn file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("log-{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_entry_come_together_in_its_part() {
        let folder = tempfile::tempdir().unwrap();
        let total = |entry, side, cents| ControlTotal { entry, side, total: Amount::from_cents(cents) };
        let rows = [
            total("b", Some(Side::Debit), 100),
            total("a", None, 700),
            total("b", Some(Side::Credit), -90),
            total("b", Some(Side::Debit), 5),
        ];
        let mut writer = LogWriter::create(folder.path(), 3).unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        let log = writer.finish().unwrap();

        let mut all: Vec<Logged> = (0..3).flat_map(|part| log.of_part(part).unwrap()).collect();
        all.sort();

        let logged = |entry: &str, debits, credits| Logged {
            entry: entry.into(),
            debits: Amount::from_cents(debits),
            credits: Amount::from_cents(credits),
        };
        assert_eq!(all, [logged("a", 700, 700), logged("b", 105, 90)]);
        assert!(log.of_part(part_of("a", 3)).unwrap().contains(&logged("a", 700, 700)));
    }
}
