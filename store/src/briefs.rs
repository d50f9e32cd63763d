//! Jobs as far as it takes to choose among them: what a job is, where it stands, and how heavy it is. Arguments and
//! results may be a megabyte each, and a question about ten thousand jobs must not bring them all into memory.

use async_trait::async_trait;
use jobkit::JobId;

use super::{JobFilter, Result, Scope};
use crate::state::JobState;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobBrief {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub state: JobState,
    pub tenant: Option<String>,
    /// Of what callers and the job itself wrote: arguments, result, metadata and error.
    pub bytes: u64,
}

#[async_trait]
pub trait Briefs {
    /// As [`super::Store::jobs`], of the same jobs in the same order.
    async fn briefs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobBrief>>;
}
