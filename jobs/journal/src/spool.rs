//! A ledger on its way through the passes: lines put aside in files, one per part, so that no pass has to hold more than a part at once.
//!
//! A line goes to a part by a hash of its entry's id: the lines of an entry are together wherever they stood in the input. Each thread writes files of its
//! own; numbers of names in them are those of the thread's [`Interner`], and become symbols when a part is loaded.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::line::Line;
use crate::names::{Interner, Names, Ranks, Sort, Symbol, TooMany};
use crate::part::{Namer, Part, PartBuilder};
use crate::passes::spill::buffer_for;

mod record;
mod stored;

/// Input of so many bytes makes a part: some 70,000 lines, of which a processor works on one part at a time.
const BYTES_PER_PART: u64 = 16 << 20;
/// More files than this are not open at once.
pub const MOST_PARTS: u64 = 512;

/// How many parts a ledger is put into; scores do not depend on it.
pub fn parts_for(bytes: u64) -> usize {
    bytes.div_ceil(BYTES_PER_PART).clamp(1, MOST_PARTS) as usize
}

/// The part to which an entry's lines belong.
pub(crate) fn part_of(entry: &str, parts: usize) -> usize {
    // The high bits of the product: as even as the hash, and without a division.
    ((u128::from(xxh3_64(entry.as_bytes())) * parts as u128) >> 64) as usize
}

/// At the end of each file: how many lines are in it. A file that was cut between two lines is noticed, and a part can be given its memory at once.
const COUNT: usize = size_of::<u64>();

/// One thread's files.
pub struct SpoolWriter {
    parts: Vec<Lines>,
    namer: Namer,
    /// By the numbers of accounts.
    titles: Vec<Box<str>>,
    record: Vec<u8>,
}

/// What a writer knows when it is done.
pub struct Written {
    interner: Interner,
    /// What its accounts are called, by their numbers.
    titles: Vec<Box<str>>,
}

struct Lines {
    file: BufWriter<File>,
    count: u64,
}

impl SpoolWriter {
    /// `writer` is this thread's number; its files are new. Lines have so many extra columns.
    pub fn create(folder: &Path, writer: usize, parts: usize, extra: usize) -> io::Result<Self> {
        let create = |part| {
            let file = File::create_new(path(folder, writer, part))?;
            Ok(Lines { file: BufWriter::with_capacity(buffer_for(parts), file), count: 0 })
        };
        Ok(Self {
            parts: (0..parts).map(create).collect::<io::Result<_>>()?,
            namer: Namer::new(extra),
            titles: Vec::new(),
            record: Vec::new(),
        })
    }

    pub fn push(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.record.clear();
        record::write(line, &mut self.namer, &mut self.record);
        self.keep_title(line);
        let part = part_of(line.entry, self.parts.len());
        self.parts[part].count += 1;
        self.parts[part].file.write_all(&self.record)
    }

    /// Of an account that is called by several names, the first in their order: whatever line comes first.
    fn keep_title(&mut self, line: &Line<'_>) {
        if line.account_name.is_empty() {
            return;
        }
        let account = self.namer.number(line, Sort::Account) as usize;
        if self.titles.len() <= account {
            self.titles.resize(account + 1, "".into());
        }
        let known = &mut self.titles[account];
        let title = &line.account_name[..line.account_name.floor_char_boundary(record::LONGEST_TEXT)];
        if known.is_empty() || title < &**known {
            *known = title.into();
        }
    }

    /// Whether the ledger has so many names already that it is refused; to be asked now and then.
    pub fn check(&self) -> Result<(), TooMany> {
        self.namer.check()
    }

    pub fn finish(self) -> io::Result<Written> {
        for Lines { mut file, count } in self.parts {
            file.write_all(&count.to_le_bytes())?;
            file.into_inner()?;
        }
        Ok(Written { interner: self.namer.finish(), titles: self.titles })
    }
}

/// All parts, once every writer is done.
#[derive(Debug, PartialEq, Eq)]
pub struct Spool {
    folder: PathBuf,
    parts: usize,
    names: Names,
    ranks: Vec<Ranks>,
    /// What accounts are called, by their symbols.
    titles: Vec<Box<str>>,
}

impl Spool {
    /// Of all writers, in the order of their numbers.
    pub fn new(folder: PathBuf, parts: usize, written: Vec<Written>) -> Result<Self, TooMany> {
        let (interners, of_writers): (Vec<_>, Vec<_>) =
            written.into_iter().map(|written| (written.interner, written.titles)).unzip();
        let (names, ranks) = Names::of(interners)?;
        let mut titles: Vec<Box<str>> = vec!["".into(); names.count(Sort::Account)];
        for (ranks, of_writer) in ranks.iter().zip(of_writers) {
            for (number, title) in of_writer.into_iter().enumerate().filter(|(_, title)| !title.is_empty()) {
                let Some(symbol) = ranks.symbol(Sort::Account, number as u32) else { continue };
                let known = &mut titles[symbol.index()];
                if known.is_empty() || title < *known {
                    *known = title;
                }
            }
        }
        Ok(Self { folder, parts, names, ranks, titles })
    }

    /// What an account is called; empty where the ledger does not say.
    pub fn account_name(&self, account: Symbol) -> &str {
        self.titles.get(account.index()).map_or("", |title| title)
    }

    pub fn parts(&self) -> usize {
        self.parts
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// From now on the symbols of postings are those of more names, to which `ranks` leads from the present ones.
    pub fn rename(&mut self, names: Names, ranks: &Ranks) {
        self.ranks = self.ranks.iter().map(|own| own.then(ranks)).collect();
        let mut titles: Vec<Box<str>> = vec!["".into(); names.count(Sort::Account)];
        for (account, title) in self.titles.drain(..).enumerate() {
            if let Some(symbol) = ranks.symbol(Sort::Account, account as u32) {
                titles[symbol.index()] = title;
            }
        }
        (self.names, self.titles) = (names, titles);
    }

    pub fn load(&self, part: usize) -> io::Result<Part> {
        let mut files = Vec::with_capacity(self.ranks.len());
        let mut all = 0;
        for writer in 0..self.ranks.len() {
            let bytes = std::fs::read(path(&self.folder, writer, part))?;
            let (lines, count) = bytes.split_last_chunk::<COUNT>().ok_or_else(broken)?;
            let count = u64::from_le_bytes(*count);
            // Each line is a byte at least, and a number of lines that is none must not ask for all memory.
            all += usize::try_from(count).ok().filter(|&count| count <= lines.len()).ok_or_else(broken)?;
            files.push((bytes, count));
        }
        let mut builder = PartBuilder::for_lines(all);
        for ((bytes, count), ranks) in files.into_iter().zip(&self.ranks) {
            let mut rest = &bytes[..bytes.len() - COUNT];
            for _ in 0..count {
                record::read(&mut rest, ranks, &mut builder).ok_or_else(broken)?;
            }
            if !rest.is_empty() {
                return Err(broken());
            }
        }
        Ok(builder.finish())
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a file of lines that were put aside is not what was written")
}

fn path(folder: &Path, writer: usize, part: usize) -> PathBuf {
    folder.join(format!("lines-{part}-{writer}"))
}

#[cfg(test)]
mod tests;
