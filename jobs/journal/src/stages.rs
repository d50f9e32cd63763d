//! The run over one file, cut into stages that can be repeated: read, features, fit, score, write.
//!
//! What a stage makes is too large to store between attempts, and need not be: it follows from the file and the
//! parameters. So each stage returns a small *digest* to remember. An attempt that finds the digest of a stage but no
//! longer its work does the work again, and refuses to go on if the digest differs: then the file is not the one the
//! job began with, and results of two files must never be mixed.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use iforest::IsolationForest;
use jobkit::ObjectError;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::features::{self, Feature, Reference};
use crate::ingest::{self, Mapping, Origin, Preset, ReadError, Row};
use crate::ledger::{Ledger, LedgerBuilder};
use crate::output::{self, Input, Rejections, RunTag, Summary};
use crate::score::{self, Params, Scores, hex};

#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error("opening the ledger {path}")]
    Open {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{field}: {path} is in no folder of journal.roots; move it into one, or add its folder there")]
    Outside { field: &'static str, path: PathBuf },
    #[error("{field}: {address} is below no bucket of journal.roots; write \"s3://BUCKET/FOLDER\" there")]
    NoBucket { field: &'static str, address: String },
    #[error("fetching the ledger")]
    Fetch(#[from] ObjectError),
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    #[error("reading the ledger {path}")]
    Read {
        path: PathBuf,
        #[source]
        cause: ReadError,
    },
    #[error("the ledger {path} has no line that can be used; {rejected} were rejected{first}")]
    NoLines { path: PathBuf, rejected: u64, first: String },
    #[error("scoring the entries")]
    Forest(#[from] iforest::Error),
    #[error("writing the results into {folder}")]
    Write {
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "the {0} differ from those of an earlier attempt: the file or the program changed; enqueue a new job"
    )]
    Changed(&'static str),
    #[error("asked to stop")]
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As it is called in results and errors.
    pub path: PathBuf,
    /// Where it is opened: the same, unless it was fetched.
    pub file: PathBuf,
    pub out_dir: PathBuf,
    pub params: Params,
    pub tag: RunTag,
}

/// Told how many of how many bytes are read; answers whether to go on.
pub type Watch<'a> = &'a (dyn Fn(u64, u64) -> ControlFlow<()> + 'a);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturesDigest {
    pub entries: usize,
    pub features: Vec<String>,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForestDigest {
    pub trees: usize,
    /// Entries each tree was really grown from.
    pub sample: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoresDigest {
    pub sha256: String,
}

/// The stages of one run, the work done so far, and the digests known from an earlier attempt.
pub struct Stages {
    request: Request,
    rejections: Option<Rejections>,
    ledger: Stage<Ledger, Input>,
    features: Stage<(Reference, Array2<f64>), FeaturesDigest>,
    forest: Stage<IsolationForest, ForestDigest>,
    scores: Stage<Scores, ScoresDigest>,
}

struct Stage<W, D> {
    name: &'static str,
    work: Option<W>,
    digest: Option<D>,
}

impl<W, D: Clone + PartialEq> Stage<W, D> {
    fn new(name: &'static str) -> Self {
        Self { name, work: None, digest: None }
    }

    fn keep(&mut self, work: W, digest: D) -> Result<D, ScoreError> {
        if self.digest.as_ref().is_some_and(|known| *known != digest) {
            return Err(ScoreError::Changed(self.name));
        }
        self.work = Some(work);
        self.digest = Some(digest.clone());
        Ok(digest)
    }

    fn work(&self) -> Result<&W, ScoreError> {
        self.work.as_ref().ok_or(ScoreError::Changed(self.name))
    }
}

/// Runs all stages in one go.
pub fn score_file(request: Request, watch: Watch<'_>) -> Result<Summary, ScoreError> {
    Stages::new(request).write(watch)
}

impl Stages {
    pub fn new(request: Request) -> Self {
        Self {
            request,
            rejections: None,
            ledger: Stage::new("lines"),
            features: Stage::new("features"),
            forest: Stage::new("forests"),
            scores: Stage::new("scores"),
        }
    }

    /// Digests an earlier attempt left, or that were just returned here.
    pub fn expect_input(&mut self, digest: Input) {
        self.ledger.digest = Some(digest);
    }

    pub fn expect_features(&mut self, digest: FeaturesDigest) {
        self.features.digest = Some(digest);
    }

    pub fn expect_forest(&mut self, digest: ForestDigest) {
        self.forest.digest = Some(digest);
    }

    pub fn expect_scores(&mut self, digest: ScoresDigest) {
        self.scores.digest = Some(digest);
    }

    pub fn read(&mut self, watch: Watch<'_>) -> Result<Input, ScoreError> {
        let (ledger, rejections, input) = read(&self.request, watch)?;
        self.rejections = Some(rejections);
        self.ledger.keep(ledger, input)
    }

    pub fn features(&mut self, watch: Watch<'_>) -> Result<FeaturesDigest, ScoreError> {
        if self.ledger.work.is_none() {
            self.read(watch)?;
        }
        let ledger = self.ledger.work()?;
        let reference = Reference::of(ledger);
        let matrix = features::matrix(ledger, &reference);
        let mut hash = Sha256::new();
        for value in &matrix {
            hash.update(value.to_bits().to_le_bytes());
        }
        let digest = FeaturesDigest {
            entries: matrix.nrows(),
            features: Feature::ALL.iter().map(|feature| feature.id().into()).collect(),
            sha256: hex(hash),
        };
        self.features.keep((reference, matrix), digest)
    }

    pub fn fit(&mut self, watch: Watch<'_>) -> Result<ForestDigest, ScoreError> {
        if self.features.work.is_none() {
            self.features(watch)?;
        }
        let (_, matrix) = self.features.work()?;
        let forest = score::fit(matrix, &self.request.params)?;
        // Says little about the trees; that they are the same, the digest of the scores proves.
        let digest = ForestDigest { trees: forest.trees(), sample: forest.sample_size() };
        self.forest.keep(forest, digest)
    }

    pub fn score(&mut self, watch: Watch<'_>) -> Result<ScoresDigest, ScoreError> {
        if self.forest.work.is_none() {
            self.fit(watch)?;
        }
        let (reference, matrix) = self.features.work()?;
        let scores =
            score::score(self.ledger.work()?, reference, matrix, self.forest.work()?, &self.request.params)?;
        let digest = ScoresDigest { sha256: scores.sha256.clone() };
        self.scores.keep(scores, digest)
    }

    /// Writes all files; the summary comes last, so that where it is, everything is.
    pub fn write(&mut self, watch: Watch<'_>) -> Result<Summary, ScoreError> {
        if self.scores.work.is_none() {
            self.score(watch)?;
        }
        let Request { out_dir, tag, params, .. } = &self.request;
        let (Some(input), Some(rejections)) = (self.ledger.digest.clone(), self.rejections.take()) else {
            return Err(ScoreError::Changed(self.ledger.name));
        };
        let scores = self.scores.work()?;
        let failed = |cause| ScoreError::Write { folder: out_dir.clone(), cause };
        let rejected = rejections.commit().map_err(failed)?;
        let scored = output::write_scores(out_dir, tag, self.ledger.work()?, scores).map_err(failed)?;
        let summary = Summary {
            input,
            params: params.clone(),
            scores_sha256: scores.sha256.clone(),
            outputs: vec![
                scored,
                rejected,
                out_dir.join(output::SUMMARY),
                out_dir.join(output::SUMMARY_TEXT),
            ],
            top: scores.top.clone(),
        };
        output::write_summary(out_dir, tag, &summary).map_err(failed)?;
        Ok(summary)
    }
}

fn read(request: &Request, watch: Watch<'_>) -> Result<(Ledger, Rejections, Input), ScoreError> {
    let Request { path, file, out_dir, tag, .. } = request;
    let cannot_open = |cause| ScoreError::Open { path: path.clone(), cause };
    let cannot_read = |cause| ScoreError::Read { path: path.clone(), cause };
    let cannot_write = |cause| ScoreError::Write { folder: out_dir.clone(), cause };

    // Looked at before it is opened: opening a pipe would wait for a writer.
    let kind = std::fs::metadata(file).map_err(cannot_open)?;
    if !kind.is_file() {
        return Err(ScoreError::NotAFile(path.clone()));
    }
    let opened = ingest::open(&ingest::Input::File(file.clone()), &Mapping::of(Preset::Ads));
    let mut source = opened.map_err(|cause| match cause {
        ReadError::Io(cause) => cannot_open(cause),
        cause => cannot_read(cause),
    })?;
    let mut rejections = Rejections::create(out_dir, tag).map_err(cannot_write)?;
    let mut ledger = LedgerBuilder::default();
    let (mut lines, mut rejected, mut first_rejection) = (0_u64, 0_u64, String::new());
    while let Some(block) = source.next_block().map_err(cannot_read)? {
        if watch(source.position().0, kind.len()).is_break() {
            return Err(ScoreError::Stopped);
        }
        let mut written = Ok(());
        let parsed = block.parse(&mut |row| match row {
            Row::Line(line) => {
                ledger.push(&line);
                lines += 1;
            }
            Row::Rejected(rejection) => {
                if rejected == 0 {
                    first_rejection = format!(", the first: {rejection}");
                }
                if written.is_ok() {
                    written = rejections.push(&rejection);
                }
                rejected += 1;
            }
        });
        parsed.map_err(cannot_read)?;
        written.map_err(cannot_write)?;
    }
    if lines == 0 {
        return Err(ScoreError::NoLines { path: path.clone(), rejected, first: first_rejection });
    }
    let ledger = ledger.finish();
    let Origin { bytes, sha256, not_utf8, .. } = source.finish().map_err(cannot_read)?;
    let input = Input {
        path: path.clone(),
        bytes,
        sha256,
        lines,
        entries: ledger.entries().len() as u64,
        rejected,
        latin1_lines: not_utf8,
    };
    Ok((ledger, rejections, input))
}

#[cfg(test)]
mod tests;
