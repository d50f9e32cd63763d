//! How fast the parts of the log are, each alone: `cargo run --release -p audit --example speed`.

use std::hint::black_box;
use std::time::Instant;

use audit::proof::{consistency, inclusion, verify_inclusion};
use audit::{Checkpoint, Edge, Entry, Hash, SigningKey, leaf_hash};
use log::{Log, ORIGIN, entry};
use ring::rand::SystemRandom;
use uuid::Uuid;

#[expect(dead_code, reason = "a log whose key changes is for others")]
#[path = "../tests/support/log.rs"]
mod log;

fn main() {
    let batch = Entry { jobs: Some((0..10_000).map(Uuid::from_u128).collect()), ..entry(0) };
    lines("entry of a batch of 10,000", &batch, 2_000);
    lines("plain entry", &entry(3), 1_000_000);

    let (mut edge, mut tiles) = (Edge::new(), 0);
    let push = timed(4_000_000, |_| edge.push(Hash([7; 32]), &mut |_| tiles += 1));
    println!("push: {:.2} M/s ({tiles} full tiles)", 1e-6 / push);
    println!("root of an edge of {}: {:.1} µs", edge.size(), 1e6 * timed(1_000, |_| edge.root()));

    let mut log = Log::new(SigningKey::generate(ORIGIN, &SystemRandom::new()).expect("a key"));
    let push = timed(1_000_000, |number| log.push(&entry(number)));
    println!("entry made, written, hashed and pushed: {:.2} M/s", 1e-6 / push);
    log.sign();
    let (size, root) = (log.edge.size(), log.edge.root());
    let prove = timed(1_000, |number| inclusion(size, number * 997 % size, &log.tiles));
    println!("inclusion proof from tiles: {:.1} µs", 1e6 * prove);
    let prove = timed(1_000, |number| consistency(number * 997 % size, size, &log.tiles));
    println!("consistency proof from tiles: {:.1} µs", 1e6 * prove);
    let (leaf, path) = (leaf_hash(&log.lines[5]), inclusion(size, 5, &log.tiles).expect("the tiles"));
    let verify = timed(10_000, |_| verify_inclusion(leaf, 5, size, root, &path));
    println!("inclusion verified: {:.1} µs", 1e6 * verify);
    let checkpoint = Checkpoint::new(ORIGIN, size, root);
    println!("checkpoint signed: {:.1} µs", 1e6 * timed(1_000, |_| checkpoint.sign(&[&log.key])));
    let folder = tempfile::tempdir().expect("a folder");
    println!("export of {size} entries: {:.1} s", timed(1, |_| log.export(folder.path(), 0)));
}

fn lines(what: &str, entry: &Entry, times: u64) {
    let mut out = Vec::new();
    let written = timed(times, |_| {
        out.clear();
        black_box(entry).write_line(&mut out);
    });
    let read = timed(times, |_| Entry::parse(black_box(&out)));
    let hashed = timed(times, |_| leaf_hash(black_box(&out)));
    let [written, read, hashed] = [written, read, hashed].map(|seconds| out.len() as f64 / seconds / 1e6);
    let length = out.len();
    println!(
        "{what}, {length} bytes: written {written:.0} MB/s, read {read:.0} MB/s, hashed {hashed:.0} MB/s"
    );
}

/// Seconds for each of so many times.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(times: u64, mut run: impl FnMut(u64) -> T) -> f64 {
    let begun = Instant::now();
    for number in 0..times {
        black_box(run(number));
    }
    begun.elapsed().as_secs_f64() / times as f64
}
