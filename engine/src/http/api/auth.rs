//! Sessions over HTTP: signing in, a new access token, signing out, and who one is.

pub mod own;
pub mod sessions;

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use serde::{Deserialize, Serialize};
use store::identities::UserRow;
use store::{Role, SessionId, UserId};
use utoipa::ToSchema;

use crate::http::extract::StrangersBody;
use crate::http::guard::origin;
use crate::http::problem::{Code, Problem, Result};
use crate::http::session::{REFRESH_COOKIE, Session, Whence, acceptable, cookie, forget, keep, over};
use crate::http::{Api, Shared};
use crate::identity::Identity;
use crate::identity::password::LONGEST_PASSWORD;
use crate::identity::session::{Issued, session_of};
use crate::identity::sign_in::{Credentials, Second, SignIn};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 256)]
    password: String,
    /// Six digits of an authenticator, when the user has a second factor.
    #[schema(min_length = 1, max_length = 64)]
    totp: Option<String>,
    /// In the place of `totp`, for whoever lost the authenticator. Each works once.
    #[schema(min_length = 1, max_length = 64)]
    recovery_code: Option<String>,
    /// Answer with the tokens, for programs, instead of keeping them in cookies.
    #[serde(default)]
    bearer: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    #[schema(value_type = Uuid)]
    pub id: UserId,
    pub email: String,
    pub name: String,
    #[schema(value_type = UserRole)]
    pub role: Role,
    /// Absent: the whole installation.
    pub tenant: Option<String>,
    pub second_factor: bool,
    pub recovery_codes_left: u64,
}

/// What somebody may do, in four steps.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    Owner,
    Admin,
    Member,
    Viewer,
}

