//! Makes a log and proofs of it for the tools of others to verify: `scripts/campaigns/proofs` has two of them do so.
//!
//! `proofs FOLDER LEAVES PROOFS SEED` writes an export to FOLDER/export, a line for each proof to FOLDER/proofs, and a
//! hundred receipts to FOLDER/receipts, each with the line of its entry beside it. A line of proofs is
//! `inclusion size root index leaf hash,hash` or `consistency size root from root hash,hash`, all hashes in base64.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use audit::proof::{consistency, inclusion, root_at, verify_consistency, verify_inclusion};
use audit::{Checkpoint, Hash, Receipt, SigningKey, leaf_hash};
use log::{Log, ORIGIN, entry};
use ring::rand::SystemRandom;

#[path = "../tests/support/log.rs"]
mod log;

/// Splitmix64: the same proofs for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, leaves, proofs, seed] = &arguments[..] else {
        eprintln!("usage: proofs FOLDER LEAVES PROOFS SEED");
        std::process::exit(2);
    };
    let [leaves, proofs, seed] = [leaves, proofs, seed].map(|number| number.parse().expect("a number"));
    let folder = Path::new(folder);
    let sizes = sizes(leaves);

    let mut log = Log::new(SigningKey::generate(ORIGIN, &SystemRandom::new()).expect("a key"));
    for number in 0..=leaves {
        // In the middle another key takes over, which tools of others need not know about.
        if number == leaves / 2 && !sizes.contains(&number) {
            log.hand_over(SigningKey::generate(ORIGIN, &SystemRandom::new()).expect("a key"));
        } else if sizes.contains(&number) {
            log.sign();
        }
        if number < leaves {
            log.push(&entry(number));
        }
    }
    log.export(&folder.join("export"), 0);
    fs::write(folder.join("proofs"), lines(&log, &sizes, proofs, &mut Random(seed)))
        .expect("a folder to write to");
    receipts(&log, &folder.join("receipts"));
}

/// Those where trees have their corners, as far as the log goes, and its end.
fn sizes(leaves: u64) -> Vec<u64> {
    let corners = (0..63).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
    let mut sizes: Vec<u64> = corners.filter(|size| *size < leaves).chain([leaves]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn lines(log: &Log, sizes: &[u64], proofs: u64, random: &mut Random) -> String {
    let (mut text, leaves) = (String::new(), log.lines.len() as u64);
    for number in 0..proofs {
        // A third at the corners, the others anywhere.
        let size = match number % 3 {
            0 => sizes[1 + random.below(sizes.len() as u64 - 1) as usize],
            _ => 1 + random.below(leaves),
        };
        let root = root_at(size, &log.tiles).expect("the tiles");
        let index = random.below(size);
        let leaf = leaf_hash(&log.lines[index as usize]);
        let path = inclusion(size, index, &log.tiles).expect("the tiles");
        verify_inclusion(leaf, index, size, root, &path).expect("our own proof");
        line(&mut text, &format!("inclusion {size} {root} {index} {leaf}"), &path);

        let from = match number % 3 {
            0 => sizes[1 + random.below(sizes.len() as u64 - 1) as usize].min(size),
            _ => 1 + random.below(size),
        };
        let from_root = root_at(from, &log.tiles).expect("the tiles");
        let path = consistency(from, size, &log.tiles).expect("the tiles");
        verify_consistency((from, from_root), (size, root), &path).expect("our own proof");
        line(&mut text, &format!("consistency {size} {root} {from} {from_root}"), &path);
    }
    text
}

fn line(text: &mut String, head: &str, path: &[Hash]) {
    let path: Vec<_> = path.iter().map(Hash::to_string).collect();
    writeln!(text, "{head} {}", if path.is_empty() { "-".into() } else { path.join(",") }).expect("memory");
}

fn receipts(log: &Log, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder to write to");
    let keys = log.keys.clone();
    let all = log.checkpoints.iter().filter(|(size, ..)| *size > 0);
    for (number, (size, _, note)) in all.cycle().take(100).enumerate() {
        let index = number as u64 * 7_919 % size;
        let path = inclusion(*size, index, &log.tiles).expect("the tiles");
        let receipt = Receipt { extra: None, index, path, checkpoint: note.clone() };
        let line = &log.lines[index as usize];
        receipt.verify(leaf_hash(line), ORIGIN, &keys).expect("our own receipt");
        fs::write(folder.join(format!("{number:03}.tlog-proof")), receipt.text()).expect("a file");
        fs::write(folder.join(format!("{number:03}.line")), line).expect("a file");
    }
    let (size, root, note) = log.checkpoints.last().expect("a checkpoint");
    let opened = Checkpoint::open(note, ORIGIN, &keys).expect("our own checkpoint");
    assert_eq!((opened.checkpoint.size, opened.checkpoint.root), (*size, *root));
}
