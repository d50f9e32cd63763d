//! What families keep of things beyond jobs, as the store has it: one row for each thing of whatever family. What is refused and what the
//! audit log says is decided here, the same on both databases.
//!
//! An attempt that acts on a thing holds its record. No time-out ends that: what stands in the row counts for as long as the job's own row
//! says that the attempt runs, so it ends with the attempt, with a rescue, or with whatever else takes the job away.

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::records::{check, check_silent};
use jobkit::{AuditEntry, Gravity, Hold, JobId, Put, Record, RecordChange, RecordFilter, RecordId};
use uuid::Uuid;

use super::{Attempting, FIRST_MOMENT, Held, News, NewsChange, Result, Scope, Severity, StoreError};

#[async_trait]
pub trait Records: Send + Sync + 'static {
    /// Changes a record or makes it, with its names, its entry in the audit log and its news, all or nothing; the attempt holds it from then on, unless the change lets go. `Moved` when it is not as it was
    /// looked at, or while another attempt that runs holds it; `Taken` when another record of the collection has one of the names. `Refused` when
    /// the record is of another tenant than the job, `LeaseLost` when the attempt does not hold its job any more.
    async fn record_put(&self, attempt: &Attempting, change: &RecordChange) -> Result<Put>;

    /// From here on this attempt alone acts on the thing, for as long as it runs. None when there is no such record, when it is of another tenant,
    /// or while another attempt that runs holds it; of two at once, one gets it. `LeaseLost` as above.
    async fn record_hold(&self, attempt: &Attempting, id: &RecordId) -> Result<Option<Record>>;

    /// The attempt is done with the thing. Nothing follows when it does not hold it, also because it has lost its job.
    async fn record_let_go(&self, held: Held, id: &RecordId) -> Result<()>;

    async fn record(&self, scope: &Scope, id: &RecordId) -> Result<Option<Record>>;

    /// By what others call it.
    async fn record_named(&self, scope: &Scope, collection: &str, name: &str) -> Result<Option<Record>>;

    async fn records(&self, scope: &Scope, page: &RecordPage) -> Result<Vec<Record>>;
}

/// Which records are asked for, and how much of each.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordPage {
    pub filter: RecordFilter,
    /// Of a list by when they were due: when that of `filter.after` was. Without it such a list begins at its beginning.
    pub after_due: Option<Timestamp>,
    /// Bodies may be large; without them each is `null`.
    pub with_bodies: bool,
}

impl RecordPage {
    /// All that a job asks for.
    pub fn of(filter: &RecordFilter) -> Self {
        Self { filter: filter.clone(), after_due: None, with_bodies: true }
    }

    /// The key and the tenant behind which the page begins; every key comes behind the empty one.
    pub fn behind(&self) -> (&str, &str) {
        let is_by_key = self.filter.due_by.is_none();
        let after = self.filter.after.as_ref().filter(|_| is_by_key || self.after_due.is_some());
        after.map_or(("", ""), |id| (id.key.as_str(), id.tenant.as_deref().unwrap_or_default()))
    }

    /// Whether a database can be asked for it at all; none keeps a NUL, or what was due before the first moment, so nothing of that is there.
    pub fn can_be_asked(&self) -> bool {
        let RecordFilter { collection, states, after, .. } = &self.filter;
        let texts = states.iter().chain([collection]).map(String::as_str);
        let texts = texts
            .chain(after.iter().flat_map(|id| [id.key.as_str()].into_iter().chain(id.tenant.as_deref())));
        let times = [self.filter.due_by, self.after_due];
        texts.into_iter().all(is_text) && times.into_iter().flatten().all(|at| at >= FIRST_MOMENT)
    }
}

fn is_text(text: &str) -> bool {
    !text.contains('\0')
}

pub fn can_be_asked(id: &RecordId) -> bool {
    is_text(&id.collection) && is_text(&id.key) && id.tenant.as_deref().is_none_or(is_text)
}

/// The job that an attempt runs, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningJob {
    pub kind: String,
    pub queue: String,
    pub tenant: Option<String>,
}

impl RunningJob {
    /// A job of a tenant sees and changes its tenant's records, one of the installation those of all.
    pub fn sees(&self, id: &RecordId) -> bool {
        self.tenant.is_none() || self.tenant == id.tenant
    }
}

/// A row as whoever wants to change or hold it finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub row: i64,
    pub version: u64,
    /// The job and the fence of the attempt that held it last.
    pub held: Option<(JobId, i32)>,
}

impl Found {
    /// The attempt that holds it, if it still runs, unless it is one of this job: an earlier one of its own has ended, or this one would not
    /// run.
    pub fn held_by_another(&self, job: JobId) -> Option<(JobId, i32)> {
        self.held.filter(|(holder, _)| *holder != job)
    }
}

