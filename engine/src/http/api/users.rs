//! People who sign in, for whoever manages them: list, make, look at, disable, give a role, another password, another
//! chance. Whom somebody may manage [`crate::identity::above`] says.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jobkit::SecretString;
use jobkit::redact::Personal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::leave;
use super::auth::UserRole;
use crate::approvals::rules::Action;
use crate::audit::seen::Sight;
use crate::http::extract::{Body, Parameters, path, uuid};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::users::User;
use crate::http::{Api, Shared, guard};
use crate::identity::above::{Forbidden, may_change, may_give};
use crate::identity::users::{Given, Users as Management, giving_role, resetting};
use store::identities::{UserChange, UserRow, Whom};
use store::{DEFAULT_PAGE, Role, UserId};

#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    /// In the order in which they came.
    pub users: Vec<User>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List users, the first that came first.
#[utoipa::path(get, path = "/v1/users", tag = "users", security(("token" = ["users:manage"])),
    params(
        ("after" = Option<Uuid>, Query, description = "Behind this user: `next` of the page before."),
        ("limit" = Option<u16>, Query, description = "So many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The users.", body = Users)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Users>> {
    let after = given.one("after", |text| {
        uuid(text).map(UserId).ok_or_else(|| "what the page before said as `next`".to_owned())
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let users = manage(&api)?.list(after, limit).await?;
    let sights: Vec<_> = users.iter().map(|user| Sight::user(user.id, user.tenant.as_deref())).collect();
    api.shows(&sights).await?;
    let next = users.last().filter(|_| users.len() == limit).map(|last| last.id.to_string());
    Ok(Json(Users { users: users.iter().map(User::from).collect(), next }))
}

fn manage(api: &Api) -> Result<Management> {
    Ok(api.identity()?.users())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(value_type = UserRole)]
    role: Role,
    /// Left out: the whole installation.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    tenant: Option<String>,
    /// Not what somebody would guess. Whoever it is for changes it after the first sign-in.
    #[schema(min_length = 12, max_length = 256)]
    password: String,
}

/// Make a user.
///
/// Nobody gives a role that may do more than he may himself, and only an owner makes an owner.
#[utoipa::path(post, path = "/v1/users", tag = "users", security(("token" = ["users:manage"])), request_body = NewUser,
    params(
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 201, description = "It is made.", body = User),
        (status = 409, description = "Somebody has the address, or is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn create(State(api): State<Shared>, headers: HeaderMap, body: Body<NewUser>) -> Result<Response> {
    let NewUser { email, name, role, tenant, password } = body.value;
    let email = email.parse().map_err(|expected| {
        Problem::new(Code::InvalidBody, format!("email: this is not {expected}"), "correct it").at("/email")
    })?;
    may_give(&guard::principal(), role).map_err(forbidden)?;
    let password = SecretString::from(password);
    let given = Given { email, name: Personal::new(name), role, tenant, password };
    let users = manage(&api)?;
    let by = leave(&api, Action::UsersCreate, given.told(), &headers).await?;
    let user = users.create(given, &by).await?;
    Ok((StatusCode::CREATED, Json(User::from(&user))).into_response())
}

fn forbidden(why: Forbidden) -> Problem {
    Problem::new(Code::Forbidden, why, "ask an owner of the installation; nothing was changed")
}

/// The id of a user, from the path.
pub struct Id(UserId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        match uuid(&id) {
            Some(id) => Ok(Self(UserId(id))),
            None => {
                let remedy = "GET /v1/users lists the ids there are";
                Err(Problem::new(Code::InvalidParameter, "id: this is no id of a user", remedy).at("id"))
            }
        }
    }
}

async fn find(api: &Api, id: UserId) -> Result<UserRow> {
    manage(api)?.find(&Whom::Id(id)).await?.ok_or_else(|| {
        let remedy = "GET /v1/users lists those there are";
        Problem::new(Code::NotFound, format!("user {id} is not known"), remedy).at("id")
    })
}

/// Somebody whom the caller may change.
async fn below(api: &Api, id: UserId) -> Result<UserRow> {
    let user = find(api, id).await?;
    may_change(&guard::principal(), &user).map_err(forbidden)?;
    Ok(user)
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", security(("token" = ["users:manage"])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<User>> {
    let user = find(&api, id).await?;
    api.shows(&[Sight::user(user.id, user.tenant.as_deref())]).await?;
    Ok(Json(User::from(&user)))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedUser {
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// False when it was so already.
    pub changed: bool,
}

async fn change(api: &Api, id: UserId, change: UserChange) -> Result<Json<ChangedUser>> {
    let user = below(api, id).await?;
    let changed = manage(api)?.change(user.id, &change, &api.actor()).await?;
    Ok(Json(ChangedUser { id, changed }))
}

/// Let a user sign in no more; all sessions end.
#[utoipa::path(post, path = "/v1/users/{id}/disable", tag = "users", security(("token" = ["users:manage"])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "It is disabled.", body = ChangedUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn disable(State(api): State<Shared>, Id(id): Id) -> Result<Json<ChangedUser>> {
    change(&api, id, UserChange::Disable).await
}

/// Let a user sign in again.
#[utoipa::path(post, path = "/v1/users/{id}/enable", tag = "users", security(("token" = ["users:manage"])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "It is enabled.", body = ChangedUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn enable(State(api): State<Shared>, Id(id): Id) -> Result<Json<ChangedUser>> {
    change(&api, id, UserChange::Enable).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleOfUser {
    #[schema(value_type = UserRole)]
    role: Role,
}

/// Give a user another role.
#[utoipa::path(put, path = "/v1/users/{id}/role", tag = "users", security(("token" = ["users:manage"])), request_body = RoleOfUser,
    params(
        ("id" = Uuid, Path, description = "The user."),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It has the role.", body = ChangedUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn set_role(
    State(api): State<Shared>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body<RoleOfUser>,
) -> Result<Json<ChangedUser>> {
    let role = body.value.role;
    let user = below(&api, id).await?;
    may_give(&guard::principal(), role).map_err(forbidden)?;
    let what = giving_role(&user, role);
    let by = leave(&api, Action::UsersSetRole, what, &headers).await?;
    let role = UserChange::Role { from: Some(user.role), to: role };
    let changed = manage(&api)?.change(user.id, &role, &by).await?;
    Ok(Json(ChangedUser { id, changed }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordOfUser {
    /// Not what somebody would guess. Whoever it is for changes it after the next sign-in.
    #[schema(min_length = 12, max_length = 256)]
    password: String,
}

/// Give a user another password; all sessions end.
#[utoipa::path(put, path = "/v1/users/{id}/password", tag = "users", security(("token" = ["users:manage"])), request_body = PasswordOfUser,
    params(
        ("id" = Uuid, Path, description = "The user."),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It has the password.", body = ChangedUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn set_password(
    State(api): State<Shared>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body<PasswordOfUser>,
) -> Result<Json<ChangedUser>> {
    let user = below(&api, id).await?;
    let password = SecretString::from(body.value.password);
    let by = leave(&api, Action::UsersResetPassword, resetting(&user), &headers).await?;
    manage(&api)?.reset_password(&user, &password, &by).await?;
    Ok(Json(ChangedUser { id, changed: true }))
}

/// Take the second factor from a user who lost it, with its recovery codes.
#[utoipa::path(delete, path = "/v1/users/{id}/second-factor", tag = "users", security(("token" = ["users:manage"])),
    params(
        ("id" = Uuid, Path, description = "The user."),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It has none.", body = ChangedUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn remove_second_factor(
    State(api): State<Shared>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<ChangedUser>> {
    let user = below(&api, id).await?;
    let by = leave(&api, Action::UsersResetTotp, resetting(&user), &headers).await?;
    let changed = manage(&api)?.change(user.id, &UserChange::RemoveTotp, &by).await?;
    Ok(Json(ChangedUser { id, changed }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EndedSessionsOfUser {
    #[schema(value_type = Uuid)]
    pub id: UserId,
    pub ended: u64,
}

/// End all sessions of a user.
#[utoipa::path(delete, path = "/v1/users/{id}/sessions", tag = "users", security(("token" = ["users:manage"])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "They have ended.", body = EndedSessionsOfUser),
        (status = 404, description = "There is no such user.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn end_sessions(State(api): State<Shared>, Id(id): Id) -> Result<Json<EndedSessionsOfUser>> {
    let user = below(&api, id).await?;
    let ended = manage(&api)?.sign_out(user.id, None, &api.actor()).await?;
    Ok(Json(EndedSessionsOfUser { id, ended }))
}
