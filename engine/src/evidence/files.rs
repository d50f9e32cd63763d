//! Files that entries name with their hashes: which they are, and, where they are taken along, whether what lies there is what the entry says.
//!
//! An entry names them in `files` of its details, each with `name` and `sha256`, and perhaps `bytes` and the `address` of an artifact.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::io::Write;
use std::path::{Path, PathBuf};

use audit::Entry;
use futures::TryStreamExt;
use jobkit::{Artifact, JobId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pack::PackError;
use crate::artifacts::ArtifactStore;

/// In the pack, by the leaf of the entry.
pub const FOLDER: &str = "files";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    pub leaf: u64,
    pub seq: i64,
    pub object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub name: String,
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub there: There,
}

/// Whether it is in the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum There {
    /// Files were not asked for.
    NotAsked,
    InThePack,
    /// The artifact was deleted, or never was one.
    Gone,
    /// Other bytes lie at the address: they are not in the pack.
    Differs,
    /// Its name could lead out of its place in the pack.
    NotTaken,
}

impl There {
    pub fn says(self) -> &'static str {
        match self {
            Self::NotAsked => "",
            Self::InThePack => "in the pack",
            Self::Gone => "gone",
            Self::Differs => "not what the entry says",
            Self::NotTaken => "not taken: its name is no plain file name",
        }
    }
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    files: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    sha256: String,
    bytes: Option<u64>,
    address: Option<String>,
}

/// Those that have a hash.
pub fn named(leaf: u64, entry: &Entry) -> Vec<File> {
    let details = entry.details.as_deref().and_then(|text| serde_json::from_str::<Details>(text).ok());
    let named = details.into_iter().flat_map(|details| details.files);
    let named = named.filter_map(|file| serde_json::from_value::<Named>(file).ok());
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|letter| letter.is_ascii_hexdigit());
    named
        .filter(|file| is_hash(&file.sha256))
        .map(|Named { name, sha256, bytes, address }| File {
            leaf,
            seq: entry.seq,
            object: entry.object.clone(),
            tenant: entry.tenant.clone(),
            name,
            sha256: sha256.to_ascii_lowercase(),
            bytes,
            address,
            there: There::NotAsked,
        })
        .collect()
}

const PIECE: usize = 1 << 20;

/// Takes along each that is there, and says of each what was found. What is away for the moment is no answer: the pack is not made.
pub async fn take_along<'f>(
    artifacts: &dyn ArtifactStore,
    wanted: impl Iterator<Item = &'f mut File>,
    folder: &Path,
) -> Result<(), PackError> {
    let mut known: BTreeMap<JobId, Vec<Artifact>> = BTreeMap::new();
    let mut places = Places::default();
    for file in wanted {
        if !is_plain(&file.name) {
            file.there = There::NotTaken;
            continue;
        }
        file.there = There::Gone;
        let Some((address, job)) =
            file.address.as_deref().and_then(|address| Some((address, job_of(address)?)))
        else {
            continue;
        };
        if let btree_map::Entry::Vacant(unknown) = known.entry(job) {
            unknown.insert(artifacts.list(job).await?);
        }
        let Some(artifact) = known[&job].iter().find(|artifact| is_at(artifact, address)) else {
            artifacts.reach(address).await?;
            continue;
        };
        let Some(place) = places.of(file) else {
            // Two sentences count the same entry.
            file.there = There::InThePack;
            continue;
        };
        let place = folder.join(place);
        std::fs::create_dir_all(place.parent().unwrap_or(folder))?;
        let found = copy(artifacts, &artifact.address, &place).await?;
        file.there = match found == file.sha256 {
            true => {
                places.took(file);
                There::InThePack
            }
            false => {
                std::fs::remove_file(&place)?;
                There::Differs
            }
        };
    }
    Ok(())
}

/// An address is `file:JOB/RUN/NAME`, or another word before it.
fn job_of(address: &str) -> Option<JobId> {
    address.split_once(':')?.1.split('/').next()?.parse().ok()
}

/// The same file, also when it was moved to a bucket since.
fn is_at(artifact: &Artifact, address: &str) -> bool {
    let rest = |address: &str| address.split_once(':').map(|(_, rest)| rest.to_owned());
    rest(&artifact.address) == rest(address)
}

/// A name from outside never names a place.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// What a file system takes.
const LONGEST_NAME: usize = 255;

/// Where files lie in the folder: `LEAF/NAME`, and what finds that taken, or has too long a name, in `LEAF-2`, `LEAF-3`
/// and so on.
#[derive(Default)]
struct Places {
    given: BTreeSet<PathBuf>,
    /// By leaf, name and hash.
    taken: BTreeSet<(u64, String, String)>,
}

impl Places {
    /// None for one that is in the pack already.
    fn of(&mut self, file: &File) -> Option<PathBuf> {
        if self.taken.contains(&(file.leaf, file.name.clone(), file.sha256.clone())) {
            return None;
        }
        let is_long = file.name.len() > LONGEST_NAME;
        let (first, name) = if is_long { (2, "long name") } else { (1, file.name.as_str()) };
        let folder = |number: usize| match number {
            1 => file.leaf.to_string(),
            _ => format!("{}-{number}", file.leaf),
        };
        let mut places = (first..).map(|number| Path::new(&folder(number)).join(name));
        let place = places.find(|place| !self.given.contains(place))?;
        self.given.insert(place.clone());
        Some(place)
    }

    fn took(&mut self, file: &File) {
        self.taken.insert((file.leaf, file.name.clone(), file.sha256.clone()));
    }
}

async fn copy(artifacts: &dyn ArtifactStore, address: &str, to: &Path) -> Result<String, PackError> {
    let mut reading = artifacts.read(address, PIECE).await?;
    let (mut out, mut hash) = (std::fs::File::create_new(to)?, Sha256::new());
    while let Some(piece) = reading.pieces.try_next().await? {
        hash.update(&piece);
        out.write_all(&piece)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
