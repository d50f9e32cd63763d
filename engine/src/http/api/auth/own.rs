//! What somebody who is signed in changes of the own account: the password, and the second factor.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{locked, short};
use crate::http::Shared;
use crate::http::extract::Body;
use crate::http::problem::{Code, Problem, Result};
use crate::http::session::{Session, Whence};
use crate::identity::IdentityError;
use crate::identity::own::Own;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(min_length = 1, max_length = 256)]
    current_password: String,
    /// Not what somebody would guess.
    #[schema(min_length = 12, max_length = 256)]
    new_password: String,
}

fn wrong(field: &str) -> Problem {
    Problem::new(Code::SignInRefused, format!("{field}: is not right"), "nothing was changed; send it again")
        .at(format!("/{field}"))
}

/// Change the password.
///
/// All other sessions end.
#[utoipa::path(post, path = "/auth/password", tag = "sessions", security(("session" = [])), request_body = NewPassword,
    params(("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`.")),
    responses(
        (status = 204, description = "It is changed."),
        (status = 401, description = "There is no session, or the current password is not right.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There were too many failures.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn password(
    State(api): State<Shared>,
    Session(who): Session,
    Whence(from): Whence,
    body: Body<NewPassword>,
) -> Result<StatusCode> {
    let NewPassword { current_password, new_password } = body.value;
    short("current_password", Some(&current_password))?;
    let (current, new) = (SecretString::from(current_password), SecretString::from(new_password));
    let changed = api.identity()?.change_password(&who, &current, &new, from.address).await;
    match changed.map_err(of_new_password)? {
        Own::Done(()) => Ok(StatusCode::NO_CONTENT),
        Own::WrongPassword => Err(wrong("current_password")),
        Own::Locked { until } => Err(locked(&api, until)),
    }
}

/// The field has another name here.
fn of_new_password(error: IdentityError) -> Problem {
    match error {
        IdentityError::Invalid { field: "password", problem } => {
            IdentityError::Invalid { field: "new_password", problem }.into()
        }
        error => error.into(),
    }
}

/// One of three steps.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "step")]
pub enum Totp {
    /// Make a secret; it counts when a code of it was shown.
    Begin {
        #[schema(min_length = 1, max_length = 256)]
        password: String,
    },
    /// Show a first code.
    Confirm {
        #[schema(min_length = 1, max_length = 64)]
        code: String,
    },
    /// Do without one from now on.
    Remove {
        #[schema(min_length = 1, max_length = 256)]
        password: String,
    },
}

/// What each step answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TotpState {
    /// Both are shown this once.
    Begun {
        secret: String,
        address: String,
    },
    /// For the drawer; each works once, and they are shown this once.
    Confirmed {
        recovery_codes: Vec<String>,
    },
    Removed,
}

/// Have a second factor, in two steps, or do without one.
#[utoipa::path(post, path = "/auth/totp", tag = "sessions", security(("session" = [])), request_body = Totp,
    params(("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`.")),
    responses(
        (status = 200, description = "The step is done.", body = TotpState),
        (status = 401, description = "There is no session, or the password or the code is not right.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is one already, or none was begun.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There were too many failures.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, there is no key to encrypt with, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn totp(
    State(api): State<Shared>,
    Session(who): Session,
    Whence(from): Whence,
    body: Body<Totp>,
) -> Result<Json<TotpState>> {
    let identity = api.identity()?;
    let text = |secret: &SecretString| secret.expose_secret().to_owned();
    let state = match body.value {
        Totp::Begin { password } => {
            short("password", Some(&password))?;
            match identity.begin_totp(&who, &SecretString::from(password), from.address).await? {
                Own::Done(begun) => {
                    TotpState::Begun { secret: text(&begun.secret), address: text(&begun.address) }
                }
                Own::WrongPassword => return Err(wrong("password")),
                Own::Locked { until } => return Err(locked(&api, until)),
            }
        }
        Totp::Confirm { code } => match identity.confirm_totp(&who, &SecretString::from(code)).await? {
            Some(codes) => TotpState::Confirmed { recovery_codes: codes.iter().map(text).collect() },
            None => return Err(wrong("code")),
        },
        Totp::Remove { password } => {
            short("password", Some(&password))?;
            match identity.remove_totp(&who, &SecretString::from(password), from.address).await? {
                Own::Done(()) => TotpState::Removed,
                Own::WrongPassword => return Err(wrong("password")),
                Own::Locked { until } => return Err(locked(&api, until)),
            }
        }
    };
    Ok(Json(state))
}
