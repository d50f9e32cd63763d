//! What has to be told before, and beside, the results: a ledger that does not roll forward; the names of entries that belong to others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Request, RunError};
use crate::completeness::{Completeness, Verdict};
use crate::controls::Place;
use crate::output::{Pending, hex};
use crate::passes::judge::{Found, ids};
use crate::passes::tell::Top;

/// All that completeness found, also of a run that it stopped.
pub const COMPLETENESS: &str = "completeness.json";

pub(super) fn sha256(completeness: &Completeness) -> String {
    // These are our own types, which have names for their fields.
    let json = serde_json::to_vec(completeness).unwrap_or_default();
    hex(Sha256::new().chain_update(json))
}

impl Request {
    /// Lets a ledger pass that rolls forward, or that somebody takes as it is.
    pub(super) fn accepted(&self, completeness: &Completeness) -> Result<(), RunError> {
        let Verdict::Failed(differences) = &completeness.roll_forward else { return Ok(()) };
        if self.accept.is_some() {
            return Ok(());
        }
        let list = self
            .write_completeness(completeness)
            .map_err(|cause| RunError::Write { folder: self.out_dir.clone(), cause })?;
        let first: Vec<String> = differences.first.iter().take(3).map(ToString::to_string).collect();
        Err(RunError::NotRolledForward { differing: differences.count, first: first.join("; "), list })
    }

    pub(super) fn write_completeness(&self, completeness: &Completeness) -> io::Result<PathBuf> {
        let mut file = Pending::create(&self.out_dir, COMPLETENESS, &self.tag)?;
        serde_json::to_writer_pretty(&mut file, completeness)?;
        file.write_all(b"\n")?;
        file.commit()
    }
}

/// Puts the id of the other entry into the words of each listed hit that has one.
pub(super) fn name_others(found: &mut Found, tops: &mut [Top], folder: &Path) -> io::Result<()> {
    let of_tests = found.tests.iter().flat_map(|test| test.listed.iter().filter_map(|(_, other)| *other));
    let of_top = tops.iter().flat_map(|top| top.others.iter().copied().flatten());
    let mut wanted: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for Place { part, number, .. } in of_tests.chain(of_top) {
        wanted.entry(part).or_default().insert(number);
    }
    let mut known = BTreeMap::new();
    for (part, numbers) in wanted {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        let found = ids(folder, part as usize, &numbers)?;
        known.extend(numbers.into_iter().map(|number| (part, number)).zip(found));
    }
    let name = |words: &mut String, other: Option<Place>| {
        if let Some(id) = other.and_then(|other| known.get(&(other.part, other.number))) {
            words.push_str(": entry ");
            words.push_str(id);
        }
    };
    for test in &mut found.tests {
        for (tested, other) in &mut test.listed {
            name(&mut tested.words, *other);
        }
    }
    for top in tops {
        for (hit, other) in top.entry.hits.iter_mut().zip(&top.others) {
            name(&mut hit.words, *other);
        }
    }
    Ok(())
}