impl From<&UserRow> for Me {
    fn from(user: &UserRow) -> Self {
        Self {
            id: user.id,
            email: user.email.expose().to_owned(),
            name: user.name.expose().clone(),
            role: user.role,
            tenant: user.tenant.clone(),
            second_factor: user.second_factor().is_some(),
            recovery_codes_left: user.recovery,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    pub user: Me,
    #[schema(value_type = Uuid)]
    pub session: SessionId,
    /// The session is over then, whatever is done with it.
    pub expires_at: Timestamp,
    /// For so many seconds the access token may be used.
    pub expires_in: u64,
    /// With `bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// With `bearer`; it works once, and brings another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Without `bearer`: the header X-CSRF-Token of whatever changes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf_token: Option<String>,
}

fn answered(issued: &Issued, bearer: bool, api: &Api, identity: &Identity) -> Response {
    let text = |token: &SecretString, shown: bool| shown.then(|| token.expose_secret().to_owned());
    let body = SignedIn {
        user: (&issued.signed_in.user).into(),
        session: issued.signed_in.session.id,
        expires_at: issued.signed_in.session.expires_at,
        expires_in: identity.lives().access.as_secs(),
        access_token: text(&issued.access, bearer),
        refresh_token: text(&issued.refresh, bearer),
        csrf_token: text(&issued.csrf, !bearer),
    };
    let response = Json(body).into_response();
    if bearer { response } else { keep(response, issued, api, identity) }
}

/// The same for everybody who is not let in.
fn refused() -> Problem {
    let remedy = "check all that was sent; somebody who runs the installation can reset it";
    Problem::new(Code::SignInRefused, "the address, the password or the code is not right", remedy)
}

/// For as long as it holds nothing that is shown counts, right or wrong.
pub(super) fn locked(api: &Api, until: Timestamp) -> Problem {
    let left = until.duration_since(api.clock.now()).as_secs().clamp(1, 3_600);
    let remedy = "come again after Retry-After; a password that is forgotten can be reset by whoever runs the installation";
    Problem::new(
        Code::LockedOut,
        "there were too many failures, and nobody is let in here for a while",
        remedy,
    )
    .retry_after(u16::try_from(left).unwrap_or(u16::MAX))
}

fn due() -> Problem {
    let remedy = "send the same again with `totp`, or with `recovery_code`";
    Problem::new(Code::SecondFactorDue, "the user has a second factor, and it was not shown", remedy)
        .at("/totp")
}

/// Open a session.
///
/// Browsers keep it in cookies, which no script can read. Programs ask for the tokens with `bearer`. Whoever fails too
/// often is locked out for a while; nobody is told which of the things that were sent was wrong.
#[utoipa::path(post, path = "/auth/sign-in", tag = "sessions", security(()), request_body = NewSession,
    responses(
        (status = 200, description = "The session is open.", body = SignedIn),
        (status = 401, description = "Something is not right, or a second factor is due.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There were too many failures.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn sign_in(
    State(api): State<Shared>,
    Whence(from): Whence,
    StrangersBody(body): StrangersBody<NewSession>,
) -> Result<Response> {
    let identity = api.identity()?;
    let NewSession { email, password, totp, recovery_code, bearer } = body.value;
    let email = email.parse().map_err(|expected| {
        Problem::new(Code::InvalidBody, format!("email: this is not {expected}"), "correct it").at("/email")
    })?;
    for (field, text) in
        [("password", Some(&password)), ("totp", totp.as_ref()), ("recovery_code", recovery_code.as_ref())]
    {
        short(field, text)?;
    }
    let second = match (totp, recovery_code) {
        (Some(_), Some(_)) => {
            let detail = "recovery_code: stands beside totp";
            return Err(Problem::new(Code::InvalidBody, detail, "send one of them").at("/recovery_code"));
        }
        (Some(code), None) => Some(Second::Totp(SecretString::from(code))),
        (None, Some(code)) => Some(Second::Recovery(SecretString::from(code))),
        (None, None) => None,
    };
    let shown = Credentials { email, password: SecretString::from(password), second };
    match identity.sign_in(&shown, &from).await? {
        SignIn::In(issued) => Ok(answered(&issued, bearer, &api, identity)),
        SignIn::Refused => Err(refused()),
        SignIn::SecondFactorDue => Err(due()),
        SignIn::Locked { until } => Err(locked(&api, until)),
    }
}

/// Longer ones make work, and are no password of anybody's.
fn short(field: &str, text: Option<&String>) -> Result<()> {
    match text.is_none_or(|text| !text.is_empty() && text.len() <= LONGEST_PASSWORD) {
        true => Ok(()),
        false => {
            let detail = format!("{field}: from 1 to {LONGEST_PASSWORD} bytes");
            Err(Problem::new(Code::InvalidBody, detail, format!("correct {field}")).at(format!("/{field}")))
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// Absent: the one in the cookie.
    #[schema(max_length = 200)]
    refresh_token: Option<String>,
}

/// Have a new access token.
///
/// A refresh token works once, and brings its successor. For ten seconds it brings the same one again, for whoever lost the
/// answer or refreshes in two tabs at once; after that its use ends the session, because somebody else has the token.
#[utoipa::path(post, path = "/auth/refresh", tag = "sessions", security(()), request_body = Refresh,
    params(("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`.")),
    responses(
        (status = 200, description = "The session goes on.", body = SignedIn),
        (status = 401, description = "The token is none, or the session is over.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn refresh(State(api): State<Shared>, request: Request) -> Result<Response> {
    use axum::extract::FromRequest;
    let identity = api.identity()?;
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let StrangersBody(body) = StrangersBody::<Refresh>::from_request(request, &api).await?;
    let Refresh { refresh_token } = body.value;
    let bearer = refresh_token.is_some();
    let token = refresh_token.map(SecretString::from).or_else(|| cookie(&parts.headers, REFRESH_COOKIE));
    let Some(token) = token else { return Err(over()) };
    if !bearer && let Some(session) = session_of(&token) {
        api.ours(&parts, identity, session)?;
    }
    match identity.refresh(&token, &origin()).await? {
        Some(issued) => Ok(answered(&issued, bearer, &api, identity)),
        None if bearer => Err(over()),
        None => Ok(forget(over().into_response())),
    }
}

/// End this session.
#[utoipa::path(post, path = "/auth/sign-out", tag = "sessions", security(("session" = [])),
    params(("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`.")),
    responses(
        (status = 204, description = "It has ended."),
        (status = 401, description = "There is none.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn sign_out(State(api): State<Shared>, request: Request) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    match Session::from_request_parts(&mut parts, &api).await {
        Ok(Session(who)) => {
            api.identity()?.sign_out(&who).await?;
            Ok(forget(StatusCode::NO_CONTENT.into_response()))
        }
        // Whoever leaves need not keep what is worth nothing. A foreign page may not take it: no cookie comes with its
        // request, and there might be one.
        Err(problem) if problem.code == Code::SessionOver && acceptable(&parts.headers, &api.origins) => {
            Ok(forget(problem.into_response()))
        }
        Err(problem) => Err(problem),
    }
}

/// Who am I?
#[utoipa::path(get, path = "/auth/me", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "The user of this session.", body = Me),
        (status = 401, description = "There is no session, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn me(Session(who): Session) -> Json<Me> {
    Json((&who.user).into())
}
