//! What is limited: the rules, and the lane of a job, which names every bucket that it falls into. Pure.
//!
//! `compline.lane_of` in SQL (migration 7) says the same of jobs that programs enqueue there; a test holds
//! the two together.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longer keys are told by their hash.
const LONGEST_KEY: usize = 128;

/// Whole numbers of eighteen digits are keys.
const LEAST_TOO_LARGE: u64 = 1_000_000_000_000_000_000;

/// Between the buckets of a lane.
const AND: char = '\n';
/// Before the tenant, who stands last and may have any letters in the name.
const FOR: &str = "\n\t";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub name: String,
    /// Names of kinds, or of all below one (`docusign.*`); empty means every kind.
    pub kinds: Vec<String>,
    /// Empty means every queue.
    pub queues: Vec<String>,
    pub by: By,
    pub rate: Option<Rate>,
    /// Most jobs that run at once, per bucket.
    pub concurrency: Option<u32>,
}

/// What tells the buckets of one rule apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum By {
    /// One bucket for all.
    #[default]
    All,
    Queue,
    Kind,
    Tenant,
    /// A text, whole number or boolean in the arguments.
    Args(Vec<String>),
}

/// So many starts in a time, evenly, and `burst` of them at once after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rate {
    pub pace: Pace,
    pub burst: u32,
}

impl Rate {
    /// Nanoseconds that a start may come before its own time: those of a burst but for the first.
    pub fn lead(self) -> i64 {
        self.pace.interval().saturating_mul(i64::from(self.burst.max(1)) - 1)
    }
}

/// `50/s`, `3000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub count: u32,
    pub per: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const ALL: [(Unit, &'static str, i32); 4] =
        [(Unit::Second, "s", 1), (Unit::Minute, "m", 60), (Unit::Hour, "h", 3_600), (Unit::Day, "d", 86_400)];

    fn letter(self) -> &'static str {
        Self::ALL.iter().find(|(unit, ..)| *unit == self).map_or("s", |(_, letter, _)| letter)
    }

    pub fn seconds(self) -> i32 {
        Self::ALL.iter().find(|(unit, ..)| *unit == self).map_or(1, |(.., seconds)| *seconds)
    }

    /// As the store wrote it.
    pub fn of_seconds(seconds: i32) -> Option<Self> {
        Self::ALL.iter().find(|(.., known)| *known == seconds).map(|(unit, ..)| *unit)
    }
}

impl Pace {
    /// Nanoseconds from one start to the next, rounded up: never more than was asked for.
    pub fn interval(self) -> i64 {
        let (whole, count) = (i64::from(self.per.seconds()) * 1_000_000_000, i64::from(self.count.max(1)));
        (whole + count - 1) / count
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is not a rate such as \"50/s\", \"100/m\", \"3000/h\" or \"10000/d\", at most \"1000000/s\""
            )
        };
        let (count, per) = text.trim().split_once('/').ok_or_else(refused)?;
        let count: u32 = count.trim().parse().map_err(|_| refused())?;
        let unit = Unit::ALL.iter().find(|(_, letter, _)| *letter == per.trim()).ok_or_else(refused)?;
        let pace = Self { count, per: unit.0 };
        match count == 0 || pace.interval() < 1_000 {
            true => Err(refused()),
            false => Ok(pace),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.letter())
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is not \"all\", \"queue\", \"kind\", \"tenant\" or a place in the arguments such as \
                 \"args.account_id\""
            )
        };
        match text {
            "all" => Ok(By::All),
            "queue" => Ok(By::Queue),
            "kind" => Ok(By::Kind),
            "tenant" => Ok(By::Tenant),
            _ => {
                let path = text.strip_prefix("args.").ok_or_else(refused)?;
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                // PostgreSQL reads a number as a place in a list.
                let name = |part: &String| !part.is_empty() && part.parse::<i64>().is_err();
                path.iter().all(name).then_some(By::Args(path)).ok_or_else(refused)
            }
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::All => f.write_str("all"),
            By::Queue => f.write_str("queue"),
            By::Kind => f.write_str("kind"),
            By::Tenant => f.write_str("tenant"),
            By::Args(path) => write!(f, "args.{}", path.join(".")),
        }
    }
}

