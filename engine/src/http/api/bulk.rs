//! Bulk operations as things of their own: begun, looked at, cancelled. Each is a job of the kind `system.bulk`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jobkit::{JobId, NewJob};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::enqueue::{At, insert, marked};
use super::jobs::{self, Changed};
use crate::approvals::rules::Action as Approved;
use crate::audit::seen::Sight;
use crate::bulk::{self, BulkArgs, MOST_JOBS, Tally};
use crate::http::extract::{Body, Id, Object, moment_if_any};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::HowFar;
use crate::http::{Api, Shared, view};
use store::state::JobState;
use store::{ApprovalId, Change, Demand, JobBrief, JobDetail, JobFilter};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub action: Action,
    /// Which jobs; it has one condition at least.
    #[schema(value_type = Conditions)]
    pub filter: Object<Conditions>,
    /// At most so many jobs, the newest; 1,000 when nothing is said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100000)]
    pub limit: Option<usize>,
    /// Only tell how many jobs are meant.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Retry,
    Cancel,
    Discard,
}

/// All must hold; of a list, any of its values, save of `tags`, of which the job has all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    #[schema(value_type = Vec<Uuid>)]
    pub ids: Vec<JobId>,
    #[schema(value_type = Vec<view::State>)]
    pub states: Vec<JobState>,
    pub kinds: Vec<String>,
    pub queues: Vec<String>,
    pub tenants: Vec<String>,
    pub tags: Vec<String>,
    /// Enqueued then or later.
    #[serde(deserialize_with = "moment_if_any")]
    pub created_from: Option<Timestamp>,
    /// Enqueued before; never later than now.
    #[serde(deserialize_with = "moment_if_any")]
    pub created_until: Option<Timestamp>,
    /// With this in the text of the last error, in capitals or not.
    pub error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// How many jobs would be changed; no more are counted than 10,000.
    pub matches: usize,
    /// There are more than were counted, or than the limit allows.
    pub more: bool,
    /// The newest of them.
    #[schema(value_type = Vec<Uuid>)]
    pub sample: Vec<JobId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BulkOperation {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    pub action: Action,
    pub filter: Conditions,
    pub limit: usize,
    /// Who asked.
    pub by: String,
    /// As of any job.
    #[schema(value_type = view::State)]
    pub state: JobState,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub progress: Option<HowFar>,
    pub result: Option<Came>,
    pub error: Option<String>,
    /// What people must approve before it begins, or did.
    #[schema(value_type = Option<Uuid>)]
    pub approval: Option<ApprovalId>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Came {
    pub changed: usize,
    /// Running jobs that were asked to stop.
    pub asked: usize,
    /// Jobs that could not take it any more when their turn came.
    pub refused: usize,
    /// The first of these.
    pub refusals: Vec<Refusal>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    pub why: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Begun {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    /// Where to look how far it is.
    pub href: String,
}

const DEFAULT_LIMIT: usize = 1_000;
const MOST_COUNTED: usize = 10_000;
const SAMPLE: usize = 20;

/// Retry, cancel or discard many jobs.
///
/// It is carried out by a worker; jobs that are enqueued after it are not meant. `dry_run` tells how many would be.
#[utoipa::path(post, path = "/v1/bulk-operations", tag = "bulk operations", security(("token" = ["jobs:control"])), request_body = Operation,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255)),
    responses(
        (status = 202, description = "It is begun.", body = Begun),
        (status = 200, description = "With `dry_run`: what would be done.", body = Preview),
        (status = 409, description = "It cannot be, or not now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn start(State(api): State<Shared>, headers: HeaderMap, body: Body<Operation>) -> Result<Response> {
    let door = At::new(&headers)?;
    let request = door.request("POST /v1/bulk-operations", &body.bytes)?;
    let Operation { action, filter: Object(filter), limit, dry_run } = body.value;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_JOBS).contains(&limit) {
        let detail = format!("/limit: {limit}; use 1 to {MOST_JOBS}");
        return Err(Problem::new(Code::InvalidBody, detail, "split it by created_from and created_until")
            .at("/limit"));
    }
    let filter = checked(filter, api.store.now().await?)?;
    if dry_run {
        return Ok(Json(preview(&api, &filter, action.into(), limit).await?).into_response());
    }
    let scope = api.scope();
    let tenant = scope.bound().map(str::to_owned);
    let (demand, filter, limit) = settled(&api, action.into(), filter, limit).await?;
    let args = BulkArgs { action: action.into(), filter, limit, by: api.actor().name, tenant };
    let job = NewJob::of::<bulk::Bulk>(&args).map_err(|_| Problem::internal())?;
    api.queue.freshen().await?;
    let mut rows = api.queue.internal(&scope, job).map_err(|error| Problem::of_job("", error))?;
    if let Some(demand) = demand {
        rows.iter_mut().for_each(|row| row.approval = Some(api.queue.asked(demand.clone())));
    }
    let (replayed, inserted) = insert(&api, request, &rows).await?;
    let Some(id) = inserted.first().map(|inserted| inserted.id) else { return Err(Problem::internal()) };
    let href = format!("/v1/bulk-operations/{id}");
    let location = HeaderValue::from_str(&href);
    let mut response = (StatusCode::ACCEPTED, Json(Begun { id, href })).into_response();
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    Ok(marked(response, replayed))
}

/// Where people must approve it for some kinds, the jobs are settled now, and the operation is of exactly these: what would
/// match later was shown to nobody, and may be of such a kind.
async fn settled(
    api: &Api,
    action: Change,
    filter: JobFilter,
    limit: usize,
) -> Result<(Option<Demand>, JobFilter, usize)> {
    let (rules, of) = (api.approvals.rules(), Approved::of(action));
    if !rules.names(of) {
        return Ok((None, filter, limit));
    }
    let jobs = match bulk::narrowed(&filter, action) {
        None => Vec::new(),
        Some(filter) => matching(api, &filter, limit.min(MOST_SETTLED + 1)).await?,
    };
    if jobs.is_empty() {
        let detail = "no job matches that can take it now";
        return Err(Problem::new(Code::Refused, detail, "look at the jobs; others may have been quicker"));
    }
    if jobs.len() > MOST_SETTLED {
        let detail =
            format!("/limit: more than {MOST_SETTLED} jobs match, and people approve what is written out");
        return Err(Problem::new(Code::InvalidBody, detail, "split it by created_from and created_until")
            .at("/limit"));
    }
    let kinds: Vec<_> = jobs.iter().map(|job| job.kind.clone()).collect();
    let filter = JobFilter { ids: jobs.iter().map(|job| job.id).collect(), ..JobFilter::default() };
    Ok((rules.demand(of, &kinds), filter, jobs.len()))
}

/// Their ids stand in the arguments, which are bounded.
const MOST_SETTLED: usize = 10_000;

async fn matching(api: &Api, filter: &JobFilter, most: usize) -> Result<Vec<JobBrief>> {
    let (mut found, mut before) = (Vec::new(), None);
    while found.len() < most {
        let wanted = (most - found.len()).min(1_000);
        let filter = JobFilter { before, limit: Some(wanted), ..filter.clone() };
        let page = api.store.briefs(&api.scope(), &filter).await?;
        let last = page.len() < wanted;
        before = page.last().map(|job| job.id);
        found.extend(page);
        if last {
            break;
        }
    }
    Ok(found)
}

/// Bounded in time, so that what is meant does not grow while it waits for its turn.
fn checked(conditions: Conditions, now: Timestamp) -> Result<JobFilter> {
    if conditions == Conditions::default() {
        let detail = "/filter: has no condition, and would mean every job there is";
        return Err(Problem::new(
            Code::InvalidBody,
            detail,
            "name one condition at least, such as \"kinds\"",
        )
        .at("/filter"));
    }
    let texts = [
        ("kinds", &conditions.kinds),
        ("queues", &conditions.queues),
        ("tenants", &conditions.tenants),
        ("tags", &conditions.tags),
    ];
    let bad = |text: &String| text.is_empty() || text.contains('\0');
    let field = texts.iter().find(|(_, values)| values.iter().any(bad)).map(|(field, _)| *field);
    let field = field.or(conditions.error.as_ref().is_some_and(bad).then_some("error"));
    if let Some(field) = field {
        let detail = format!("/filter/{field}: a text must have a letter in it, and no NUL");
        return Err(
            Problem::new(Code::InvalidBody, detail, "correct or remove it").at(format!("/filter/{field}"))
        );
    }
    Ok(JobFilter {
        ids: conditions.ids,
        states: conditions.states,
        kinds: conditions.kinds,
        queues: conditions.queues,
        tenants: conditions.tenants,
        tags: conditions.tags,
        created_from: conditions.created_from,
        created_until: Some(conditions.created_until.map_or(now, |until| until.min(now))),
        error: conditions.error,
        before: None,
        limit: None,
    })
}

async fn preview(api: &Api, filter: &JobFilter, action: Change, limit: usize) -> Result<Preview> {
    let Some(filter) = bulk::narrowed(filter, action) else {
        return Ok(Preview { matches: 0, more: false, sample: Vec::new() });
    };
    let most = limit.min(MOST_COUNTED);
    let (mut matches, mut before, mut sample) = (0, None, Vec::new());
    // One more than is meant, to know whether there are more.
    while matches <= most {
        let wanted = (most + 1 - matches).min(1_000);
        let filter = JobFilter { before, limit: Some(wanted), ..filter.clone() };
        let page = api.store.briefs(&api.scope(), &filter).await?;
        matches += page.len();
        before = page.last().map(|job| job.id);
        sample.extend(page.iter().map(|job| job.id).take(SAMPLE.saturating_sub(sample.len())));
        if page.len() < wanted {
            break;
        }
    }
    // The one beyond what is meant is none of them.
    sample.truncate(most);
    Ok(Preview { matches: matches.min(most), more: matches > most, sample })
}

/// How far a bulk operation is, or what came of it.
#[utoipa::path(get, path = "/v1/bulk-operations/{id}", tag = "bulk operations", security(("token" = ["jobs:read"])),
    params(("id" = Uuid, Path, description = "The bulk operation.")),
    responses(
        (status = 200, description = "The bulk operation.", body = BulkOperation),
        (status = 404, description = "There is none of this id.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<BulkOperation>> {
    let detail = find(&api, id).await?;
    api.shows(&[Sight::job_in_full(&detail)]).await?;
    let approval = api.store.approval_of(&api.scope(), id).await?.map(|approval| approval.id);
    let operation = told(detail).ok_or_else(|| unknown(id))?;
    Ok(Json(BulkOperation { approval, ..operation }))
}

async fn find(api: &Api, id: JobId) -> Result<JobDetail> {
    let found = api.queue.job(&api.scope(), id).await?;
    found.filter(|detail| detail.job.kind == bulk::KIND).ok_or_else(|| unknown(id))
}

fn unknown(id: JobId) -> Problem {
    Problem::not_found(format!("bulk operation {id} is not known")).at("id")
}

/// None when the arguments are no bulk operation's: somebody wrote them past the door.
fn told(detail: JobDetail) -> Option<BulkOperation> {
    let JobDetail { job, progress, .. } = detail;
    let args: BulkArgs = serde_json::from_str(&job.args).ok()?;
    let tally = job.result.as_deref().and_then(|text| serde_json::from_str::<Tally>(text).ok());
    let filter = args.filter;
    Some(BulkOperation {
        id: job.id,
        action: args.action.into(),
        filter: Conditions {
            ids: filter.ids,
            states: filter.states,
            kinds: filter.kinds,
            queues: filter.queues,
            tenants: filter.tenants,
            tags: filter.tags,
            created_from: filter.created_from,
            created_until: filter.created_until,
            error: filter.error,
        },
        limit: args.limit,
        by: args.by,
        state: job.state,
        created_at: job.created_at,
        finished_at: job.finished_at,
        progress: progress.map(HowFar::from),
        result: tally.map(Came::from),
        error: job.error,
        approval: None,
    })
}

/// Stop a bulk operation. What it has changed stays changed.
#[utoipa::path(post, path = "/v1/bulk-operations/{id}/cancel", tag = "bulk operations", security(("token" = ["jobs:control"])),
    params(
        ("id" = Uuid, Path, description = "The bulk operation."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
    ),
    responses(
        (status = 200, description = "It is cancelled.", body = Changed),
        (status = 202, description = "It runs, and was asked to stop.", body = Changed),
        (status = 404, description = "There is none of this id.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn cancel(State(api): State<Shared>, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    find(&api, id).await?;
    jobs::change(&api, id, Change::Cancel, &headers).await
}

impl From<Action> for Change {
    fn from(action: Action) -> Self {
        match action {
            Action::Retry => Change::Retry,
            Action::Cancel => Change::Cancel,
            Action::Discard => Change::Discard,
        }
    }
}

impl From<Change> for Action {
    fn from(change: Change) -> Self {
        match change {
            Change::Retry => Action::Retry,
            Change::Cancel => Action::Cancel,
            Change::Discard => Action::Discard,
        }
    }
}

impl From<Tally> for Came {
    fn from(Tally { changed, asked, refused, refusals }: Tally) -> Self {
        let refusals = refusals.into_iter().map(|(id, why)| Refusal { id, why }).collect();
        Self { changed, asked, refused, refusals }
    }
}
