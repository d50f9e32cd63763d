//! A job that somebody wants to exist: what `enqueue` takes, from Rust, the CLI, HTTP and SQL alike.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Job, JobId, RawJson, Unique};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    pub kind: String,
    #[serde(default = "RawJson::empty_object")]
    pub args: RawJson,
    #[serde(default)]
    pub queue: Option<String>,
    #[serde(default)]
    pub priority: Option<u8>,
    #[serde(default)]
    pub max_attempts: Option<u16>,
    #[serde(default)]
    pub when: When,
    /// Names the thing the job is about; two jobs of one kind with one key are not alive at once.
    #[serde(default)]
    pub unique_key: Option<String>,
    #[serde(default)]
    pub unique: Option<Unique>,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub metadata: Option<Value>,
    /// The job waits until all of these have ended.
    #[serde(default)]
    pub after: Vec<JobId>,
    #[serde(default)]
    pub on_parent_failure: OnParentFailure,
    /// Jobs that wait for this one and run when it has completed; they are cancelled when it does not.
    #[serde(default)]
    pub on_success: Vec<NewJob>,
    /// Jobs that wait for this one and run when it was discarded or cancelled; they are cancelled when it completes.
    #[serde(default)]
    pub on_failure: Vec<NewJob>,
    /// Whom to tell when it has ended.
    #[serde(default)]
    pub callback: Option<Callback>,
}

/// A program that hears of the job's end by a signed webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    pub url: String,
    /// Of which endings; empty means all.
    #[serde(default)]
    pub events: Vec<CallbackEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackEvent {
    Completed,
    Cancelled,
    Discarded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    Now,
    At(Timestamp),
    After(Duration),
}

/// What becomes of a job when one that it waits for is discarded or cancelled, which is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnParentFailure {
    /// It is cancelled too, and so are those that wait for it.
    #[default]
    Cancel,
    /// It runs all the same; it can look at how its parents ended.
    Run,
    /// It runs only then: one that completes cancels it.
    Only,
}

impl NewJob {
    /// Of a kind known to the compiler.
    pub fn of<J: Job>(args: &J::Args) -> Result<Self, serde_json::Error> {
        let args = serde_json::to_value(args)?;
        // What takes no arguments, such as `()`, is written as null, and every door asks for an object.
        let args = if args.is_null() { RawJson::empty_object() } else { args.into() };
        Ok(Self::new(J::KIND, args))
    }

    pub fn new(kind: impl Into<String>, args: impl Into<RawJson>) -> Self {
        Self {
            kind: kind.into(),
            args: args.into(),
            queue: None,
            priority: None,
            max_attempts: None,
            when: When::Now,
            unique_key: None,
            unique: None,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            after: Vec::new(),
            on_parent_failure: OnParentFailure::Cancel,
            on_success: Vec::new(),
            on_failure: Vec::new(),
            callback: None,
        }
    }

    /// Tells this address, however the job ends.
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(Callback { url: url.into(), events: Vec::new() });
        self
    }

    pub fn after(mut self, parents: impl IntoIterator<Item = JobId>) -> Self {
        self.after.extend(parents);
        self
    }

    pub fn on_success(mut self, next: NewJob) -> Self {
        self.on_success.push(next);
        self
    }

    pub fn on_failure(mut self, next: NewJob) -> Self {
        self.on_failure.push(next);
        self
    }

    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}
