//! What people are to be told, as the store keeps it: news of what happened, the alerts that it is folded
//! into, and what is to be sent of them.
//!
//! News is written in the transaction of what it tells of, as rows that wait for nobody: a discard by `finish`,
//! `rescue` and `change`, whatever else by `raise`. One process at a time folds it; which one does not matter.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{IdGenerator, JobId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Actor, Result};

#[async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// Writes down that something is the matter, or no longer is. It is told as soon as it is folded.
    async fn raise(&self, news: &[News]) -> Result<()>;

    /// Folds up to `limit` news into alerts: one open alert per key. Returns how many were taken; none too
    /// while another process folds.
    async fn fold(&self, limit: usize, ids: &IdGenerator) -> Result<usize>;

    /// Whether there is anything to do at all, in one look.
    async fn alert_work(&self) -> Result<AlertWork>;

    /// Alerts at which somebody has to look now, the longest due first.
    async fn alerts_to_tell(&self, limit: usize) -> Result<Vec<AlertRow>>;

    /// Does what was decided about an alert, if it still is as it was when that was decided. False: it is not.
    async fn tell(&self, alert: &AlertRow, told: &Told) -> Result<bool>;

    /// Closes events of which nobody was told and nothing happened for so long, up to `limit`. Whoever comes to have
    /// routes tells of them all the same.
    async fn close_untold(&self, quiet_for: Duration, limit: usize) -> Result<u64>;

    /// Takes up to `limit` deliveries by this route that are due. Each counts as attempted and is due again after `hold`,
    /// should whoever took it never say what became of it.
    async fn take_deliveries(&self, route: &str, limit: usize, hold: Duration) -> Result<Vec<Delivery>>;

    /// Says what became of a delivery that was taken. One that somebody else has taken since is left alone.
    async fn end_delivery(&self, delivery: &Delivery, end: &DeliveryEnd) -> Result<()>;

    /// Queues whose first job is due for longer than this, while no job of theirs was claimed for as long.
    /// Paused ones are left out.
    async fn waiting_queues(&self, longer_than: Duration) -> Result<Vec<WaitingQueue>>;

    /// Newest first.
    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>>;

    async fn alert(&self, id: AlertId) -> Result<Option<AlertDetail>>;

    /// Somebody has seen it: a condition is not told again until it has ended, and an event is closed; messages that were
    /// to go out later do not. False when it is acknowledged already, or a condition that has ended.
    async fn ack(&self, id: AlertId, by: &Actor) -> Result<bool>;

    /// Deletes alerts that closed so long ago, with their deliveries, up to `limit`.
    async fn prune_alerts(&self, closed_for: Duration, limit: usize) -> Result<u64>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub Uuid);

impl std::fmt::Display for AlertId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for AlertId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("unknown severity `{text}`"))
    }
}

/// What is told of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewsChange {
    /// It is over as it happens; what more happens soon is told together.
    Happened,
    /// It holds until it has ended.
    Began,
    Ended,
}

impl NewsChange {
    pub fn name(self) -> &'static str {
        match self {
            NewsChange::Happened => "happened",
            NewsChange::Began => "began",
            NewsChange::Ended => "ended",
        }
    }

    pub fn nature(self) -> Nature {
        match self {
            NewsChange::Happened => Nature::Event,
            NewsChange::Began | NewsChange::Ended => Nature::Condition,
        }
    }
}

impl std::str::FromStr for NewsChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [NewsChange::Happened, NewsChange::Began, NewsChange::Ended];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("unknown change `{text}`"))
    }
}

/// Neither secrets nor personal data may stand in it: it leaves the house.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// What it is about, beginning with the rule: `job.discarded/journal.score_ledger`.
    pub key: String,
    pub rule: String,
    pub change: NewsChange,
    pub severity: Severity,
    pub kind: Option<String>,
    pub queue: Option<String>,
    pub text: String,
    /// How many things happened, if they are many.
    pub count: u64,
    pub jobs: Vec<JobId>,
    pub details: Option<Value>,
}

impl News {
    /// Something that is over as it happens. `about` is what makes it one with others of its kind: a schedule's name.
    pub fn happened(rule: &str, about: &str, severity: Severity, text: impl Into<String>) -> Self {
        Self {
            key: format!("{rule}/{about}"),
            rule: rule.into(),
            change: NewsChange::Happened,
            severity,
            kind: None,
            queue: None,
            text: text.into(),
            count: 1,
            jobs: Vec::new(),
            details: None,
        }
    }

    /// Something that is so until [`News::ended`] says that it no longer is. Saying it again does no harm.
    pub fn began(rule: &str, about: &str, severity: Severity, text: impl Into<String>) -> Self {
        Self { change: NewsChange::Began, ..Self::happened(rule, about, severity, text) }
    }

    /// Opens nothing, and is told only to those who were told of the beginning.
    pub fn ended(rule: &str, about: &str, text: impl Into<String>) -> Self {
        Self { change: NewsChange::Ended, ..Self::happened(rule, about, Severity::Info, text) }
    }

    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    pub fn jobs(mut self, jobs: impl IntoIterator<Item = JobId>) -> Self {
        self.jobs = jobs.into_iter().take(MOST_JOBS_NAMED).collect();
        self
    }

    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// Few enough to read, and each leads to the rest.
pub const MOST_JOBS_NAMED: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    Event,
    Condition,
}

