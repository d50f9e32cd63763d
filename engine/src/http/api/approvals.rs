//! Approvals: what waits for people, exactly what would be done, and their word on it. Whoever may read may call these
//! routes; what somebody must have to vote, the approval itself says.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::approvals::ApprovalError;
use crate::approvals::rules::Action;
use crate::audit::seen::Sight;
use crate::http::extract::{Body, Parameters, path, uuid};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::approvals::{Approval, ApprovalInFull};
use crate::http::{Api, Shared, access, guard, session};
use crate::identity::Permission;
use crate::identity::principal::{Need, may};
use store::approvals::judge::VoteRefusal;
use store::approvals::{ApprovalFilter, ApprovalRow, ApprovalState, NewVote, Verdict};
use store::{Actor, ApprovalId, DEFAULT_PAGE};

#[derive(Debug, Serialize, ToSchema)]
pub struct Approvals {
    /// Newest first.
    pub approvals: Vec<Approval>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    #[schema(value_type = Option<Uuid>)]
    pub next: Option<ApprovalId>,
}

const LONGEST_LIST: usize = 1_000;

/// List approvals, newest first.
#[utoipa::path(get, path = "/v1/approvals", tag = "approvals", security(("token" = ["approvals:read"])),
    params(
        ("state" = Option<Vec<String>>, Query, description = "In one of these states: pending, granted, refused, withdrawn, used or expired.", min_length = 1),
        ("action" = Option<Vec<String>>, Query, description = "For one of these actions.", min_length = 1),
        ("before" = Option<Uuid>, Query, description = "Asked for before this one: `next` of the page before."),
        ("limit" = Option<u16>, Query, description = "The newest so many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The approvals.", body = Approvals)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Approvals>> {
    let state = |text: &str| {
        text.parse::<ApprovalState>()
            .map_err(|_| "a state: pending, granted, refused, withdrawn, used or expired".to_owned())
    };
    let before = |text: &str| uuid(text).map(ApprovalId).ok_or_else(|| "the id of an approval".to_owned());
    let filter = ApprovalFilter {
        states: given.all("state", state)?,
        actions: given.texts("action")?,
        before: given.one("before", before)?,
        limit: given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE),
    };
    let found = api.approvals.list(&api.scope(), &filter).await?;
    let next = found.last().filter(|_| found.len() == filter.limit).map(|last| last.id);
    Ok(Json(Approvals { approvals: found.iter().map(Approval::from).collect(), next }))
}

/// The id of an approval, from the path.
pub struct Id(ApprovalId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        approval_id(&id).map(Id).ok_or_else(|| {
            let remedy = "GET /v1/approvals lists the ids there are";
            Problem::new(Code::InvalidParameter, "id: this is no id of an approval", remedy).at("id")
        })
    }
}

fn approval_id(text: &str) -> Option<ApprovalId> {
    uuid(text).map(ApprovalId)
}

/// The approval that a request is sent with.
pub fn given(headers: &HeaderMap) -> Result<Option<ApprovalId>> {
    let Some(value) = headers.get("Approval") else { return Ok(None) };
    let id = value.to_str().ok().and_then(approval_id);
    id.map(Some).ok_or_else(|| {
        let detail = "Approval: this is no id of an approval";
        Problem::new(Code::InvalidHeader, detail, "send the id that the refusal named").at("Approval")
    })
}

/// Who does this now, by leave of an approval where one is needed.
pub async fn leave(api: &Api, action: Action, what: Value, headers: &HeaderMap) -> Result<Actor> {
    let (scope, by) = (api.scope(), api.actor());
    Ok(api.approvals.leave(&scope, action, what, &by, given(headers)?).await?)
}

/// From where somebody calls who may need an administrative permission.
pub struct Whence(IpAddr);

impl FromRequestParts<Shared> for Whence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        Ok(Self(session::address(&parts.headers, &parts.extensions, &api.proxies)))
    }
}

