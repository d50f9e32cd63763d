//! Limits: how much of each is used, pause and resume; and which circuit breakers have seen failures.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::leave;
use super::queues::checked;
use crate::approvals::rules::Action;
use crate::http::Shared;
use crate::http::extract::{Body, Parameters, Text, moment};
use crate::http::problem::{Code, Problem, Result};
use crate::limits::usage::{self, LimitError, LimitUsage, Named};
use store::rule::Rule;
use store::{BreakerRow, BucketRow, DEFAULT_PAGE};

/// What is counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    Jobs,
    Calls,
}

/// What is limited, and by how much.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limit {
    /// As in `[limits.NAME]`; one on calls, `[calls.NAME]`, begins with `@`.
    pub name: String,
    pub of: Of,
    /// Of jobs of these kinds, or all.
    pub kinds: Vec<String>,
    /// In these queues, or all.
    pub queues: Vec<String>,
    /// What has a bucket of its own: `all`, `queue`, `kind`, `tenant`, or a path into the arguments; of calls `key`, what the
    /// jobs say.
    pub by: String,
    pub rate: Option<Rate>,
    /// So many at once in a bucket.
    pub concurrency: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Rate {
    /// Such as `50/s`.
    pub pace: String,
    /// So many at once after a rest.
    pub burst: u32,
}

impl From<store::rule::Rate> for Rate {
    fn from(rate: store::rule::Rate) -> Self {
        Self { pace: rate.pace.to_string(), burst: rate.burst }
    }
}

