//! Alerts: what is the matter, who was told, who has seen it, and whether a route works.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use jiff::Timestamp;
use jobkit::JobId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::alerts::RULES;
use crate::alerts::courier::CarryError;
use crate::http::Shared;
use crate::http::extract::{Parameters, Text, path, uuid};
use crate::http::problem::{Code, Problem, Result};
use store::{
    AlertDetail, AlertFilter, AlertId, AlertRow, DEFAULT_PAGE, DeliveryRow, Nature, Severity, chain,
};

/// One thing that is or was the matter.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alert {
    #[schema(value_type = Uuid)]
    pub id: AlertId,
    /// What it is about, beginning with the rule: `job.discarded/journal.score_ledger`. One is open at a time.
    pub key: String,
    pub rule: String,
    /// `event`, which is over as it happens, or `condition`, which holds until it has ended.
    #[schema(value_type = String)]
    pub nature: Nature,
    /// `info`, `warning` or `critical`.
    #[schema(value_type = String)]
    pub severity: Severity,
    pub kind: Option<String>,
    pub queue: Option<String>,
    pub text: String,
    /// How many things happened.
    pub count: u64,
    /// The first few jobs that it is about.
    #[schema(value_type = Vec<Uuid>)]
    pub jobs: Vec<JobId>,
    #[schema(value_type = Value)]
    pub details: Option<Value>,
    pub opened_at: Timestamp,
    pub last_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub acked_at: Option<Timestamp>,
    pub acked_by: Option<String>,
    /// How often people were told of it, and of how many things.
    pub tellings: u32,
    pub told_count: u64,
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: row.id,
            key: row.key,
            rule: row.rule,
            nature: row.nature,
            severity: row.severity,
            kind: row.kind,
            queue: row.queue,
            text: row.text,
            count: row.count,
            jobs: row.jobs,
            details: row.details,
            opened_at: row.opened_at,
            last_at: row.last_at,
            closed_at: row.closed_at,
            acked_at: row.acked_at,
            acked_by: row.acked_by,
            tellings: row.tellings,
            told_count: row.told_count,
        }
    }
}

/// One message by one route.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sending {
    pub telling: u32,
    pub route: String,
    pub state: String,
    pub attempts: u32,
    pub due_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub error: Option<String>,
}

