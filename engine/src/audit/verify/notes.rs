//! What can be said of checkpoints alone: by whom they are signed, whether that key was in office, and which roots the walk has to
//! find.

use std::collections::BTreeMap;

use audit::checkpoint::{Checkpoint, CheckpointError};
use audit::epoch::{log_of, name_in};
use audit::note::{NoteError, Vkey};
use audit::succession::{Chain, Fork, Handover, Link, Standing as Office};
use audit::tree::Hash;

use super::{Finding, Lost, PAGE, Verified, VerifyError};
use crate::audit::epochs::{Epochs, FOLDERS, folder};
use crate::audit::shelf::{self, Shelf};
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
    epoch: u64,
}

/// An epoch, and what the anchors have of it.
type Folder = (u64, Vec<Box<dyn Shelf>>);

/// The folders of all epochs that the database knows, the one that goes on last.
pub fn folders(shelves: &[Box<dyn Shelf>], epochs: &Epochs) -> Vec<Folder> {
    let of = |number| {
        let within = shelves.iter().map(|shelf| shelf.within(&folder(number).unwrap_or_default()));
        (number, within.collect())
    };
    (1..=epochs.number()).map(of).collect()
}

pub async fn notes(
    store: &dyn Store,
    folders: &[Folder],
    epochs: &Epochs,
    verified: &mut Verified,
) -> Result<Vec<Note>, VerifyError> {
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
            epoch: epochs.of_size(row.size),
        }));
    }
    for (epoch, shelves) in folders {
        for shelf in shelves {
            for (path, text) in shelf::checkpoints(shelf.as_ref()).await? {
                let size = path.rsplit('/').next().and_then(|name| name.parse().ok()).unwrap_or(0);
                let path = folder(*epoch).map_or_else(|| path.clone(), |folder| format!("{folder}/{path}"));
                let place = format!("{path} of the anchor `{}`", shelf.name());
                notes.push(Note { place, text, size, outside: true, epoch: *epoch });
            }
        }
    }
    for shelf in folders.first().map_or(&[][..], |(_, shelves)| shelves) {
        let names = shelf.names(FOLDERS).await?;
        for number in
            names.iter().filter_map(|name| name.parse().ok()).filter(|number| *number > epochs.number())
        {
            let place = format!("the anchor `{}`", shelf.name());
            let problem = "the database knows nothing of it: it was restored to before that".into();
            verified.findings.push(Finding::Epoch { place, number, problem });
        }
    }
    Ok(notes)
}

/// What can be said of checkpoints alone, and the roots that the walk has to find.
pub fn signed(
    notes: Vec<Note>,
    keys: &[Vkey],
    epochs: &Epochs,
    standing: &Standing,
    verified: &mut Verified,
) -> Roots {
    verified.checkpoints = notes.len();
    let mut roots = Roots::new();
    let has = standing.edge.size();
    let mut set_back: Option<(u64, String)> = None;
    let chain = chain(&notes, keys, epochs, verified);
    let log = keys.first().map(|key| log_of(key.name()).to_owned());
    for Note { place, text, size, outside, epoch } in notes {
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
        if log.as_ref().is_some_and(|log| name_in(log, epoch) != checkpoint.origin) {
            verified.findings.push(Finding::Origin { place, size, origin: checkpoint.origin });
            continue;
        }
        if let Some(end) = epochs.end_of(epoch).filter(|end| size > end.common) {
            // Lost, and declared to be: its leaves are not in this epoch. What is beyond that is as it ever was.
            if size > end.signed {
                verified.findings.push(Finding::SetBack { place, signed: size, has: end.common });
            } else if size == end.signed && checkpoint.root != end.signed_root {
                verified.findings.push(Finding::Root { place, size });
            }
            continue;
        }
        if outside && epoch == epochs.number() {
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

/// The keys that are believed, and those that they lead to; and what is lost by restores that they have declared.
fn chain(notes: &[Note], keys: &[Vkey], epochs: &Epochs, verified: &mut Verified) -> Chain {
    let mut links: Vec<Link> = Vec::new();
    for Note { place, text, size, .. } in notes {
        match Handover::of(text) {
            Some(Ok(handover)) => links.push(handover.into()),
            Some(Err(problem)) => {
                let problem = format!("it hands a key over, and {problem}");
                verified.findings.push(Finding::Signature { place: place.clone(), size: *size, problem });
            }
            None => {}
        }
    }
    links.extend(epochs.statements.iter().map(Link::from));
    let (chain, forks) = Chain::of(keys, links);
    verified.findings.extend(forks.into_iter().map(|Fork { key, at, to }| Finding::Forked { key, at, to }));
    let database = || "the database".to_owned();
    if let Some((number, problem)) = epochs.problem.clone() {
        verified.findings.push(Finding::Epoch { place: database(), number, problem });
    }
    for (statement, row) in epochs.statements.iter().zip(&epochs.rows) {
        let number = statement.number;
        // Whoever has the database could declare what was never restored, so a statement needs a key that is believed.
        if !chain.keys().contains(&statement.key) {
            let problem = match keys.is_empty() {
                true => {
                    "it says that entries were lost, and cannot be believed without a key: set audit.key or give --key"
                }
                false => "no key that is believed has signed its statement",
            };
            let problem = problem.to_owned();
            verified.findings.push(Finding::Epoch { place: database(), number, problem });
        }
        let (after, entries) = (statement.common, statement.signed - statement.common);
        verified.lost.push(Lost { epoch: number - 1, after, entries, declared_at: row.at });
    }
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
