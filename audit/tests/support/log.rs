//! A log that is made up, and its export as a folder, for the tests of the verifier and for the proofs that are shown to
//! the tools of others.

use std::fs;
use std::path::Path;

use audit::export::{self, checkpoint_path, entries_path};
use audit::succession::hand_over;
use audit::tile::tiles_of;
use audit::{Checkpoint, Edge, Entry, Hash, SigningKey, Tile, Tiles, Vkey, leaf_hash};
use jiff::Timestamp;
use uuid::Uuid;

pub const ORIGIN: &str = "example.com/audit";

pub struct Log {
    pub key: SigningKey,
    /// All that it had, the oldest first.
    pub keys: Vec<Vkey>,
    pub lines: Vec<Vec<u8>>,
    pub edge: Edge,
    pub tiles: Tiles,
    /// By size: the root and the signed note.
    pub checkpoints: Vec<(u64, Hash, String)>,
}

/// An entry like those of a database, with everything that an entry can have in some of them.
pub fn entry(number: u64) -> Entry {
    let some = |every: u64, text: &str| number.is_multiple_of(every).then(|| format!("{text}-{number}"));
    Entry {
        place: (!number.is_multiple_of(5)).then_some((1, 7_000 + number / 3)),
        seq: number as i64 + 1,
        at: Timestamp::from_microsecond(1_795_000_000_000_000 + number as i64 * 1_001).expect("a time"),
        actor: format!("actor-{}", number % 7),
        action: "job.complete".into(),
        object: format!("job/{number}"),
        outcome: "ok".into(),
        tenant: some(2, "tenant"),
        request: some(3, "request \"quoted\"\t"),
        source: some(4, "192.0.2.1, é"),
        jobs: number.is_multiple_of(6).then(|| vec![Uuid::from_u128(number.into()); (number % 4) as usize]),
        details: some(3, "").map(|text| format!("{{\"note\": {text:?}, \"n\":1.0}}")),
    }
}

impl Log {
    pub fn new(key: SigningKey) -> Self {
        let (edge, tiles) = (Edge::new(), Tiles::default());
        let keys = vec![key.vkey().clone()];
        Self { key, keys, lines: Vec::new(), edge, tiles, checkpoints: Vec::new() }
    }

    pub fn push(&mut self, entry: &Entry) {
        let mut line = Vec::new();
        entry.write_line(&mut line);
        self.edge.push(leaf_hash(&line), &mut |tile| self.tiles.add(tile));
        self.lines.push(line);
    }

    pub fn sign(&mut self) {
        let note = self.checkpoint().sign(&[&self.key]).expect("a checkpoint");
        self.keep(note);
    }

    /// From here on the new key signs.
    pub fn hand_over(&mut self, to: SigningKey) {
        let note = hand_over(self.checkpoint(), &self.key, &to).expect("a checkpoint");
        self.keep(note);
        self.keys.push(to.vkey().clone());
        self.key = to;
    }

    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint::new(ORIGIN, self.edge.size(), self.edge.root())
    }

    pub fn keep(&mut self, note: String) {
        self.checkpoints.push((self.edge.size(), self.edge.root(), note));
        self.edge.partial_tiles().for_each(|tile| self.tiles.add(tile));
    }

    /// From the leaf on: with the tiles of level 0 from there on, as an export of a range has them.
    pub fn export(&self, folder: &Path, from: u64) {
        let (size, _, newest) = self.checkpoints.last().expect("a checkpoint");
        let write = |path: &str, data: &[u8]| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder to write to");
            fs::write(path, data).expect("a folder to write to");
        };
        write(export::VERIFIER, export::VERIFIER_TEXT.as_bytes());
        write(export::README, export::README_TEXT.as_bytes());
        let keys: String = self.keys.iter().map(|key| format!("{key}\n")).collect();
        write(export::KEYS, format!("# of {ORIGIN}\n{keys}").as_bytes());
        write(export::CHECKPOINT, newest.as_bytes());
        for (size, _, note) in &self.checkpoints {
            write(&checkpoint_path(*size), note.as_bytes());
        }
        for id in tiles_of(*size).filter(|id| id.level > 0 || id.index >= from / 256) {
            let hashes = self.tiles.get(id).expect("a tile").to_vec();
            write(&id.path(), &Tile { level: id.level, index: id.index, hashes }.to_bytes());
        }
        let lines = &self.lines[from as usize..*size as usize];
        for (file, lines) in lines.chunks(export::LINES as usize).enumerate() {
            let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
            write(&entries_path(from + file as u64 * export::LINES), &text);
        }
    }
}
