//! Listings in pages that fit into memory, however large the arguments of the jobs are.

use jobkit::JobId;

use super::{Queue, QueueError};
use store::{DEFAULT_PAGE, JobBrief, JobFilter, JobRow, Scope};

/// Newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    pub jobs: Vec<JobRow>,
    /// Where the next page begins, when there may be one: give it as `before`.
    pub next: Option<JobId>,
}

impl Queue {
    /// As [`Queue::jobs`], of at most so many bytes, save that a page has one job if there is any.
    pub async fn page(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        most_bytes: u64,
    ) -> Result<JobPage, QueueError> {
        let found = self.store.briefs(scope, filter).await?;
        let ids: Vec<_> = fitting(&found, most_bytes).iter().map(|job| job.id).collect();
        let limit = filter.limit.unwrap_or(DEFAULT_PAGE);
        let more = ids.len() < found.len() || found.len() == limit;
        let Some(last) = ids.last().copied() else { return Ok(JobPage { jobs: Vec::new(), next: None }) };
        // One that has gone on meanwhile may not be meant any more, and the page is shorter by it.
        let meant = JobFilter { limit: Some(ids.len()), ids, ..filter.clone() };
        let jobs = self.jobs(scope, &meant).await?;
        Ok(JobPage { jobs, next: more.then_some(last) })
    }
}

/// The first so many whose bytes are within the limit together, but one at least.
fn fitting(jobs: &[JobBrief], most_bytes: u64) -> &[JobBrief] {
    let sums = jobs.iter().scan(0_u64, |sum, job| {
        *sum = sum.saturating_add(job.bytes);
        Some(*sum)
    });
    let count = sums.take_while(|sum| *sum <= most_bytes).count();
    &jobs[..count.max(1).min(jobs.len())]
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use store::state::JobState;

    #[test]
    fn a_page_ends_before_it_is_too_heavy_and_has_one_job_at_least() {
        let job = |bytes| JobBrief {
            id: JobId(Uuid::nil()),
            kind: String::new(),
            queue: String::new(),
            state: JobState::Available,
            tenant: None,
            bytes,
        };
        for (sizes, fit) in
            [(&[][..], 0), (&[10], 1), (&[11], 1), (&[5, 5, 1], 2), (&[0, 10, 0, 1], 3), (&[u64::MAX, 1], 1)]
        {
            let jobs: Vec<_> = sizes.iter().copied().map(job).collect();
            assert_eq!(fitting(&jobs, 10).len(), fit, "{sizes:?}");
        }
    }
}
