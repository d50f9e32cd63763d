//! What can be said of checkpoints alone: by whom they are signed, whether that key was in office, and which roots the walk has to
//! find.

use std::collections::BTreeMap;

use audit::checkpoint::{Checkpoint, CheckpointError};
use audit::note::{NoteError, Vkey};
use audit::succession::{Chain, Fork, Handover, Standing as Office};
use audit::tree::Hash;

use super::{Against, Finding, PAGE, Verified, VerifyError};
use crate::audit::shelf;
use crate::audit::trunk::Standing;
use store::Store;

/// The roots that must be those of the tree, by its size.
pub type Roots = BTreeMap<u64, Vec<(String, Hash)>>;

/// A checkpoint as it was found.
pub struct Note {
    place: String,
    text: String,
    /// What its place says of its size.
    size: u64,
    /// In an anchor.
    outside: bool,
}

pub async fn notes(store: &dyn Store, against: &Against<'_>) -> Result<Vec<Note>, VerifyError> {
    let mut notes = Vec::new();
    // The empty tree is never signed.
    let mut above = 0;
    loop {
        let page = store.checkpoints(above, PAGE).await?;
        let Some(last) = page.last() else { break };
        above = last.size;
        notes.extend(page.into_iter().map(|row| Note {
            place: format!("checkpoint {} of the database", row.size),
            text: row.note,
            size: row.size,
            outside: false,
        }));
    }
    for shelf in against.shelves {
        for (path, text) in shelf::checkpoints(shelf.as_ref()).await? {
            let size = path.rsplit('/').next().and_then(|name| name.parse().ok()).unwrap_or(0);
            let place = format!("{path} of the anchor `{}`", shelf.name());
            notes.push(Note { place, text, size, outside: true });
        }
    }
    Ok(notes)
}

/// What can be said of checkpoints alone, and the roots that the walk has to find.
pub fn signed(notes: Vec<Note>, keys: &[Vkey], standing: &Standing, verified: &mut Verified) -> Roots {
    verified.checkpoints = notes.len();
    let mut roots = Roots::new();
    let has = standing.edge.size();
    let mut set_back: Option<(u64, String)> = None;
    let chain = chain(&notes, keys, verified);
    let origin = keys.first().map(|key| key.name().to_owned());
    for Note { place, text, size, outside } in notes {
        let checkpoint = match Checkpoint::unverified(&text) {
            Ok(checkpoint) if checkpoint.size == size => checkpoint,
            Ok(other) => {
                let problem = format!("it says {} entries", other.size);
                verified.findings.push(Finding::Signature { place, size, problem });
                continue;
            }
            Err(problem) => {
                let problem = problem.to_string();
                verified.findings.push(Finding::Signature { place, size, problem });
                continue;
            }
        };
        if !keys.is_empty()
            && let Some(problem) = problem_of(&text, &checkpoint, &chain)
        {
            verified.findings.push(Finding::Signature { place, size, problem });
            continue;
        }
        if origin.as_ref().is_some_and(|origin| *origin != checkpoint.origin) {
            verified.findings.push(Finding::Origin { place, size, origin: checkpoint.origin });
            continue;
        }
        if outside {
            verified.anchored = verified.anchored.max(size);
        }
        // The largest says it for all.
        if size > has && set_back.as_ref().is_none_or(|(most, _)| *most < size) {
            set_back = Some((size, place.clone()));
        }
        roots.entry(size).or_default().push((place, checkpoint.root));
    }
    // Beyond what the database has, an anchor has the leaves; of what only the database signed there are none.
    roots.retain(|size, _| *size <= has.max(verified.anchored));
    if let Some((signed, place)) = set_back {
        verified.findings.push(Finding::SetBack { place, signed, has });
    }
    roots
}

/// The keys that are believed, and those that they lead to.
fn chain(notes: &[Note], keys: &[Vkey], verified: &mut Verified) -> Chain {
    let mut handed = Vec::new();
    for Note { place, text, size, .. } in notes {
        match Handover::of(text) {
            Some(Ok(handover)) => handed.push(handover),
            Some(Err(problem)) => {
                let problem = format!("it hands a key over, and {problem}");
                verified.findings.push(Finding::Signature { place: place.clone(), size: *size, problem });
            }
            None => {}
        }
    }
    let (chain, forks) = Chain::of(keys, handed);
    verified.findings.extend(forks.into_iter().map(|Fork { key, at, to }| Finding::Forked { key, at, to }));
    chain
}

/// Why a checkpoint is not believed, if it is not.
fn problem_of(note: &str, checkpoint: &Checkpoint, chain: &Chain) -> Option<String> {
    let unknown = || "no key that is believed has signed it".to_owned();
    let signed = match Checkpoint::open(note, &checkpoint.origin, chain.keys()) {
        Ok(signed) => signed,
        Err(CheckpointError::Note(NoteError::Unknown)) => return Some(unknown()),
        Err(other) => return Some(other.to_string()),
    };
    match chain.standing(checkpoint.size, &signed.by) {
        Office::InOffice => None,
        Office::After { key, size, to } => Some(format!(
            "it is signed by {key}, which had handed over to {to} with {size} entries: whoever signs with it now is not the log"
        )),
        Office::Before { key, size } => {
            Some(format!("it is signed by {key}, which was no key of the log before it had {size} entries"))
        }
        Office::Unknown => Some(unknown()),
    }
}
