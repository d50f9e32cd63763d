//! Reads a ledger as the family does and says how fast: `ingest FILE [MAPPING.json] [THREADS]`.
//!
//! The mapping is the configuration's, as JSON: `{"preset": "datasynth", "round_to": 2}`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use journal::amount::Amount;
use journal::ingest::{self, Input, Mapping, Row, Source};

#[derive(Default)]
struct Read {
    lines: u64,
    rejected: u64,
    debits: Amount,
    first_rejection: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("usage: ingest FILE [MAPPING] [THREADS]")?);
    let mapping: Mapping = serde_json::from_str(arguments.next().as_deref().unwrap_or("{}"))?;
    let threads: usize = arguments.next().as_deref().unwrap_or("2").parse()?;

    let begun = now();
    let source = Mutex::new(ingest::open(&Input::File(path), &mapping)?);
    let parts = thread::scope(|scope| -> Result<Vec<Read>, String> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&source))).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| "panicked")?).collect()
    })?;
    let origin = source.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
    let seconds = begun.elapsed().as_secs_f64();

    let mut whole = Read::default();
    for part in parts {
        whole.lines += part.lines;
        whole.rejected += part.rejected;
        whole.debits = whole.debits + part.debits;
        whole.first_rejection = whole.first_rejection.or(part.first_rejection);
    }
    println!("{origin:?}");
    println!("{} lines, {} rejected, debits {}", whole.lines, whole.rejected, whole.debits.grouped());
    if let Some(rejection) = whole.first_rejection {
        println!("one rejection: {rejection}");
    }
    println!(
        "{seconds:.3} s with {threads} threads: {:.2} million lines/s, {:.0} MB/s, {}",
        whole.lines as f64 / seconds / 1e6,
        origin.bytes as f64 / seconds / 1e6,
        peak()
    );
    Ok(())
}

fn work(source: &Mutex<Box<dyn Source>>) -> Result<Read, String> {
    let mut read = Read::default();
    loop {
        let block = source.lock().map_err(|_| "panicked")?.next_block().map_err(|error| error.to_string())?;
        let Some(block) = block else { return Ok(read) };
        block
            .parse(&mut |row| match row {
                Row::Line(line) => {
                    read.lines += 1;
                    if !line.signed().is_negative() {
                        read.debits = read.debits + line.signed();
                    }
                }
                Row::Rejected(rejection) => {
                    read.rejected += 1;
                    read.first_rejection.get_or_insert_with(|| rejection.to_string());
                }
            })
            .map_err(|error| error.to_string())?;
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// As Linux counts it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.map_or_else(|| "peak memory unknown".into(), |line| line.replace('\t', " "))
}