/// What would be done, by whom, and who has said what.
#[utoipa::path(get, path = "/v1/approvals/{id}", tag = "approvals", security(("token" = ["approvals:read"])),
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "The approval.", body = ApprovalInFull),
        (status = 404, description = "There is no such approval.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<ApprovalInFull>> {
    let approval = api.approvals.show(&api.scope(), id).await?;
    let readable = guard::principal().permissions.has(Permission::JobsRead);
    let args = readable.then(|| api.approvals.opened(&approval)).flatten();
    api.shows(&[Sight::approval(&approval)]).await?;
    Ok(Json(ApprovalInFull::of(&approval, args)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The hash of what was shown.
    #[schema(min_length = 64, max_length = 64)]
    sha256: String,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// Why; whoever asked is told.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// Approve it, exactly as it was shown.
///
/// A person who did not ask for it does, once. With the last of those that are wanted a job goes on, and anything else may
/// be done by whoever asked for it.
#[utoipa::path(post, path = "/v1/approvals/{id}/grant", tag = "approvals", security(("token" = ["approvals:read"])), request_body = Grant,
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "As it is now.", body = Approval),
        (status = 404, description = "There is no such approval.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over, or something else than was shown.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn grant(
    State(api): State<Shared>,
    Id(id): Id,
    Whence(from): Whence,
    body: Body<Grant>,
) -> Result<Json<Approval>> {
    let Grant { sha256, reason } = body.value;
    let vote = NewVote { approval: id, verdict: Verdict::Grant, sha256: Some(sha256), reason };
    cast(&api, vote, from).await
}

/// Refuse it. A job that waits for it is cancelled.
#[utoipa::path(post, path = "/v1/approvals/{id}/refuse", tag = "approvals", security(("token" = ["approvals:read"])), request_body = Why,
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "As it is now.", body = Approval),
        (status = 404, description = "There is no such approval.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn refuse(
    State(api): State<Shared>,
    Id(id): Id,
    Whence(from): Whence,
    body: Body<Why>,
) -> Result<Json<Approval>> {
    let reason = Some(body.value.reason);
    cast(&api, NewVote { approval: id, verdict: Verdict::Refuse, sha256: None, reason }, from).await
}

async fn cast(api: &Api, vote: NewVote, from: IpAddr) -> Result<Json<Approval>> {
    let approval = api.approvals.show(&api.scope(), vote.approval).await?;
    may_give(api, &approval, from)?;
    let now = api.approvals.vote(&api.scope(), vote, &api.actor()).await?;
    Ok(Json(Approval::from(&now)))
}

fn may_give(api: &Api, approval: &ApprovalRow, from: IpAddr) -> Result<()> {
    let Ok(permission) = approval.permission.parse::<Permission>() else {
        let detail = format!("it asks for the permission {}, which nobody has here", approval.permission);
        return Err(Problem::new(Code::Forbidden, detail, "ask a process of the version that wrote it"));
    };
    may(&guard::principal(), Need::Permission(permission), from, &api.admin_networks).map_err(access::refused)
}

/// Take it back before it is used. Whoever asked may, and whoever could give it. A job that waits for it is cancelled.
#[utoipa::path(post, path = "/v1/approvals/{id}/withdraw", tag = "approvals", security(("token" = ["approvals:read"])), request_body = Why,
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "As it is now.", body = Approval),
        (status = 404, description = "There is no such approval.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn withdraw(
    State(api): State<Shared>,
    Id(id): Id,
    Whence(from): Whence,
    body: Body<Why>,
) -> Result<Json<Approval>> {
    let (scope, by) = (api.scope(), api.actor());
    let approval = api.approvals.show(&scope, id).await?;
    let may_give = may_give(&api, &approval, from).is_ok();
    let now = api.approvals.withdraw(&scope, id, &body.value.reason, &by, may_give).await?;
    Ok(Json(Approval::from(&now)))
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        let told = store::chain(&error);
        match error {
            ApprovalError::Store(error) => error.into(),
            ApprovalError::Random(error) => error.into(),
            ApprovalError::Required(approval) => {
                let remedy = "when it is granted, send the same request with the header Approval";
                Self::new(Code::ApprovalRequired, told, remedy).approval(approval.id)
            }
            ApprovalError::Unfit { .. } | ApprovalError::Outgrown(_) => {
                let remedy = "send exactly what was approved, or ask anew without the header Approval";
                Self::new(Code::ApprovalUnusable, told, remedy).at("Approval")
            }
            ApprovalError::Unknown(_) => {
                Self::new(Code::NotFound, told, "GET /v1/approvals lists those there are").at("id")
            }
            ApprovalError::Invalid { field, .. } => {
                let remedy = format!("correct {field}; nothing was changed");
                Self::new(Code::InvalidBody, told, remedy).at(format!("/{field}"))
            }
            ApprovalError::Vote(refusal) => Self::of_vote(&refusal),
        }
    }
}

impl Problem {
    fn of_vote(refusal: &VoteRefusal) -> Self {
        let told = refusal.to_string();
        match refusal {
            VoteRefusal::Over(_) | VoteRefusal::Expired(_) => {
                Self::new(Code::ApprovalOver, told, "look at it; whoever asked may ask anew")
            }
            VoteRefusal::Author
            | VoteRefusal::Subject
            | VoteRefusal::Maker(_)
            | VoteRefusal::NoPerson(_)
            | VoteRefusal::VotedAlready
            | VoteRefusal::NotYours => Self::new(Code::VoteRefused, told, "ask somebody else to look at it"),
            VoteRefusal::OtherHash(_) => {
                Self::new(Code::HashDiffers, told, "look at it again, and name the hash that is shown")
                    .at("/sha256")
            }
            VoteRefusal::Changed => {
                let remedy = "refuse it, and find out who wrote to the database; the audit log has an entry";
                Self::new(Code::HashDiffers, told, remedy)
            }
        }
    }
}
