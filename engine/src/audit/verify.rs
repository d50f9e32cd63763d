//! Whether the log is what was signed: reads every entry, hashes it, and compares with the tiles, the roots with the
//! checkpoints, and all of it with what anchors have. What does not fit is named.
//!
//! What an anchor has is believed before the database: whoever can change entries can change the tiles beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use audit::commitment::{Commitment, Opening, commitments_in, opens};
use audit::compare::{Comparison, Misfit};
use audit::note::Vkey;
use audit::tile::{TileId, WIDTH};
use audit::tree::{Edge, Hash, leaf_hash};
use jiff::Timestamp;
use jobkit::{PortError, SecretString};
use serde::Serialize;
use serde_json::Value;

mod notes;

use self::notes::{Roots, folders, notes, signed};
use super::epochs::Epochs;
use super::shelf::Shelf;
use super::trunk::{Standing, TreeError, hashes};
use store::evidence::REDACT;
use store::segments::{CLOSE, DROP};
use store::{Position, SegmentRow, Store, StoreError};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    Altered {
        leaf: u64,
        seq: i64,
    },
    Missing {
        leaf: u64,
        after: i64,
    },
    Extra {
        seq: i64,
    },
    Reordered {
        seq: i64,
        belongs: u64,
    },
    /// The database's own tile has other hashes than the anchor's, or than its entries lead to.
    Tile {
        path: String,
    },
    /// The right edge of the tree in the database is not that of its leaves.
    Edge,
    /// Its root is not that of the tree.
    Root {
        place: String,
        size: u64,
    },
    Signature {
        place: String,
        size: u64,
        problem: String,
    },
    /// More was signed than there is: the end was cut off, or an old state was restored.
    SetBack {
        place: String,
        signed: u64,
        has: u64,
    },
    /// A key handed over twice, and one of the two was not its owner: whose the keys after it are nobody can tell from here.
    Forked {
        key: String,
        at: [u64; 2],
        to: [String; 2],
    },
    /// What is said of another epoch, and is not believed.
    Epoch {
        place: String,
        number: u64,
        problem: String,
    },
    /// Another log, by its name.
    Origin {
        place: String,
        size: u64,
        origin: String,
    },
    /// What would open the commitment in this entry is not there, and no entry says that it was erased.
    Redacted {
        seq: i64,
        commitment: String,
    },
    /// Entries of a segment are gone that were not to go.
    Segment {
        number: u64,
        problem: &'static str,
    },
    /// What is said to open the commitment does not.
    Opening {
        seq: i64,
        commitment: String,
    },
}

#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// Entries that are leaves.
    pub entries: u64,
    /// Of those, how many went with their segments when their time was over. Their hashes stay.
    pub gone: u64,
    /// Those that were written since, and are none yet.
    pub waiting: u64,
    pub checkpoints: usize,
    /// The largest tree that an anchor has.
    pub anchored: u64,
    /// What was lost when the database was restored on purpose, in each epoch that ended so. It is always told.
    pub lost: Vec<Lost>,
    pub findings: Vec<Finding>,
}

/// Entries that had been signed, and were lost by a restore that was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub epoch: u64,
    /// So many entries are left of it, and the log goes on behind them.
    pub after: u64,
    pub entries: u64,
    pub declared_at: Timestamp,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, after, entries, declared_at } = self;
        write!(
            f,
            "{entries} entries of epoch {epoch} after {after} were lost by a restore that was declared at {declared_at}"
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What the log is compared with.
pub struct Against<'a> {
    /// So long entries are to be kept; none for ever.
    pub keep: Option<Duration>,
    /// Empty believes no signature: then roots are compared alone.
    pub keys: &'a [Vkey],
    pub shelves: &'a [Box<dyn Shelf>],
}

const PAGE: usize = 8_192;
const MOST_BYTES: u64 = 16 << 20;
/// Tiles that are read at once.
const TILES: u64 = 32;

