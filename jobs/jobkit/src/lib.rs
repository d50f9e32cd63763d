//! The contract between Compline and its job families.
//!
//! A family depends on this crate and on nothing else of ours; the engine depends on it too, and the
//! two never meet anywhere else. Here is what a job *is* ([`Job`]), what it may ask for while it runs
//! ([`Ctx`]), how it ends ([`Outcome`], [`Failure`]), what the engine should do about it ([`Policy`]),
//! and the list of all kinds ([`Registry`]). [`testing`] runs a job without an engine, crashes it at
//! every step, and lets a test hold the clock.

pub mod alerts;
mod args;
pub mod clock;
pub mod ctx;
pub mod door;
pub mod evidence;
pub mod id;
pub mod job;
pub mod jwt;
pub mod models;
pub mod new_job;
pub mod outcome;
pub mod policy;
pub mod ports;
pub mod raw_json;
pub mod records;
pub mod redact;
pub mod registry;
pub mod roots;
pub mod step;
pub mod testing;
pub mod uploads;

pub use alerts::{Gravity, News, NewsChange};
pub use clock::Clock;
pub use ctx::{Ctx, JobInfo, LogLevel, LogLine, Progress};
pub use door::{Delivered, Door, Unopened};
pub use id::{IdGenerator, JobId};
pub use job::Job;
pub use models::{ModelRecord, Models, NewModel, Standing, StandingChange};
pub use new_job::{Callback, CallbackEvent, NewJob, OnParentFailure, When};
pub use outcome::{Failure, FailureExt, Outcome};
pub use policy::{Backoff, OnConflict, Period, Policy, Unique};
pub use ports::{
    Admission, Artifact, Artifacts, Audit, AuditEntry, CallEnd, ChildResult, DatabaseError, Databases,
    HoldOff, Host, HostError, Mail, Mailer, ObjectError, Objects, Origin, Owner, PortError, PutNewError,
    Reading, SecretStore,
};
pub use raw_json::RawJson;
pub use records::{Hold, Put, Record, RecordChange, RecordFilter, RecordId, Records};
pub use redact::{Personal, SecretString};
pub use registry::{ArgsError, KindInfo, RegisteredJob, Registry};
pub use step::{StepKey, StepRecord};
pub use uploads::UploadId;