impl From<usage::Limit> for Limit {
    fn from(limit: usage::Limit) -> Self {
        match limit {
            usage::Limit::Jobs(Rule { name, kinds, queues, by, rate, concurrency }) => {
                let (by, rate) = (by.to_string(), rate.map(Rate::from));
                Self { name, of: Of::Jobs, kinds, queues, by, rate, concurrency }
            }
            usage::Limit::Calls { name, rate } => Self {
                name,
                of: Of::Calls,
                kinds: Vec::new(),
                queues: Vec::new(),
                by: "key".into(),
                rate: Some(rate.into()),
                concurrency: None,
            },
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LimitInUse {
    #[serde(flatten)]
    pub limit: Limit,
    /// How many of its buckets are in use.
    pub in_use: usize,
    pub running: u64,
    /// Jobs that are due and have not begun.
    pub waiting: u64,
    /// How many of its buckets are paused.
    pub paused: usize,
}

impl From<LimitUsage> for LimitInUse {
    fn from(LimitUsage { limit, buckets }: LimitUsage) -> Self {
        Self {
            limit: limit.into(),
            in_use: buckets.len(),
            running: buckets.iter().map(|bucket| bucket.running).sum(),
            waiting: buckets.iter().map(|bucket| bucket.waiting).sum(),
            paused: buckets.iter().filter(|bucket| bucket.paused_until.is_some()).count(),
        }
    }
}

/// One that is open lets no call through until its time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breaker {
    pub name: String,
    pub failures: u32,
    /// One that has cooled down is open until somebody has tried.
    pub open_until: Option<Timestamp>,
}

impl From<BreakerRow> for Breaker {
    fn from(BreakerRow { name, failures, open_until }: BreakerRow) -> Self {
        Self { name, failures, open_until }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    /// Those on jobs by name, then those on calls.
    pub limits: Vec<LimitInUse>,
    /// Those that have seen a failure since the last answer, by name.
    pub breakers: Vec<Breaker>,
}

/// List limits and how much of each is used, and circuit breakers that have seen failures.
#[utoipa::path(get, path = "/v1/limits", tag = "limits", security(("token" = ["limits:read"])),
    responses((status = 200, description = "The limits and breakers.", body = Limits)))]
pub async fn list(State(api): State<Shared>) -> Result<Json<Limits>> {
    let overview = api.usage.overview().await?;
    Ok(Json(Limits {
        limits: overview.limits.into_iter().map(LimitInUse::from).collect(),
        breakers: overview.breakers.into_iter().map(Breaker::from).collect(),
    }))
}

/// What one key has used of a limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bucket {
    pub bucket: String,
    /// When the next may start if they come evenly.
    pub next_start: Option<Timestamp>,
    pub paused_until: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    pub running: u64,
    /// Jobs that are due and have not begun.
    pub waiting: u64,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        let BucketRow { bucket, next_start, paused_until, paused_by, reason, running, waiting } = row;
        Self { bucket, next_start, paused_until, paused_by, reason, running, waiting }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LimitInFull {
    #[serde(flatten)]
    pub limit: LimitInUse,
    /// Those in use, by name.
    pub buckets: Vec<Bucket>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_PAGE: usize = 1_000;

/// One limit with its buckets, one for each key in use.
#[utoipa::path(get, path = "/v1/limits/{name}", tag = "limits", security(("token" = ["limits:read"])),
    params(
        ("name" = String, Path, description = "The limit, as in `[limits.NAME]`; `@NAME` as in `[calls.NAME]`.", min_length = 1),
        ("after" = Option<String>, Query, description = "Behind this bucket: `next` of the page before.", min_length = 1),
        ("limit" = Option<u16>, Query, description = "How many buckets at once; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "The limit.", body = LimitInFull),
        (status = 404, description = "There is no such limit.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(
    State(api): State<Shared>,
    Text(name): Text,
    given: Parameters,
) -> Result<Json<LimitInFull>> {
    let after = given.texts("after")?.pop();
    let most = given.limit(LONGEST_PAGE)?.unwrap_or(DEFAULT_PAGE);
    let Named::Limit(mut usage) = api.usage.show(&name).await? else {
        let remedy = "GET /v1/limits shows the breakers there are";
        return Err(Problem::new(Code::NotFound, "this is the name of a breaker", remedy).at("name"));
    };
    let limit = LimitInUse::from(usage.clone());
    usage.buckets.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    usage.buckets.retain(|bucket| after.as_ref().is_none_or(|after| bucket.bucket > *after));
    let more = usage.buckets.len() > most;
    usage.buckets.truncate(most);
    let next = usage.buckets.last().filter(|_| more).map(|bucket| bucket.bucket.clone());
    Ok(Json(LimitInFull { limit, buckets: usage.buckets.into_iter().map(Bucket::from).collect(), next }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseLimit {
    /// Until then.
    #[serde(deserialize_with = "moment")]
    pub until: Timestamp,
    /// Why; shown with the bucket and kept in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// Which of its buckets, where it has one for each key.
    #[serde(default)]
    pub key: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeLimit {
    /// Which of its buckets, where it has one for each key.
    #[serde(default)]
    pub key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PausedBucket {
    pub bucket: String,
    pub paused_until: Option<Timestamp>,
}

/// Let nothing start under a limit, or call, until a time, everywhere; running jobs go on.
#[utoipa::path(post, path = "/v1/limits/{name}/pause", tag = "limits", security(("token" = ["limits:control"])), request_body = PauseLimit,
    params(
        ("name" = String, Path, description = "The limit, as in `[limits.NAME]`; `@NAME` as in `[calls.NAME]`.", min_length = 1),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is paused.", body = PausedBucket),
        (status = 409, description = "Others must approve it first.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such limit.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn pause(
    State(api): State<Shared>,
    Text(name): Text,
    headers: HeaderMap,
    body: Body<PauseLimit>,
) -> Result<Json<PausedBucket>> {
    let PauseLimit { until, reason, key } = body.value;
    let reason = checked(reason)?;
    let what = usage::pausing(&name, key.as_deref(), until, &reason);
    let by = leave(&api, Action::LimitsPause, what, &headers).await?;
    let bucket = api.usage.pause(&name, key.as_deref(), until, &by, &reason).await?;
    Ok(Json(PausedBucket { bucket, paused_until: Some(until) }))
}

/// Let jobs start again.
#[utoipa::path(post, path = "/v1/limits/{name}/resume", tag = "limits", security(("token" = ["limits:control"])), request_body = ResumeLimit,
    params(
        ("name" = String, Path, description = "The limit, as in `[limits.NAME]`; `@NAME` as in `[calls.NAME]`.", min_length = 1),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is not paused.", body = PausedBucket),
        (status = 409, description = "Others must approve it first.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such limit.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn resume(
    State(api): State<Shared>,
    Text(name): Text,
    headers: HeaderMap,
    body: Body<ResumeLimit>,
) -> Result<Json<PausedBucket>> {
    let key = body.value.key.as_deref();
    let what = usage::resuming(&name, key);
    let by = leave(&api, Action::LimitsResume, what, &headers).await?;
    let bucket = api.usage.resume(&name, key, &by).await?;
    Ok(Json(PausedBucket { bucket, paused_until: None }))
}

impl From<LimitError> for Problem {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Store(error) => error.into(),
            LimitError::Unknown { .. } => {
                Self::new(Code::NotFound, error.to_string(), "GET /v1/limits lists those there are")
                    .at("name")
            }
            LimitError::Invalid { field, .. } => {
                let remedy = format!("correct {field}; nothing was changed");
                Self::new(Code::InvalidBody, error.to_string(), remedy).at(format!("/{field}"))
            }
        }
    }
}
