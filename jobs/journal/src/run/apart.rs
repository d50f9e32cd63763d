//! A run whose parts several jobs go over: one reads the ledger and puts it aside, others do their shares of the passes, and when they are done it goes on.
//!
//! What they have in common is a folder. In it is what reading found, so that whoever sees the folder needs neither the ledger nor the arguments of the run;
//! and since the folder is named by the claim that read, and its name is in the step, what two claims made can never be mixed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::by_model::{Models, ToldModels};
use super::hands::{Hands, Stint, broken, sync_all};
use super::sealed::{seal, unseal};
use super::{By, Given, Read, ReadDigest, Request, Run, RunError, Stage, Watch};
use crate::output::RunTag;
use crate::passes::log::Log;
use crate::passes::read::{Reading, Rejected};
use crate::settings::Settings;
use crate::spool::Spool;
use crate::stored::{Broken, Reader, Stored, put_json, take_json};
use crate::workplace::Workplace;

const INDEX: &str = "index";

/// What is remembered of reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    #[serde(flatten)]
    pub digest: ReadDigest,
    /// Nowhere, if the run does everything itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_aside: Option<PutAside>,
}

/// Where the parts are for jobs that go over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAside {
    /// The claim of the run that read the ledger.
    pub claim: u64,
    /// How many jobs share a pass.
    pub partitions: usize,
}

impl Run {
    /// So many jobs go over the parts in each pass; 1 for none.
    pub fn in_partitions(mut self, partitions: usize) -> Self {
        self.hands = if partitions > 1 { Hands::Jobs(partitions) } else { Hands::Own };
        self
    }

    /// Reads the ledger, and leaves it for others if others are to go on with it.
    pub fn begin(&mut self, watch: Watch<'_>) -> Result<Beginning, RunError> {
        let digest = self.read(watch)?;
        let Hands::Jobs(partitions) = self.hands else {
            return Ok(Beginning { digest, put_aside: None });
        };
        let request = &self.request;
        let read = self.read.work.as_mut().ok_or(RunError::Changed("lines"))?;
        let folder = read.place.path().to_path_buf();
        let mut bytes = Vec::new();
        put_index(request, read, &mut bytes);
        let models = read.models.as_ref().map_or(Ok(()), |models| models.put_beside(&folder));
        let written = models.and_then(|()| write_index(&folder, &seal(&bytes)));
        written.map_err(|cause| RunError::Write { folder, cause })?;
        read.place.keep();
        Ok(Beginning { digest, put_aside: Some(PutAside { claim: request.tag.claim, partitions }) })
    }

    /// Goes on where this or an earlier attempt has begun.
    pub fn go_on(&mut self, beginning: &Beginning) {
        self.expect_read(beginning.digest.clone());
        let Some(PutAside { claim, partitions }) = beginning.put_aside else {
            self.hands = Hands::Own;
            return;
        };
        self.hands = Hands::Jobs(partitions);
        self.put_aside = Some(claim);
    }

    /// What the claim put aside that read the ledger, which is not read again.
    pub(super) fn reopen(&mut self, claim: u64) -> Result<ReadDigest, RunError> {
        let Request { out_dir, tag, .. } = &self.request;
        let place = Workplace::kept(out_dir, &RunTag { run: tag.run.clone(), claim });
        let (told, read) = open(place)?;
        if told.settings != self.request.settings {
            return Err(RunError::Changed("settings"));
        }
        self.request.path = told.path;
        self.request.by = read.models.as_ref().map(Models::by).unwrap_or_default();
        let digest = read.digest();
        self.read.keep(read, digest)
    }

    /// A run that does one share of one pass over what a run put aside, and nothing else. `tag` is of whoever does it.
    pub fn of_stint(place: Workplace, stint: Stint, tag: RunTag, threads: usize) -> Result<Self, RunError> {
        let folder = place.path().to_path_buf();
        let (told, read) = open(place)?;
        let request = Request {
            file: told.path.clone(),
            path: told.path,
            query: None,
            out_dir: folder,
            tag,
            settings: told.settings,
            given: Given::default(),
            accept: None,
            by: By::default(),
            model_name: String::new(),
            created: Timestamp::UNIX_EPOCH,
            threads,
            parts: None,
        };
        let read = Stage { work: Some(read), ..Stage::new("lines") };
        Ok(Self { hands: Hands::Stint(stint), read, ..Self::new(request) })
    }

    /// With what it goes on.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Does the share.
    pub fn work(&mut self, watch: Watch<'_>) -> Result<(), RunError> {
        match self.score(watch) {
            Err(RunError::StintDone) => Ok(()),
            ended => ended.map(|_| ()),
        }
    }
}

/// What whoever goes on has to be told.
struct Told {
    path: PathBuf,
    settings: Settings,
}

fn put_index(request: &Request, read: &Read, out: &mut Vec<u8>) {
    let Read { place: _, reading, log, models, extra: _ } = read;
    let Reading { spool, origin, lines, outside, rejected } = reading;
    put_json(&request.path, out);
    put_json(&request.settings, out);
    spool.put(out);
    put_json(origin, out);
    lines.put(out);
    outside.put(out);
    rejected.count.put(out);
    put_json(&rejected.first, out);
    log.is_some().put(out);
    put_json(&models.as_ref().map(Models::told), out);
}

/// All of [`Read`] but the models, of which the index says only which they are.
type Index = (Told, Reading, Option<Log>, Option<ToldModels>);

fn take_index(from: &mut Reader<'_>, folder: &Path) -> Result<Index, Broken> {
    let told = Told { path: take_json(from)?, settings: take_json(from)? };
    let reading = Reading {
        spool: Spool::take(from, folder)?,
        origin: take_json(from)?,
        lines: Stored::take(from)?,
        outside: Stored::take(from)?,
        rejected: Rejected { count: Stored::take(from)?, first: take_json(from)? },
    };
    Ok((told, reading, bool::take(from)?.then(|| Log::at(folder)), take_json(from)?))
}

fn open(place: Workplace) -> Result<(Told, Read), RunError> {
    let folder = place.path().to_path_buf();
    let bytes = unseal(&folder.join(INDEX))?;
    let mut from = Reader::new(&bytes);
    let taken = take_index(&mut from, &folder).ok().filter(|_| from.is_at_end());
    let (told, reading, log, models) =
        taken.ok_or_else(|| RunError::Write { folder: folder.clone(), cause: broken() })?;
    let models = models.map(|models| Models::again(models, reading.spool.names(), &folder)).transpose()?;
    let extra = told.settings.mapping.extra_columns();
    Ok((told, Read { place, reading, log, models, extra }))
}

/// The last of what others need.
fn write_index(folder: &Path, bytes: &[u8]) -> std::io::Result<()> {
    sync_all(folder)?;
    let begun = folder.join(format!("{INDEX}.begun"));
    let mut file = File::create_new(&begun)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(begun, folder.join(INDEX))?;
    File::open(folder)?.sync_all()
}
