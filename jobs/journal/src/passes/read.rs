//! The first pass: a source's lines, put aside by their entries.
//!
//! One thread cuts the source into blocks and hashes what passes; the others parse blocks, each into files of its own.

use std::collections::BinaryHeap;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, sync_channel};

use super::{PassError, Watch};
use crate::ingest::{Block, Origin, ReadError, Rejection, Row, Source};
use crate::settings::Window;
use crate::spool::{Spool, SpoolWriter, Written};

/// More than anybody reads. A file that is no ledger has a problem and a remedy for each of its lines, many times as
/// long as the line.
pub const MOST_LISTED: usize = 10_000;
/// Blocks that are cut and not yet parsed, for each thread that parses.
const AHEAD: usize = 2;

/// A ledger that was read.
pub struct Reading {
    pub spool: Spool,
    pub origin: Origin,
    pub lines: u64,
    /// Lines of days that nobody asked for.
    pub outside: u64,
    pub rejected: Rejected,
}

/// Lines that were not taken over: all of them counted, the first of them listed in the order of the source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub count: u64,
    pub first: Vec<Rejection>,
}

/// Reads the source to its end on `threads` threads beside this one.
pub fn read(
    mut source: Box<dyn Source>,
    window: Window,
    folder: &Path,
    parts: usize,
    threads: usize,
    watch: Watch<'_>,
) -> Result<Reading, PassError> {
    let failed = |cause| PassError::PutAside { folder: folder.into(), cause };
    let writers: Vec<SpoolWriter> = (0..threads.max(1))
        .map(|writer| SpoolWriter::create(folder, writer, parts, source.extra()))
        .collect::<io::Result<_>>()
        .map_err(failed)?;
    let (send, receive) = sync_channel::<Box<dyn Block>>(AHEAD * writers.len());
    let receive = Mutex::new(receive);
    let gave_up = AtomicBool::new(false);
    let (cut, parsed) = std::thread::scope(|scope| {
        let handles: Vec<_> = writers
            .into_iter()
            .map(|writer| {
                let parse = || parse(&receive, window, writer).map_err(|error| error.at(folder));
                scope.spawn(|| or_give_up(parse, &receive, &gave_up))
            })
            .collect();
        let cut = loop {
            let (done, of) = source.position();
            if watch(done, of).is_break() {
                break Err(PassError::Stopped);
            }
            // Whoever gave up has an error to tell.
            if gave_up.load(Relaxed) {
                break Ok(());
            }
            match source.next_block() {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
                Ok(Some(block)) => {
                    // They take blocks until there are no more, whatever happens.
                    let _ = send.send(block);
                }
            }
        };
        drop(send);
        let parsed: Vec<_> = handles.into_iter().map(|handle| handle.join()).collect();
        (cut, parsed)
    });
    let (mut written, mut all) = (Vec::new(), Counted::default());
    for parsed in parsed {
        // A panic of a thread is one of ours.
        let (of_thread, counted) = parsed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        written.push(of_thread);
        all.merge(counted);
    }
    cut?;
    let Counted { lines, outside, listed } = all;
    let origin = source.finish()?;
    let spool = Spool::new(folder.into(), parts, written).map_err(ReadError::from)?;
    Ok(Reading { spool, origin, lines, outside, rejected: listed.finish() })
}

#[derive(Default)]
struct Counted {
    lines: u64,
    outside: u64,
    listed: Listed,
}

impl Counted {
    fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.outside += other.outside;
        self.listed.merge(other.listed);
    }
}

enum Trouble {
    Read(ReadError),
    Write(io::Error),
}

impl Trouble {
    fn at(self, folder: &Path) -> PassError {
        match self {
            Self::Read(error) => error.into(),
            Self::Write(cause) => PassError::PutAside { folder: folder.into(), cause },
        }
    }
}

/// Takes blocks to their end after an error too: whoever cuts them waits until somebody does.
fn or_give_up<T>(
    parse: impl FnOnce() -> Result<T, PassError>,
    blocks: &Mutex<Receiver<Box<dyn Block>>>,
    gave_up: &AtomicBool,
) -> Result<T, PassError> {
    let parsed = parse();
    if parsed.is_err() {
        gave_up.store(true, Relaxed);
        while next(blocks).is_some() {}
    }
    parsed
}

/// The lock is held while waiting: whoever has it takes the next block, the others wait for the lock.
fn next(blocks: &Mutex<Receiver<Box<dyn Block>>>) -> Option<Box<dyn Block>> {
    let received = match blocks.lock() {
        Ok(receiver) => receiver.recv(),
        Err(poisoned) => poisoned.into_inner().recv(),
    };
    received.ok()
}

/// Parses blocks until there are no more.
fn parse(
    blocks: &Mutex<Receiver<Box<dyn Block>>>,
    window: Window,
    mut writer: SpoolWriter,
) -> Result<(Written, Counted), Trouble> {
    let mut counted = Counted::default();
    let mut written = Ok(());
    while let Some(block) = next(blocks) {
        block
            .parse(&mut |row| match row {
                Row::Line(line) if !window.has(&line) => counted.outside += 1,
                Row::Line(line) => {
                    counted.lines += 1;
                    if written.is_ok() {
                        written = writer.push(&line);
                    }
                }
                Row::Rejected(rejection) => counted.listed.push(rejection),
            })
            .map_err(Trouble::Read)?;
        std::mem::replace(&mut written, Ok(())).map_err(Trouble::Write)?;
        writer.check().map_err(|error| Trouble::Read(error.into()))?;
    }
    Ok((writer.finish().map_err(Trouble::Write)?, counted))
}

/// The first rejections of those seen, whatever their order was.
#[derive(Default)]
struct Listed {
    count: u64,
    /// The last of them on top, which goes first when there are too many.
    first: BinaryHeap<ByPlace>,
}

impl Listed {
    fn push(&mut self, rejection: Rejection) {
        self.count += 1;
        self.keep(ByPlace(rejection));
    }

    fn keep(&mut self, rejection: ByPlace) {
        if self.first.len() < MOST_LISTED {
            self.first.push(rejection);
        } else if let Some(mut last) = self.first.peek_mut()
            && rejection < *last
        {
            *last = rejection;
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        other.first.into_iter().for_each(|rejection| self.keep(rejection));
    }

    fn finish(self) -> Rejected {
        let first = self.first.into_sorted_vec().into_iter().map(|ByPlace(rejection)| rejection).collect();
        Rejected { count: self.count, first }
    }
}

/// In the order of the source.
struct ByPlace(Rejection);

impl ByPlace {
    fn key(&self) -> (u64, u64, &str, &str) {
        (self.0.first_line, self.0.last_line, &self.0.field, &self.0.problem)
    }
}

impl Ord for ByPlace {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ByPlace {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByPlace {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByPlace {}

#[cfg(test)]
mod tests;
