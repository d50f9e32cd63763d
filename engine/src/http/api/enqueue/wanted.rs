//! A job as callers write it, with the jobs for its end, and what it comes to.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::{
    Callback, CallbackEvent, JobId, NewJob, OnConflict, OnParentFailure, Period, RawJson, Unique, When,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::bulk;
use crate::http::Api;
use crate::http::extract::{Object, moment_if_any};
use crate::http::problem::{Code, Problem, Result};
use crate::queue::MOST_METADATA_BYTES;
use crate::trace::Context;
use crate::units::parse_duration;

/// A job that somebody wants to exist.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What to do, such as `journal.score_ledger`; `GET /v1/kinds` lists them.
    pub kind: String,
    /// What the kind needs to know.
    #[serde(default = "RawJson::empty_object")]
    #[schema(value_type = Object)]
    pub args: RawJson,
    /// Another queue than the kind's own.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")]
    pub queue: Option<String>,
    /// From 1 (first) to 9 (last).
    #[serde(default)]
    #[schema(minimum = 1, maximum = 9)]
    pub priority: Option<u8>,
    /// How often it is tried before a person must decide.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub max_attempts: Option<u16>,
    /// Not before this time.
    #[serde(default, deserialize_with = "moment_if_any")]
    pub run_at: Option<Timestamp>,
    /// Not before this much time has gone by, such as `"5m"`. Not together with `run_at`.
    #[serde(default)]
    #[schema(pattern = "^([0-9]{1,4}(ms|s|m|h|d)){1,3}$")]
    pub delay: Option<String>,
    /// Names what the job is about: while a job of this kind and key is alive, its id is returned instead.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    pub unique_key: Option<String>,
    /// Another rule than the kind's own.
    #[serde(default)]
    #[schema(value_type = Option<UniqueRule>)]
    pub unique: Option<Object<UniqueRule>>,
    /// What to do when the key is held.
    #[serde(default)]
    pub on_conflict: Option<Conflict>,
    /// Whose job it is; tenants share the workers fairly.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    pub tenant: Option<String>,
    /// For finding it again.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub tags: Vec<String>,
    /// Anything worth keeping with the job. The trace context of the request is put in, as `traceparent`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Wait until these jobs have ended.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    pub after: Vec<JobId>,
    /// What becomes of this job when one that it waits for does not complete; `cancel` when nothing is said.
    #[serde(default)]
    pub on_parent_failure: Option<ParentFailure>,
    /// Jobs to run when this one has completed; with those for its failure, and for their own ends, 32 at most.
    #[serde(default)]
    #[schema(no_recursion, value_type = Vec<Wanted>, max_items = 32)]
    pub on_success: Vec<Object<Wanted>>,
    /// Jobs to run when this one was discarded or cancelled.
    #[serde(default)]
    #[schema(no_recursion, value_type = Vec<Wanted>, max_items = 32)]
    pub on_failure: Vec<Object<Wanted>>,
    /// Whom to tell how this job ended, by a signed webhook.
    #[serde(default)]
    #[schema(value_type = Option<CallWhenEnded>)]
    pub callback: Option<Object<CallWhenEnded>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallWhenEnded {
    /// One that `webhooks.allow` covers.
    pub url: String,
    /// Only when it ends so; however it ends when nothing is said.
    #[serde(default)]
    #[schema(max_items = 3)]
    pub events: Vec<Ending>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Completed,
    Cancelled,
    Discarded,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UniqueRule {
    /// The arguments are part of the key.
    #[serde(default)]
    pub by_args: bool,
    /// The key holds for the rest of the period even after the job ended.
    #[serde(default)]
    pub period: Option<Stretch>,
    /// Without a period: the key goes on holding after the job completed.
    #[serde(default)]
    pub after_completion: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    Minute,
    Hour,
    Day,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// Nothing changes; the answer has the id of the job that is there.
    ReturnExisting,
    /// The job that is there takes over the new arguments, time, priority, tags and metadata, unless it already runs.
    Replace,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParentFailure {
    Cancel,
    Run,
}

impl Wanted {
    /// The pointer leads from the body to the job; it is asked for only when something is wrong.
    pub fn job(self, api: &Api, trace: Option<&Context>, pointer: &dyn Fn() -> String) -> Result<NewJob> {
        let invalid = |field: &str, detail: String, remedy: &'static str| {
            Problem::new(Code::InvalidBody, format!("{field}: {detail}"), remedy)
                .at(format!("{}/{field}", pointer()))
        };
        if self.kind == bulk::KIND {
            let remedy = "use POST /v1/bulk-operations, which checks it and writes down who asked";
            return Err(invalid("kind", "a bulk operation has a route of its own".into(), remedy));
        }
        let delay = self.delay.as_deref().map(|text| match text.contains(char::is_whitespace) {
            true => Err(format!("`{text}` has a blank in it")),
            false => parse_duration(text),
        });
        let when = match (self.run_at, delay) {
            (Some(_), Some(_)) => {
                return Err(invalid("delay", "is given together with run_at".into(), "give one of them"));
            }
            (Some(at), None) => When::At(at),
            (None, Some(Ok(delay))) if delay <= Duration::ZERO => When::Now,
            (None, Some(Ok(delay))) => When::After(delay),
            (None, Some(Err(problem))) => {
                return Err(invalid(
                    "delay",
                    problem,
                    "write a duration such as \"500ms\", \"30s\", \"5m\" or \"7d\"",
                ));
            }
            (None, None) => When::Now,
        };
        let own = || api.registry.get(&self.kind).and_then(|kind| kind.policy.unique.clone());
        let unique = match (self.unique, self.on_conflict) {
            (None, None) => None,
            (rule, on_conflict) => {
                let rule = rule.map(|Object(rule)| Unique::from(rule)).or_else(own);
                let rule = rule.unwrap_or_else(Unique::by_key);
                let on_conflict = on_conflict.map_or(rule.on_conflict, OnConflict::from);
                Some(Unique { on_conflict, ..rule })
            }
        };
        let mut metadata = self.metadata;
        trace.into_iter().for_each(|trace| trace.put(&mut metadata, MOST_METADATA_BYTES));
        let on_success = followers(self.on_success, api, trace, &|| format!("{}/on_success", pointer()))?;
        let on_failure = followers(self.on_failure, api, trace, &|| format!("{}/on_failure", pointer()))?;
        Ok(NewJob {
            queue: self.queue,
            priority: self.priority,
            max_attempts: self.max_attempts,
            when,
            unique_key: self.unique_key,
            unique,
            tenant: self.tenant,
            tags: self.tags,
            metadata,
            after: self.after,
            on_parent_failure: self.on_parent_failure.map(OnParentFailure::from).unwrap_or_default(),
            on_success,
            on_failure,
            callback: self.callback.map(|Object(callback)| callback.into()),
            ..NewJob::new(self.kind, self.args)
        })
    }
}

fn followers(
    wanted: Vec<Object<Wanted>>,
    api: &Api,
    trace: Option<&Context>,
    field: &dyn Fn() -> String,
) -> Result<Vec<NewJob>> {
    let follower = |(index, Object(wanted)): (usize, Object<Wanted>)| {
        let pointer = || format!("{}/{index}", field());
        if wanted.on_parent_failure.is_some() {
            let field = format!("{}/on_parent_failure", pointer());
            let remedy = "leave it out; on_success and on_failure say when the job runs";
            let detail = format!("{field}: has no meaning for such a job");
            return Err(Problem::new(Code::InvalidBody, detail, remedy).at(field));
        }
        wanted.job(api, trace, &pointer)
    };
    wanted.into_iter().enumerate().map(follower).collect()
}

impl From<CallWhenEnded> for Callback {
    fn from(CallWhenEnded { url, events }: CallWhenEnded) -> Self {
        Self { url, events: events.into_iter().map(CallbackEvent::from).collect() }
    }
}

impl From<Ending> for CallbackEvent {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Completed => CallbackEvent::Completed,
            Ending::Cancelled => CallbackEvent::Cancelled,
            Ending::Discarded => CallbackEvent::Discarded,
        }
    }
}

impl From<UniqueRule> for Unique {
    fn from(UniqueRule { by_args, period, after_completion }: UniqueRule) -> Self {
        Self {
            by_args,
            period: period.map(Period::from),
            after_completion,
            on_conflict: OnConflict::default(),
        }
    }
}

impl From<Stretch> for Period {
    fn from(stretch: Stretch) -> Self {
        match stretch {
            Stretch::Minute => Period::Minute,
            Stretch::Hour => Period::Hour,
            Stretch::Day => Period::Day,
        }
    }
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::ReturnExisting => OnConflict::ReturnExisting,
            Conflict::Replace => OnConflict::Replace,
        }
    }
}

impl From<ParentFailure> for OnParentFailure {
    fn from(failure: ParentFailure) -> Self {
        match failure {
            ParentFailure::Cancel => OnParentFailure::Cancel,
            ParentFailure::Run => OnParentFailure::Run,
        }
    }
}