impl From<DeliveryRow> for Sending {
    fn from(row: DeliveryRow) -> Self {
        let DeliveryRow { telling, route, state, attempts, due_at, ended_at, error } = row;
        Self { telling, route, state, attempts, due_at, ended_at, error }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AlertInFull {
    pub alert: Alert,
    /// What was sent of it, or is to be.
    pub deliveries: Vec<Sending>,
}

impl From<AlertDetail> for AlertInFull {
    fn from(AlertDetail { alert, deliveries }: AlertDetail) -> Self {
        Self { alert: alert.into(), deliveries: deliveries.into_iter().map(Sending::from).collect() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Alerts {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List alerts, newest first.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", security(("token" = ["alerts:read"])),
    params(
        ("closed" = Option<bool>, Query, description = "Closed ones too."),
        ("rule" = Option<Vec<String>>, Query, description = "Of one of these rules, such as `job.discarded`."),
        ("before" = Option<String>, Query, description = "Behind this place in the list: `next` of the page before.", pattern = "^[0-9]{1,17}-[0-9a-f-]{36}$"),
        ("limit" = Option<u16>, Query, description = "The newest so many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The alerts.", body = Alerts)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Alerts>> {
    let closed = given.one("closed", |text| text.parse::<bool>().map_err(|_| "true or false".into()))?;
    let limit = given.limit(LONGEST_LIST)?;
    let before = given
        .one("before", |text| place(text).ok_or_else(|| "what the page before said as `next`".to_owned()))?;
    let rules = given.all("rule", |text| match RULES.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("one of {}", RULES.join(", "))),
    })?;
    let filter = AlertFilter { open: !closed.unwrap_or(false), rules, before, limit };
    let alerts = api.desk.list(&filter).await?;
    let more = alerts.len() == limit.unwrap_or(DEFAULT_PAGE);
    let next = alerts.last().filter(|_| more);
    let next = next.map(|last| format!("{}-{}", last.opened_at.as_microsecond(), last.id));
    Ok(Json(Alerts { alerts: alerts.into_iter().map(Alert::from).collect(), next }))
}

/// A place in the list: when an alert was opened, in microseconds, and its id.
fn place(text: &str) -> Option<(Timestamp, AlertId)> {
    let (at, id) = text.split_once('-')?;
    let at: i64 = at.parse().ok().filter(|at| *at >= 0)?;
    Some((Timestamp::from_microsecond(at).ok()?, AlertId(uuid(id)?)))
}

/// The id of an alert, from the path.
pub struct Id(AlertId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        match uuid(&id) {
            Some(id) => Ok(Self(AlertId(id))),
            None => {
                let remedy = "GET /v1/alerts lists the ids there are";
                Err(Problem::new(Code::InvalidParameter, "id: this is no id of an alert", remedy).at("id"))
            }
        }
    }
}

fn unknown(id: AlertId) -> Problem {
    let remedy = "GET /v1/alerts?closed=true lists those there are";
    Problem::new(Code::NotFound, format!("alert {id} is not known"), remedy).at("id")
}

/// One alert, and what was sent of it.
#[utoipa::path(get, path = "/v1/alerts/{id}", tag = "alerts", security(("token" = ["alerts:read"])), params(("id" = Uuid, Path, description = "The alert.")),
    responses(
        (status = 200, description = "The alert.", body = AlertInFull),
        (status = 404, description = "There is no such alert.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<AlertInFull>> {
    let detail = api.desk.show(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Json(detail.into()))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Acknowledged {
    #[schema(value_type = Uuid)]
    pub alert: AlertId,
    /// False when it was closed or acknowledged already.
    pub acknowledged: bool,
}

/// Say that somebody has seen it.
///
/// An event is closed by that; a condition is told again only when it has ended.
#[utoipa::path(post, path = "/v1/alerts/{id}/acknowledge", tag = "alerts", security(("token" = ["alerts:control"])), params(("id" = Uuid, Path, description = "The alert.")),
    responses(
        (status = 200, description = "It is acknowledged, or was closed.", body = Acknowledged),
        (status = 404, description = "There is no such alert.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn acknowledge(State(api): State<Shared>, Id(id): Id) -> Result<Json<Acknowledged>> {
    api.desk.show(id).await?.ok_or_else(|| unknown(id))?;
    let acknowledged = api.desk.ack(id, &api.actor()).await?;
    Ok(Json(Acknowledged { alert: id, acknowledged }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Sampled {
    pub route: String,
    /// The key of the message, as the receiver sees it.
    pub id: String,
}

/// Send a sample by a route of the configuration, at once.
#[utoipa::path(post, path = "/v1/alert-routes/{name}/test", tag = "alerts", security(("token" = ["alerts:control"])),
    params(("name" = String, Path, description = "The route, as in `[alerts.routes]`.", min_length = 1)),
    responses(
        (status = 200, description = "The mail server or the receiver took it.", body = Sampled),
        (status = 404, description = "There is no such route.", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The mail server or the receiver did not take it.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn test(State(api): State<Shared>, Text(route): Text) -> Result<Json<Sampled>> {
    let courier = api.courier.as_ref();
    let known = courier.map(|courier| courier.routes.keys().map(String::as_str).collect::<Vec<_>>());
    let known = known.unwrap_or_default();
    let Some(courier) = courier.filter(|_| known.contains(&route.as_str())) else {
        let remedy = match known.is_empty() {
            true => "add it to the configuration, below [alerts.routes]".to_owned(),
            false => format!("name one of: {}", known.join(", ")),
        };
        return Err(Problem::new(Code::NotFound, "there is no such route for alerts", remedy).at("name"));
    };
    match api.desk.test(courier, &route, &api.actor()).await {
        Ok(id) => Ok(Json(Sampled { route, id })),
        Err(CarryError::Unwritten(problem)) => Err(problem.into()),
        Err(problem) => {
            let remedy = "`compline doctor` looks at the mail server and the receivers without sending";
            Err(Problem::new(Code::NotCarried, chain(&problem), remedy).at("name"))
        }
    }
}
