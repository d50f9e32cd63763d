//! Who goes over the parts in a pass: the run itself, or jobs that each go over a share of them and leave what they found, which adds up, in a file.
//!
//! All of them go the same way, from pass to pass. A pass that others did is taken from their files; whoever is one of them ends with its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RunError;
use super::sealed::{seal, unseal};
use crate::output::RunTag;
use crate::passes::parts::{Crew, Share};
use crate::passes::sums::Sum;
use crate::passes::{PassError, Watch};
use crate::spool::MOST_PARTS;
use crate::stored::Reader;
use crate::workplace::Workplace;

/// The passes in which several jobs can go over the parts, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    Survey,
    Tie,
    Count,
    Measure,
    Detect,
    Judge,
}

impl Pass {
    pub const ALL: [Self; 6] =
        [Self::Survey, Self::Tie, Self::Count, Self::Measure, Self::Detect, Self::Judge];

    pub fn name(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Tie => "tie",
            Self::Count => "count",
            Self::Measure => "measure",
            Self::Detect => "detect",
            Self::Judge => "judge",
        }
    }

    /// How the step is called in which the jobs of the pass are made.
    pub fn name_of_jobs(self) -> &'static str {
        match self {
            Self::Survey => "jobs to survey",
            Self::Tie => "jobs to tie",
            Self::Count => "jobs to count",
            Self::Measure => "jobs to measure",
            Self::Detect => "jobs to detect",
            Self::Judge => "jobs to judge",
        }
    }
}

/// What one of several jobs has to do: its share of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stint {
    pub pass: Pass,
    /// From 0.
    pub index: usize,
    /// How many share the pass.
    pub of: usize,
}

/// Who does the passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hands {
    Own,
    /// So many jobs in each pass.
    Jobs(usize),
    /// This run is one of them.
    Stint(Stint),
}

impl Hands {
    /// At least a part for each.
    pub(super) fn parts(self, parts: usize) -> usize {
        match self {
            Self::Own | Self::Stint(_) => parts,
            Self::Jobs(jobs) => parts.max(jobs).min(MOST_PARTS as usize),
        }
    }
}

/// The hands at work.
#[derive(Clone, Copy)]
pub(super) struct Passing<'a> {
    pub hands: Hands,
    /// Where everything lies.
    pub folder: &'a Path,
    pub tag: &'a RunTag,
    pub threads: usize,
}

impl Passing<'_> {
    /// Whether others may need once more what is there.
    pub(super) fn is_shared(&self) -> bool {
        self.hands != Hands::Own
    }

    /// What a pass leaves of all parts: of its own work, or of that of others. [`RunError::StintDone`] where it is the share that was to be done.
    pub(super) fn sum<S: Sum>(
        &self,
        pass: Pass,
        of: S::Of<'_>,
        watch: Watch<'_>,
        work: impl FnOnce(Crew<'_>) -> Result<S, PassError>,
    ) -> Result<S, RunError> {
        let threads = self.threads;
        match self.hands {
            Hands::Own => Ok(work(Crew { threads, watch, share: Share::whole(self.folder) })?),
            Hands::Stint(stint) if stint.pass == pass => {
                self.stint(stint, |share| work(Crew { threads, watch, share }))?;
                Err(RunError::StintDone)
            }
            Hands::Jobs(of_jobs) | Hands::Stint(Stint { of: of_jobs, .. }) => self.merged(pass, of_jobs, of),
        }
    }

    /// In the order of the jobs.
    fn merged<S: Sum>(&self, pass: Pass, jobs: usize, of: S::Of<'_>) -> Result<S, RunError> {
        let mut sum: Option<S> = None;
        for index in 0..jobs {
            let bytes = unseal(&self.sums_file(pass, index))?;
            let mut from = Reader::new(&bytes);
            let more = S::take(&mut from, of).ok().filter(|_| from.is_at_end());
            let more = more.ok_or_else(|| self.failed(broken()))?;
            debug_assert!(comes_back(&more, &bytes), "what pass {} left is not what was taken", pass.name());
            match &mut sum {
                None => sum = Some(more),
                Some(sum) => sum.merge(more),
            }
        }
        sum.ok_or_else(|| self.failed(broken()))
    }

    /// Whoever does the same share once more finds it done, or makes the same files: each appears whole, and what the share comes to appears last.
    fn stint<S: Sum>(
        &self,
        stint: Stint,
        work: impl FnOnce(Share<'_>) -> Result<S, PassError>,
    ) -> Result<(), RunError> {
        let Stint { pass, index, of } = stint;
        let sums = self.sums_file(pass, index);
        if sums.exists() {
            return Ok(());
        }
        let own = Workplace::within(self.folder, self.tag).map_err(|cause| self.failed(cause))?;
        let mark = format!("{index}.{:x}.", self.tag.claim);
        let sum = work(Share { index, of, into: own.path(), mark: &mark })?;
        let mut bytes = Vec::new();
        sum.put(&mut bytes);
        publish(own.path(), self.folder, &sums, &seal(&bytes)).map_err(|cause| self.failed(cause))
    }

    fn sums_file(&self, pass: Pass, index: usize) -> PathBuf {
        self.folder.join(format!("sums-{}-{index}", pass.name()))
    }

    fn failed(&self, cause: io::Error) -> RunError {
        RunError::Write { folder: self.folder.into(), cause }
    }
}

/// Whether nothing of it was lost: every test that goes this way looks.
fn comes_back<S: Sum>(sum: &S, bytes: &[u8]) -> bool {
    let mut again = Vec::new();
    sum.put(&mut again);
    again == bytes
}

/// What a share comes to, until all else is in its place.
const SUMS: &str = "sums";

/// Moves all files from one folder to another, and writes one more when they are there.
fn publish(from: &Path, to: &Path, last: &Path, bytes: &[u8]) -> io::Result<()> {
    sync_all(from)?;
    // Whoever moves files out of a folder while it is listed may miss some.
    let names = names(from)?;
    let begun = from.join(SUMS);
    let mut file = File::create_new(&begun)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    move_all(from, &names, to, last)
}

/// Those of these names, then the sums: they say that all the others are there, so nothing but them may be left.
fn move_all(from: &Path, names: &[OsString], to: &Path, last: &Path) -> io::Result<()> {
    names.iter().try_for_each(|name| fs::rename(from.join(name), to.join(name)))?;
    if self::names(from)? != [SUMS] {
        return Err(broken());
    }
    fs::rename(from.join(SUMS), last)?;
    File::open(to)?.sync_all()
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|file| Ok(file?.file_name())).collect()
}

/// What others are told is there must be there after a power cut too.
pub(super) fn sync_all(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        File::open(file?.path())?.sync_data()?;
    }
    Ok(())
}

pub(super) fn broken() -> io::Error {
    crate::passes::spill::broken()
}

#[cfg(test)]
mod tests;
