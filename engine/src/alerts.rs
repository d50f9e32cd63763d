//! What people are told: news becomes an alert, an alert is told by the routes that it concerns, and each
//! message is sent at least once.
//!
//! Any part of the engine raises news, in the transaction of what it tells of where there is one: [`News`] with a
//! rule of [`RULES`], through `Store::raise`; jobs raise it with a change of a record, by a rule of their family's. The [`keeper`] folds it and decides what is told, the [`sender`] sends
//! it; both run in every process, without a leader. A storm is one alert that counts.

pub mod courier;
pub mod desk;
pub mod keeper;
pub mod message;
pub mod sender;
pub mod services;
pub mod telling;
pub mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobkit::Personal;

use self::courier::Courier;
use crate::webhooks::target::Target;
use store::{AlertRow, Severity};

pub use store::News;

/// A job will not be tried again, and a person must decide.
pub const JOB_DISCARDED: &str = "job.discarded";
/// Jobs are due and nobody takes them.
pub const QUEUE_STUCK: &str = "queue.stuck";
/// A fire time went by without a job.
pub const SCHEDULE_MISSED: &str = "schedule.missed";
pub use store::schedules::SCHEDULE_BROKEN;

/// A trigger cannot see what it looks at.
pub const TRIGGER_BLIND: &str = "trigger.blind";
/// Something came in by a trigger, and no job can be made of it.
pub const TRIGGER_REFUSED: &str = "trigger.refused";

pub use store::approvals::EXPIRED as APPROVAL_EXPIRED;
pub use store::identities::{IDENTITY_LOCKED, IDENTITY_TOKEN_REUSED};

/// The audit log does not go on from what was signed of it, and nothing is signed any more.
pub const AUDIT_REFUSED: &str = "audit.refused";
/// An anchor has got nothing of the audit log for a while.
pub const AUDIT_ANCHOR_BEHIND: &str = "audit.anchor_behind";

/// A file that was handed in held malware, and was refused.
pub const UPLOAD_INFECTED: &str = "upload.infected";
/// The scanner does not answer, so no upload is taken.
pub const SCANNER_AWAY: &str = "upload.scanner_away";
/// What the scanner knows is old.
pub const SCANNER_OLD: &str = "upload.scanner_old";

/// Every rule of the engine's. A route that names neither one of these nor one that a family has registered
/// ([`jobkit::Registry::add_rule`]) would wait for ever.
pub const RULES: &[&str] = &[
    JOB_DISCARDED,
    QUEUE_STUCK,
    SCHEDULE_MISSED,
    SCHEDULE_BROKEN,
    TRIGGER_BLIND,
    TRIGGER_REFUSED,
    IDENTITY_LOCKED,
    IDENTITY_TOKEN_REUSED,
    AUDIT_REFUSED,
    AUDIT_ANCHOR_BEHIND,
    UPLOAD_INFECTED,
    SCANNER_AWAY,
    SCANNER_OLD,
    APPROVAL_EXPIRED,
];

/// How alerts are kept and told.
#[derive(Debug, Clone)]
pub struct Pace {
    /// What follows an event within this time is told together.
    pub window: Duration,
    /// A condition that lasts, and that nobody has acknowledged, is told again this often.
    pub repeat: Duration,
    /// A queue is stuck when its first job waits this long and nothing was claimed meanwhile.
    pub stuck_after: Duration,
    /// How often a message is tried.
    pub attempts: u32,
    /// How long closed alerts are kept; none means for ever.
    pub keep: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10 * 60),
            repeat: Duration::from_secs(4 * 3_600),
            stuck_after: Duration::from_secs(15 * 60),
            attempts: 80,
            keep: Some(Duration::from_secs(90 * 86_400)),
        }
    }
}

/// What a process needs to tell people anything. Without a courier it leaves telling to others.
#[derive(Clone, Default)]
pub struct Alerting {
    pub pace: Pace,
    pub courier: Option<Arc<Courier>>,
}

pub type Routes = BTreeMap<String, Route>;

/// Whom to tell, and of what.
#[derive(Debug, Clone)]
pub struct Route {
    pub to: To,
    /// Told only of what nobody has acknowledged for so long; none means at once.
    pub after: Option<Duration>,
    /// And what is worse.
    pub severity: Severity,
    /// Empty means all, here and below.
    pub rules: Vec<String>,
    pub kinds: Vec<String>,
    pub queues: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum To {
    Mail(Vec<Personal<String>>),
    Webhook(Target),
}

impl Route {
    pub fn concerns(&self, alert: &AlertRow) -> bool {
        let among = |wanted: &[String], value: Option<&String>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
        };
        alert.severity >= self.severity
            && among(&self.rules, Some(&alert.rule))
            && among(&self.kinds, alert.kind.as_ref())
            && among(&self.queues, alert.queue.as_ref())
    }
}