pub async fn verify(store: &dyn Store, against: &Against<'_>) -> Result<Verified, VerifyError> {
    let mut verified = Verified::default();
    // What was signed is read before the tree, which only grows: the other way round a checkpoint that is signed
    // meanwhile would look as if the end were missing.
    let epochs = Epochs::load(store).await?;
    let folders = folders(against.shelves, &epochs);
    let notes = notes(store, &folders, &epochs, &mut verified).await?;
    let standing = match Standing::load(store).await {
        Ok(standing) => standing,
        Err(TreeError::Edge(_) | TreeError::Size(_)) => {
            verified.findings.push(Finding::Edge);
            return Ok(verified);
        }
        Err(other) => return Err(other.into()),
    };
    verified.entries = standing.edge.size();
    let gone = store.segments().await?.into_iter().rfind(|row| row.dropped_at.is_some());
    verified.gone = gone.as_ref().map_or(0, |row| row.segment.until);
    let mut roots = signed(notes, against.keys, &epochs, &standing, &mut verified);
    // What the epoch that goes on has in the anchors: earlier ones have other leaves behind what is common.
    let current = folders.last().map_or(&[][..], |(_, shelves)| shelves);
    let mut walk = Walk::new(store, current, standing, verified.anchored, gone.as_ref());
    walk.along(&mut roots, &mut verified).await?;
    if let Some(gone) = gone {
        verified.findings.extend(walk.segments.problem_of(&gone, against.keep));
    }
    verified.findings.sort();
    verified.findings.dedup();
    Ok(verified)
}

/// The walk along leaves and entries.
struct Walk<'a> {
    store: &'a dyn Store,
    shelves: &'a [Box<dyn Shelf>],
    standing: Standing,
    /// As far as an anchor has the leaves.
    anchored: u64,
    /// As many leaves as the database or an anchor has.
    whole: u64,
    comparison: Comparison,
    /// The tree over what the leaves are said to be.
    edge: Edge,
    /// Each with the number of its entry.
    commitments: Vec<(i64, Commitment)>,
    erased: BTreeSet<String>,
    /// The first leaf whose entry is to be there, and the place behind which the entries begin.
    gone: (u64, Position),
    segments: Told,
}

impl<'a> Walk<'a> {
    fn new(
        store: &'a dyn Store,
        shelves: &'a [Box<dyn Shelf>],
        standing: Standing,
        anchored: u64,
        gone: Option<&SegmentRow>,
    ) -> Self {
        let whole = standing.edge.size().max(anchored);
        Self {
            store,
            shelves,
            standing,
            anchored,
            whole,
            comparison: Comparison::from(gone.map_or(0, |row| row.segment.until)),
            edge: Edge::new(),
            commitments: Vec::new(),
            erased: BTreeSet::new(),
            gone: gone.map_or((0, BEFORE_ALL), |row| (row.segment.until, row.segment.last)),
            segments: Told::default(),
        }
    }

    async fn along(&mut self, roots: &mut Roots, verified: &mut Verified) -> Result<(), VerifyError> {
        let (mut at, mut more) = (self.gone.1, true);
        while more || self.edge.size() < self.whole {
            let (leaves, entries) = self.comparison.waiting();
            if leaves <= entries && self.edge.size() < self.whole {
                self.take_leaves(roots, verified).await?;
            } else if more {
                let page = self.store.leaves_after(at, PAGE, MOST_BYTES).await?;
                more = !page.is_empty();
                let Some((last, _)) = page.last() else { continue };
                at = *last;
                let upto = self.standing.last;
                let (taken, waiting): (Vec<_>, Vec<_>) =
                    page.into_iter().partition(|(place, _)| order(place) <= order(&upto));
                // The log goes on while it is read; what is behind the tree is no leaf yet.
                more = waiting.is_empty();
                verified.waiting += waiting.len() as u64;
                let hashed =
                    tokio::task::spawn_blocking(move || taken.iter().map(hashed).collect::<Vec<_>>()).await;
                let hashed = hashed.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
                for entry in hashed {
                    self.comparison.entry(entry.seq, entry.hash);
                    self.commitments.extend(entry.commitments.into_iter().map(|c| (entry.seq, c)));
                    self.erased.extend(entry.erased);
                    self.segments.hear(entry.segment);
                }
            }
            self.comparison.settle();
        }
        let comparison = std::mem::replace(&mut self.comparison, Comparison::from(0));
        verified.findings.extend(comparison.finish().into_iter().map(Finding::from));
        self.open(verified).await
    }