/// Who holds a record from a change on: the job, and the fence of the attempt.
pub fn holder(held: Held, change: &RecordChange) -> (Option<Uuid>, Option<i32>) {
    match change.hold {
        Hold::Kept => (Some(held.job.0), Some(held.fence.0)),
        Hold::LetGo => (None, None),
    }
}

/// Whether a record that was found so is still as it was looked at.
pub fn is_as_looked_at(found: Option<&Found>, change: &RecordChange) -> bool {
    found.map_or(0, |found| found.version) == change.from
}

/// Before anything is asked of the database.
pub fn check_change(change: &RecordChange) -> Result<()> {
    check(change).map_err(StoreError::Refused)?;
    match change.due_at.is_none_or(|at| at >= FIRST_MOMENT) {
        true => Ok(()),
        false => Err(StoreError::Refused("due_at: a time from the year 1 on".into())),
    }
}

/// Of a change that leaves no entry, when it is known what there is.
pub fn check_silence(known: Option<&Record>, change: &RecordChange) -> Result<()> {
    check_silent(known, change).map_err(StoreError::Refused)
}

pub fn of_another_tenant() -> StoreError {
    StoreError::Refused("the record is of another tenant".into())
}

/// What the audit log says of a change, which is told to whoever the record belongs to. Nothing of one that only moves the time to look again.
pub fn record_changed(attempt: &Attempting, change: &RecordChange) -> Option<AuditEntry> {
    let RecordId { collection, tenant, key } = &change.id;
    let entry = attempt.by.entry(&change.action, format!("{collection}/{key}"), "ok", change.details.clone());
    (!change.action.is_empty()).then(|| AuditEntry { tenant: tenant.clone(), ..entry })
}

/// What people are told of a change, with the job that told it.
pub fn record_news(change: &RecordChange, id: JobId, job: &RunningJob) -> Vec<News> {
    let news = |news: &jobkit::News| News {
        key: format!("{}/{}", news.rule, news.about),
        rule: news.rule.clone(),
        change: match news.change {
            jobkit::NewsChange::Happened => NewsChange::Happened,
            jobkit::NewsChange::Began => NewsChange::Began,
            jobkit::NewsChange::Ended => NewsChange::Ended,
        },
        severity: match news.gravity {
            Gravity::Info => Severity::Info,
            Gravity::Warning => Severity::Warning,
            Gravity::Critical => Severity::Critical,
        },
        kind: Some(job.kind.clone()),
        queue: Some(job.queue.clone()),
        text: news.text.clone(),
        count: 1,
        jobs: vec![id],
        details: None,
    };
    change.news.iter().map(news).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(tenant: Option<&str>) -> RecordId {
        RecordId { collection: "post.letter".into(), tenant: tenant.map(str::to_owned), key: "a".into() }
    }

    #[test]
    fn a_tenants_job_sees_its_own_and_one_of_nobody_all() {
        for (job, record, sees) in [
            (None, None, true),
            (None, Some("north"), true),
            (Some("north"), Some("north"), true),
            (Some("north"), Some("south"), false),
            (Some("north"), None, false),
        ] {
            let running = RunningJob { kind: "k".into(), queue: "q".into(), tenant: job.map(str::to_owned) };
            assert_eq!(running.sees(&id(record)), sees, "{job:?} {record:?}");
        }
    }

    #[test]
    fn a_page_of_what_is_due_begins_where_the_last_ended_only_if_it_says_when_that_was_due() {
        let at = Timestamp::UNIX_EPOCH;
        for (due_by, after, after_due, behind) in [
            (None, None, None, ("", "")),
            (None, Some(id(Some("north"))), None, ("a", "north")),
            (None, Some(id(None)), None, ("a", "")),
            (Some(at), Some(id(None)), None, ("", "")),
            (Some(at), Some(id(Some("north"))), Some(at), ("a", "north")),
        ] {
            let filter =
                RecordFilter { collection: "post.letter".into(), due_by, after, ..RecordFilter::default() };
            let page = RecordPage { after_due, ..RecordPage::of(&filter) };
            assert_eq!(page.behind(), behind, "{page:?}");
        }
    }

    #[test]
    fn what_no_database_keeps_is_not_asked_for() {
        let asked = |collection: &str, states: &[&str], after: Option<RecordId>| {
            let states = states.iter().map(|state| (*state).to_owned()).collect();
            let filter =
                RecordFilter { collection: collection.into(), states, after, ..RecordFilter::default() };
            RecordPage::of(&filter).can_be_asked()
        };
        assert!(asked("post.letter", &["sent"], Some(id(Some("north")))));
        assert!(!asked("post\0", &[], None) && !asked("post.letter", &["s\0"], None));
        assert!(!asked("post.letter", &[], Some(id(Some("n\0")))));
        let due_by = Some(Timestamp::MIN);
        let ancient = RecordFilter { collection: "post.letter".into(), due_by, ..RecordFilter::default() };
        assert!(!RecordPage::of(&ancient).can_be_asked());
        assert!(!can_be_asked(&RecordId { key: "\0".into(), ..id(None) }));
    }
}