impl Nature {
    pub fn name(self) -> &'static str {
        match self {
            Nature::Event => "event",
            Nature::Condition => "condition",
        }
    }
}

impl std::str::FromStr for Nature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Nature::Event, Nature::Condition];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("unknown nature `{text}`"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertRow {
    pub id: AlertId,
    pub key: String,
    pub rule: String,
    pub nature: Nature,
    pub severity: Severity,
    pub kind: Option<String>,
    pub queue: Option<String>,
    pub text: String,
    pub count: u64,
    /// The first few.
    pub jobs: Vec<JobId>,
    pub details: Option<Value>,
    pub opened_at: Timestamp,
    pub last_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub acked_at: Option<Timestamp>,
    pub acked_by: Option<String>,
    /// How often people were told of it, and of how many.
    pub tellings: u32,
    pub told_count: u64,
    #[serde(skip)]
    pub version: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertDetail {
    pub alert: AlertRow,
    pub deliveries: Vec<DeliveryRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryRow {
    pub telling: u32,
    pub route: String,
    pub state: String,
    pub attempts: u32,
    pub due_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub error: Option<String>,
}

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertFilter {
    /// Only those that are not closed.
    pub open: bool,
    pub rules: Vec<String>,
    /// Only those behind this one in the list: its time and its id.
    pub before: Option<(Timestamp, AlertId)>,
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertWork {
    pub news: bool,
    pub to_tell: bool,
    pub to_send: bool,
}

/// What was decided about an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// A telling without any is one all the same.
    pub messages: Option<Vec<Message>>,
    /// When to look again.
    pub look_again: Option<Duration>,
    pub close: bool,
}

/// What to send by which route.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub route: String,
    pub text: Value,
    /// Sent when so much time has gone by, unless the alert is acknowledged or over until then.
    pub after: Duration,
}

/// One message by one route, taken to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub alert: AlertId,
    pub telling: u32,
    pub route: String,
    pub message: Value,
    /// This one included.
    pub attempts: u32,
}

impl Delivery {
    /// The same at every attempt, and of no other: whoever receives it twice can see that.
    pub fn key(&self) -> String {
        format!("alert_{}_{}_{}", self.alert.0.simple(), self.telling, self.route)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    Sent,
    Retry { after: Duration, error: String },
    Dead { error: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingQueue {
    pub queue: String,
    pub first: JobId,
    pub waits: Duration,
}

/// All news of one key that was taken at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    /// The last one's word holds.
    pub news: News,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// Whether it was opened or kept open; news of an end alone opens nothing.
    pub opens: bool,
    /// Whether it has ended when all is told.
    pub ends: bool,
}

/// In the order of the keys, so that nobody waits for anybody in a ring.
pub fn digest(news: Vec<(Timestamp, News)>) -> BTreeMap<String, Digest> {
    let mut digests: BTreeMap<String, Digest> = BTreeMap::new();
    for (at, news) in news {
        let ends = news.change == NewsChange::Ended;
        match digests.get_mut(&news.key) {
            None => {
                let digest = Digest { first_at: at, last_at: at, opens: !ends, ends, news };
                digests.insert(digest.news.key.clone(), digest);
            }
            Some(digest) => {
                let before = std::mem::replace(&mut digest.news, news);
                let news = &mut digest.news;
                if ends {
                    // It says what is over, and counts as nothing more.
                    (news.count, news.change) = (before.count, before.change);
                } else if digest.opens {
                    news.count += before.count;
                }
                news.jobs.splice(0..0, before.jobs);
                news.jobs.truncate(MOST_JOBS_NAMED);
                digest.last_at = at;
                digest.opens |= !ends;
                digest.ends = ends;
            }
        }
    }
    digests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(key: &str, change: NewsChange, count: u64) -> (Timestamp, News) {
        let news = News::happened("rule", key, Severity::Warning, "text");
        let news = News { change, count, ..news };
        (Timestamp::UNIX_EPOCH, news)
    }

    #[test]
    fn news_of_one_key_is_one_digest_and_its_order_counts() {
        use NewsChange::{Began, Ended, Happened};
        for (changes, count, opens, ends) in [
            (&[(Happened, 1)][..], 1, true, false),
            (&[(Happened, 1), (Happened, 3)], 4, true, false),
            (&[(Began, 1), (Ended, 1)], 1, true, true),
            (&[(Ended, 1)], 1, false, true),
            (&[(Ended, 1), (Began, 1)], 1, true, false),
        ] {
            let digests = digest(changes.iter().map(|(change, count)| news("a", *change, *count)).collect());

            assert_eq!(digests.keys().collect::<Vec<_>>(), ["rule/a"]);
            let digest = &digests["rule/a"];
            assert_eq!((digest.news.count, digest.opens, digest.ends), (count, opens, ends), "{changes:?}");
        }
    }
}