    /// The next leaves as the anchors have them, or the database where none does.
    async fn take_leaves(&mut self, roots: &mut Roots, verified: &mut Verified) -> Result<(), VerifyError> {
        let (from, size) = (self.edge.size(), self.whole);
        let first = from / WIDTH as u64;
        let until = (first + TILES).min(size.div_ceil(WIDTH as u64));
        let full: Vec<_> = (first..until)
            .filter(|number| (number + 1) * WIDTH as u64 <= size)
            .map(|number| (0, number))
            .collect();
        let mut own: BTreeMap<u64, Vec<u8>> =
            self.store.tiles(&full).await?.into_iter().map(|tile| (tile.number, tile.hashes)).collect();
        for number in first..until {
            let width = (size - number * WIDTH as u64).min(WIDTH as u64) as usize;
            let Some(tile) = TileId::in_tree(0, number, size) else { break };
            let mut bytes = match width {
                WIDTH => own.remove(&number).unwrap_or_default(),
                _ if number == self.standing.edge.size() / WIDTH as u64 => self
                    .standing
                    .edge
                    .partial_tiles()
                    .find(|tile| tile.level == 0)
                    .map(|tile| tile.to_bytes())
                    .unwrap_or_default(),
                _ => Vec::new(),
            };
            if number * (WIDTH as u64) < self.anchored {
                for shelf in self.shelves {
                    let Some(theirs) = shelf.tile(tile).await? else { continue };
                    let known = theirs.len().min(width * 32);
                    let both = known.min(bytes.len());
                    // What is missing at the end is told by what was signed of it.
                    if bytes[..both] != theirs[..both] {
                        verified.findings.push(Finding::Tile { path: tile.to_string() });
                    }
                    let rest = bytes.get(known..).unwrap_or_default().to_vec();
                    bytes = [&theirs[..known], &rest].concat();
                }
            }
            if bytes.len() != width * 32 {
                verified.findings.push(Finding::Tile { path: tile.to_string() });
                // Leaves of which nothing is known fit no entry, and each of those is named.
                bytes.resize(width * 32, 0);
            }
            self.take_tile(&hashes(&bytes), roots, verified).await?;
        }
        Ok(())
    }

    async fn take_tile(
        &mut self,
        leaves: &[Hash],
        roots: &mut Roots,
        verified: &mut Verified,
    ) -> Result<(), VerifyError> {
        let mut above = Vec::new();
        for leaf in leaves {
            if self.edge.size() >= self.gone.0 {
                self.comparison.leaf(*leaf);
            }
            self.edge.push(*leaf, &mut |tile| {
                if tile.level > 0 {
                    above.push(tile);
                }
            });
            if self.edge.size() == self.standing.edge.size() && self.edge != self.standing.edge {
                verified.findings.push(Finding::Edge);
            }
            for (place, root) in roots.remove(&self.edge.size()).into_iter().flatten() {
                if root != self.edge.root() {
                    verified.findings.push(Finding::Root { place, size: self.edge.size() });
                }
            }
        }
        for tile in above.into_iter().filter(|_| self.edge.size() <= self.standing.edge.size()) {
            let found = self.store.tiles(&[(tile.level, tile.index)]).await?;
            let same = found.first().is_some_and(|own| own.hashes == tile.to_bytes());
            if let Some(id) = tile.id().filter(|_| !same) {
                verified.findings.push(Finding::Tile { path: id.path() });
            }
        }
        Ok(())
    }

    /// Whether each commitment is opened, or said to be erased.
    async fn open(&mut self, verified: &mut Verified) -> Result<(), VerifyError> {
        for page in self.commitments.chunks(1_000) {
            let wanted: Vec<_> = page.iter().map(|(_, commitment)| commitment.to_string()).collect();
            let rows = self.store.openings(&wanted).await?;
            let known: BTreeMap<_, _> = rows.iter().map(|row| (row.commitment.as_str(), row)).collect();
            for ((seq, commitment), text) in page.iter().zip(wanted) {
                let finding = match known.get(text.as_str()) {
                    Some(row) => {
                        let value = SecretString::from(row.value.expose().as_str());
                        let opening = Opening { field: row.field.clone(), salt: row.salt.into(), value };
                        (!opens(*commitment, &opening))
                            .then_some(Finding::Opening { seq: *seq, commitment: text })
                    }
                    None => (!self.erased.contains(&text))
                        .then_some(Finding::Redacted { seq: *seq, commitment: text }),
                };
                verified.findings.extend(finding);
            }
        }
        Ok(())
    }
}

/// Before whatever somebody put in, be it before the beginning.
const BEFORE_ALL: Position = Position { era: i32::MIN.cast_unsigned(), tx: 0, seq: i64::MIN };

/// As the databases compare.
fn order(place: &Position) -> (i32, u64, i64) {
    (place.era.cast_signed(), place.tx, place.seq)
}

struct Hashed {
    seq: i64,
    hash: Hash,
    commitments: Vec<Commitment>,
    erased: Vec<String>,
    segment: Option<Heard>,
}

/// Of one segment: when it was dropped, or that it was closed.
struct Heard {
    at: Option<Timestamp>,
    told: Value,
}

