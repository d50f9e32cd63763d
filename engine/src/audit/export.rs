//! The log as an auditor takes it along: entries, tiles, checkpoints and keys, with a program that checks them without
//! us. The layout is `audit::export`'s.

use std::path::Path;

use audit::Vkey;
use audit::commitment::commitments_in;
use audit::export::{
    CHECKPOINT, KEYS, LINES, OPENINGS, README, README_TEXT, VERIFIER, VERIFIER_TEXT, checkpoint_path,
    entries_path,
};
use audit::succession::{Chain, Handover, Link};
use audit::tile::{WIDTH, tiles_of};
use jobkit::PortError;
use store::{Position, Store, StoreError};

use super::epochs::{Epochs, statement_path};
use super::prove::behind;
use super::trunk::{Standing, TreeError};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Disk(#[from] PortError),
    #[error("nothing is signed yet, so there is nothing to take along; see `compline audit status`")]
    NotSigned,
    #[error("leaf {from} is not in what was signed, which has {size} entries")]
    Beyond { from: u64, size: u64 },
    #[error(
        "leaves before {first} are gone with their segments, and {from} is one of them; begin with {first}"
    )]
    Gone { from: u64, first: u64 },
    #[error("{0} is there already; name a folder that is not")]
    Occupied(String),
    #[error("the log has fewer entries than were signed: {has} of {size}; `compline audit verify` says more")]
    Short { has: u64, size: u64 },
}

/// What is taken along.
pub struct Wish<'a> {
    pub keys: &'a [Vkey],
    /// From this leaf on, rounded down to the beginning of its tile.
    pub from: u64,
    /// What opens the commitments too. Whoever asks for that is given personal data.
    pub openings: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub first: u64,
    pub size: u64,
    pub openings: usize,
}

const PAGE: usize = 4_096;
const MOST_BYTES: u64 = 16 << 20;

/// Writes the folder, which must not be there. What is left by a failure has no `checkpoint`, and passes for no export.
pub async fn export(store: &dyn Store, folder: &Path, wish: &Wish<'_>) -> Result<Exported, ExportError> {
    if folder.exists() {
        return Err(ExportError::Occupied(folder.display().to_string()));
    }
    // Before the tree, which only grows.
    let epochs = Epochs::load(store).await?;
    // What was signed in earlier epochs is of a log with another name.
    let newest = store.last_checkpoint().await?.filter(|last| epochs.of_size(last.size) == epochs.number());
    let newest = newest.ok_or(ExportError::NotSigned)?;
    let standing = Standing::load(store).await?;
    let size = newest.size;
    if wish.from >= size {
        return Err(ExportError::Beyond { from: wish.from, size });
    }
    if size > standing.edge.size() {
        return Err(ExportError::Short { has: standing.edge.size(), size });
    }
    let gone = store.segments().await?.into_iter().rfind(|row| row.dropped_at.is_some());
    let gone = gone.map_or(0, |row| row.segment.until);
    let first = wish.from - wish.from % WIDTH as u64;
    if first < gone {
        return Err(ExportError::Gone { from: wish.from, first: gone.next_multiple_of(WIDTH as u64) });
    }
    let start = match first {
        0 => Position::START,
        _ if first >= standing.edge.size() - standing.edge.size() % WIDTH as u64 => behind(standing.first),
        _ => {
            let tile = store.tiles(&[(0, first / WIDTH as u64)]).await?.pop();
            behind(tile.and_then(|tile| tile.first).unwrap_or_default())
        }
    };
    let commitments = entries(store, folder, start, first, size).await?;
    let openings = match wish.openings {
        true => opened(store, folder, &commitments).await?,
        false => 0,
    };
    for tile in tiles_of(size).filter(|tile| tile.level > 0 || tile.index >= first / WIDTH as u64) {
        put(folder, &tile.path(), &standing.tile(store, tile).await?)?;
    }
    let mut above = epochs.begins();
    loop {
        let page = store.checkpoints(above, PAGE).await?;
        let Some(last) = page.last() else { break };
        above = last.size;
        for row in page.iter().filter(|row| row.size <= size) {
            put(folder, &checkpoint_path(row.size), row.note.as_bytes())?;
        }
    }
    for row in &epochs.rows {
        put(folder, &statement_path(row.number), row.note.as_bytes())?;
    }
    let handed = store.handovers().await?;
    let handed = handed.iter().filter_map(|row| Handover::of(&row.note)?.ok()).map(Link::from);
    let links: Vec<_> = handed.chain(epochs.statements.iter().map(Link::from)).collect();
    let keys: String = Chain::of(wish.keys, links).0.keys().iter().map(|key| format!("{key}\n")).collect();
    put(folder, KEYS, keys.as_bytes())?;
    put(folder, README, README_TEXT.as_bytes())?;
    put(folder, VERIFIER, VERIFIER_TEXT.as_bytes())?;
    put(folder, CHECKPOINT, newest.note.as_bytes())?;
    Ok(Exported { first, size, openings })
}

/// The lines of the leaves from `first` to `size`, and the commitments that they name, each with its leaf.
async fn entries(
    store: &dyn Store,
    folder: &Path,
    start: Position,
    first: u64,
    size: u64,
) -> Result<Vec<(u64, String)>, ExportError> {
    let (mut at, mut next, mut commitments) = (start, first, Vec::new());
    let mut file = Vec::new();
    let mut begun = first;
    while next < size {
        let page = store.leaves_after(at, PAGE, MOST_BYTES).await?;
        let Some((last, _)) = page.last() else { return Err(ExportError::Short { has: next, size }) };
        at = *last;
        for (_, entry) in page.iter().take(usize::try_from(size - next).unwrap_or(usize::MAX)) {
            entry.write_line(&mut file);
            file.push(b'\n');
            let own = commitments_in(entry.source.as_deref(), entry.details.as_deref());
            commitments.extend(own.into_iter().map(|commitment| (next, commitment.to_string())));
            next += 1;
            if next - begun == LINES || next == size {
                put(folder, &entries_path(begun), &file)?;
                file.clear();
                begun = next;
            }
        }
    }
    Ok(commitments)
}

async fn opened(
    store: &dyn Store,
    folder: &Path,
    commitments: &[(u64, String)],
) -> Result<usize, ExportError> {
    let mut lines = Vec::new();
    let mut count = 0;
    for page in commitments.chunks(1_000) {
        let wanted: Vec<_> = page.iter().map(|(_, commitment)| commitment.clone()).collect();
        let rows = store.openings(&wanted).await?;
        for (leaf, commitment) in page {
            let Some(row) = rows.iter().find(|row| row.commitment == *commitment) else { continue };
            let salt: String = row.salt.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = serde_json::json!({
                "leaf": leaf, "field": row.field, "salt": salt, "value": row.value.expose(), "commitment": commitment,
            });
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
            count += 1;
        }
    }
    put(folder, OPENINGS, &lines)?;
    Ok(count)
}

fn put(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), PortError> {
    let file = folder.join(path);
    let write = || {
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(&file, bytes)
    };
    write().map_err(|cause| PortError::new(format!("writing {}", file.display()), cause))
}