/// Written and read as the text that people write.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

as_text!(Pace, By);

/// What a job is limited by: its buckets, as `limit/key` or, where one is for all, `limit`, and its tenant, so that
/// tenants take turns where lanes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Lane(Arc<str>);

impl From<String> for Lane {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Lane> for String {
    fn from(lane: Lane) -> Self {
        lane.as_str().into()
    }
}

impl Lane {
    /// As the store wrote it.
    pub fn stored(text: String) -> Self {
        text.into()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn buckets(&self) -> impl Iterator<Item = &str> {
        self.0.split(FOR).next().unwrap_or_default().split(AND)
    }

    /// The bucket under this limit, if the job is in one.
    pub fn bucket_of(&self, limit: &str) -> Option<&str> {
        self.buckets().find(|bucket| limit_of(bucket) == limit)
    }
}

/// The limit that a bucket belongs to.
pub fn limit_of(bucket: &str) -> &str {
    bucket.split('/').next().unwrap_or_default()
}

/// The bucket of a key.
pub fn bucket(limit: &str, by: &By, key: &str) -> String {
    match by {
        By::All => limit.to_owned(),
        _ => keyed(limit, key),
    }
}

pub fn keyed(limit: &str, key: &str) -> String {
    format!("{limit}/{}", printable(key))
}

/// A key of any length and with any letters, as it stands in the name of a bucket.
fn printable(key: &str) -> String {
    let plain = |byte: u8| byte >= b' ' && byte != 0x7f;
    match key.len() <= LONGEST_KEY && key.bytes().all(plain) {
        true => key.to_owned(),
        false => hashed(key),
    }
}

fn hashed(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    hash.iter().take(16).fold("#".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A job, as far as rules ask.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub kind: &'a str,
    pub queue: &'a str,
    pub tenant: Option<&'a str>,
    pub args: &'a Value,
    /// What stands in its arguments is nobody's business: keys from them are hashed.
    pub encrypted: bool,
}

/// Everything that is limited, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    rules: BTreeMap<String, Rule>,
}

impl Rules {
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule.name.clone(), rule)).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.get(name)
    }

    /// None when nothing limits the job.
    pub fn lane_of(&self, job: Subject<'_>) -> Option<Lane> {
        let mut lane = String::new();
        for rule in self.rules.values().filter(|rule| rule.holds_for(job)) {
            if !lane.is_empty() {
                lane.push(AND);
            }
            lane.push_str(&bucket(&rule.name, &rule.by, &rule.key_of(job)));
        }
        if lane.is_empty() {
            return None;
        }
        if let Some(tenant) = job.tenant {
            lane.push_str(FOR);
            lane.push_str(tenant);
        }
        Some(lane.into())
    }
}

impl Rule {
    fn holds_for(&self, job: Subject<'_>) -> bool {
        let named = |pattern: &String| match pattern.strip_suffix('*') {
            Some(family) => job.kind.starts_with(family),
            None => pattern == job.kind,
        };
        (self.kinds.is_empty() || self.kinds.iter().any(named))
            && (self.queues.is_empty() || self.queues.iter().any(|queue| queue == job.queue))
    }

    /// Jobs without the key share a bucket, whose key is empty: a limit that a missing argument would lift is none.
    fn key_of(&self, job: Subject<'_>) -> String {
        match &self.by {
            By::All => String::new(),
            By::Queue => job.queue.to_owned(),
            By::Kind => job.kind.to_owned(),
            By::Tenant => job.tenant.unwrap_or_default().to_owned(),
            By::Args(path) => {
                let key = key_at(job.args, path);
                match job.encrypted && !key.is_empty() {
                    true => hashed(&key),
                    false => key,
                }
            }
        }
    }
}

/// Only what PostgreSQL writes with the same letters: a fraction has several ways to be written.
fn key_at(args: &Value, path: &[String]) -> String {
    let found = path.iter().try_fold(args, |value, part| value.as_object()?.get(part));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => yes.to_string(),
        Some(Value::Number(number))
            if number.as_i64().is_some_and(|n| n.unsigned_abs() < LEAST_TOO_LARGE) =>
        {
            number.to_string()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