/// What entries say of segments that were closed and dropped.
#[derive(Debug, Default)]
struct Told {
    closed: Vec<Value>,
    dropped: Vec<(Timestamp, Value)>,
}

impl Told {
    fn hear(&mut self, segment: Option<Heard>) {
        match segment {
            Some(Heard { at: Some(at), told }) => self.dropped.push((at, told)),
            Some(Heard { at: None, told }) => self.closed.push(told),
            None => {}
        }
    }

    /// What the row of the last segment that is gone says must stand in the log too, which is signed. Of those before it
    /// the entries may be gone themselves.
    fn problem_of(&self, gone: &SegmentRow, keep: Option<Duration>) -> Option<Finding> {
        let (number, told) = (gone.segment.number, gone.segment.told());
        let problem = |problem| Some(Finding::Segment { number, problem });
        if !self.closed.contains(&told) {
            return problem("no entry says that it was closed so");
        }
        let Some((at, _)) = self.dropped.iter().find(|(_, dropped)| *dropped == told) else {
            return problem("no entry says that it was dropped");
        };
        let kept = Duration::try_from(at.duration_since(gone.segment.ends_at)).unwrap_or_default();
        match keep {
            Some(keep) if kept >= keep => None,
            _ => problem("it was dropped before its time"),
        }
    }
}

fn hashed((_, entry): &(Position, audit::Entry)) -> Hashed {
    let mut line = Vec::with_capacity(512);
    entry.write_line(&mut line);
    let details = entry.details.as_deref();
    // Few entries have any; the rest are not parsed.
    let personal = details.filter(|details| details.contains("\"personal\""));
    let erased = details.filter(|_| entry.action == REDACT).and_then(|details| {
        let details: Value = serde_json::from_str(details).ok()?;
        serde_json::from_value(details.get("commitments")?.clone()).ok()
    });
    let about = matches!(entry.action.as_str(), CLOSE | DROP).then_some(details).flatten();
    let segment = about.and_then(|details| serde_json::from_str(details).ok());
    let segment = segment.map(|told| Heard { at: (entry.action == DROP).then_some(entry.at), told });
    Hashed {
        seq: entry.seq,
        hash: leaf_hash(&line),
        commitments: commitments_in(entry.source.as_deref(), personal),
        erased: erased.unwrap_or_default(),
        segment,
    }
}

impl From<Misfit> for Finding {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Altered { leaf, seq } => Self::Altered { leaf, seq },
            Misfit::Missing { leaf, after } => Self::Missing { leaf, after },
            Misfit::Extra { seq } => Self::Extra { seq },
            Misfit::Moved { seq, belongs } => Self::Reordered { seq, belongs },
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Altered { leaf, seq } => write!(f, "entry {seq} was altered (leaf {leaf})"),
            Self::Missing { leaf, after } => {
                write!(f, "an entry is missing behind entry {after} (leaf {leaf})")
            }
            Self::Extra { seq } => write!(f, "entry {seq} was put in: it never was a leaf"),
            Self::Reordered { seq, belongs } => write!(f, "entry {seq} was moved: it is leaf {belongs}"),
            Self::Tile { path } => write!(f, "{path} in the database is not what it was"),
            Self::Edge => f.write_str("the right edge of the tree in the database is not that of its leaves"),
            Self::Root { place, size } => {
                write!(f, "{place}: the root of {size} entries is not the one that was signed")
            }
            Self::Signature { place, problem, .. } => write!(f, "{place}: {problem}"),
            Self::SetBack { place, signed, has } => {
                write!(
                    f,
                    "{place} has signed {signed} entries, and there are {has}: the end was cut off, or an old state restored"
                )
            }
            Self::Forked { key, at: [first, second], to: [one, other] } => write!(
                f,
                "the key {key} has handed over twice: to {one} with {first} entries and to {other} with {second}; one of them is a thief's"
            ),
            Self::Epoch { place, number, problem } => write!(f, "{place}: epoch {number}: {problem}"),
            Self::Origin { place, origin, .. } => write!(f, "{place} is of another log, `{origin}`"),
            Self::Redacted { seq, .. } => {
                write!(f, "entry {seq}: personal data was erased, and no entry says that it was to be")
            }
            Self::Segment { number, problem } => {
                write!(f, "entries of segment {number} are gone: {problem}")
            }
            Self::Opening { seq, .. } => {
                write!(f, "entry {seq}: the personal data beside it is not what was written")
            }
        }
    }
}
