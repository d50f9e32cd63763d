//! Why a run ends without a result.

use std::io;
use std::path::PathBuf;

use jobkit::{DatabaseError, HostError, ObjectError};

use crate::calendar::CalendarError;
use crate::ingest::ReadError;
use crate::model::ModelError;
use crate::passes::PassError;
use crate::scoring::schema::SchemaMismatch;
use crate::selection::SelectionError;
use crate::workpaper::WorkpaperError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("opening {path}")]
    Open {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{field}: {path} is in no folder of journal.roots; move it into one, or add its folder there")]
    Outside { field: &'static str, path: PathBuf },
    /// The list of models has it by its path for ever.
    #[error(
        "{field}: {path} is in no folder of journal.roots; add its folder there, since a file that is moved is not found by the list of models"
    )]
    ModelOutside { field: &'static str, path: PathBuf },
    #[error("{field}: {address} is below no bucket of journal.roots; write \"s3://BUCKET/FOLDER\" there")]
    NoBucket { field: &'static str, address: String },
    #[error("{field}: {problem}")]
    NoUpload { field: &'static str, problem: String },
    #[error("{field}: fetching what was uploaded")]
    Upload {
        field: &'static str,
        #[source]
        cause: HostError,
    },
    #[error("{field}: {path} is nothing of a ledger")]
    NoLedger {
        field: &'static str,
        path: PathBuf,
        #[source]
        cause: ReadError,
    },
    #[error("fetching the ledger")]
    Fetch(#[from] ObjectError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{0}")]
    NoQuery(String),
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    #[error("reading {path}")]
    Read {
        path: PathBuf,
        #[source]
        cause: ReadError,
    },
    #[error("{path}, {rejection}; what the ledger is checked against has to be whole")]
    Given { path: PathBuf, rejection: String },
    #[error("the ledger {path} has no line that can be used; {rejected} were rejected{first}")]
    NoLines { path: PathBuf, rejected: u64, first: String },
    #[error("no line of the ledger {path} is of {window}, and {outside} are of other days; correct `window`")]
    NoneInWindow { path: PathBuf, outside: u64, window: String },
    #[error(
        "the ledger does not roll forward to the trial balance: {differing} accounts differ, {first}. All of them are in {list}; \
         get the whole ledger, or say who accepts it as it is, and why, in `accept`"
    )]
    NotRolledForward { differing: u64, first: String, list: PathBuf },
    #[error("the calendars")]
    Calendars(#[from] CalendarError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the model {} does not fit the ledger: {mismatch}", .path.display())]
    Schema { path: PathBuf, mismatch: SchemaMismatch },
    #[error(
        "the model {} and its challenger {} cannot be compared: one counts a column in groups that the other has one by one; train the older one again",
        .model.display(), .challenger.display()
    )]
    OtherGroups { model: PathBuf, challenger: PathBuf },
    #[error(
        "entry_log cannot be compared beside a window of days: it has the entries of all; leave one of the two out"
    )]
    LogInWindow,
    #[error("drift is told against a model; name one")]
    NoModel,
    #[error("drawing the selections")]
    Selection(#[from] SelectionError),
    #[error(transparent)]
    Pass(PassError),
    #[error(transparent)]
    Workpaper(#[from] WorkpaperError),
    #[error("writing the results into {folder}")]
    Write {
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "the {0} differ from those of an earlier attempt: the ledger or the program changed; enqueue a new job"
    )]
    Changed(&'static str),
    #[error(
        "the parts of the ledger are not in {folder}: every worker must see that folder under that name; let all of them have journal.out_dir on \
         one disk, or enqueue the job anew with `partitions` 1"
    )]
    PartsAway { folder: PathBuf },
    #[error(
        "the parts of the ledger in {folder} were put aside by another version of the program; let all workers have one, or enqueue the job anew"
    )]
    OtherProgram { folder: PathBuf },
    #[error("asked to stop")]
    Stopped,
    /// No failure: whoever does a share of a pass goes no further.
    #[error("the share of the pass is done")]
    StintDone,
}

impl From<PassError> for RunError {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Stopped => Self::Stopped,
            PassError::PutAside { folder, cause } => Self::Write { folder, cause },
            error => Self::Pass(error),
        }
    }
}
