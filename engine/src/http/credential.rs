//! By what somebody is known who calls a route of `/v1`: a session, by its cookie or its access token, the token of the
//! installation, a token of a service, or a JWT of the platform. One credential decides. What is shown and is not right is
//! refused, and nothing else is looked for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;

use super::Api;
use super::guard::{bearer, origin};
use super::problem::{Code, Problem, Result};
use super::session::{ACCESS_COOKIE, address, cookies, over};
use crate::identity::tokens::Caller;
use crate::identity::{Principal, service_token};

/// What a request shows.
enum Shown {
    Nothing,
    Cookie(SecretString),
    Bearer(SecretString),
    /// The cookie more than once: nobody can say which one is meant.
    Cookies,
    /// The header more than once, or in another form.
    Unreadable,
}

impl Shown {
    /// A cookie goes before the header, since the browser sends it whatever the page does.
    fn of(headers: &HeaderMap) -> Self {
        let mut cookies = cookies(headers, ACCESS_COOKIE);
        match (cookies.next(), cookies.next()) {
            (Some(value), None) => return Self::Cookie(SecretString::from(value)),
            (Some(_), Some(_)) => return Self::Cookies,
            (None, _) => {}
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => {
                let token = bearer(value.as_bytes()).and_then(|token| std::str::from_utf8(token).ok());
                token.map_or(Self::Unreadable, |token| Self::Bearer(SecretString::from(token)))
            }
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

/// Who calls.
pub async fn principal(api: &Api, parts: &Parts) -> Result<Principal> {
    match Shown::of(&parts.headers) {
        Shown::Cookie(token) => {
            let identity = api.identity()?;
            let who = identity.who(&token, origin()).await?.ok_or_else(over)?;
            api.ours(parts, identity, who.session.id)?;
            Ok(Principal::user(&who.user))
        }
        Shown::Cookies => Err(over()),
        Shown::Bearer(token) => by_token(api, parts, &token).await,
        Shown::Nothing | Shown::Unreadable => Err(unknown(api)),
    }
}

/// Each of these knows its own by what only it can have made, so none takes what is another's.
async fn by_token(api: &Api, parts: &Parts, token: &SecretString) -> Result<Principal> {
    if api.token.as_ref().is_some_and(|own| own.is(token.expose_secret().as_bytes())) {
        return Ok(Principal::api());
    }
    if service_token::is_one(token.expose_secret()) {
        return match api.tokens.who(token, address(&parts.headers, &parts.extensions, &api.proxies)).await? {
            Caller::Known(principal) => Ok(principal),
            Caller::Unknown => Err(wrong()),
            Caller::Elsewhere => {
                let remedy = "call from one of the networks of the token; `compline tokens show` names them";
                Err(Problem::new(
                    Code::NetworkRefused,
                    "this token is not to be used from this address",
                    remedy,
                ))
            }
        };
    }
    if let Some(identity) = api.identity.as_deref()
        && let Some(who) = identity.who(token, origin()).await?
    {
        return Ok(Principal::user(&who.user));
    }
    if let Some(platform) = api.platform.as_deref()
        && let Some(principal) = platform.who(token).await
    {
        return Ok(principal);
    }
    Err(unknown(api))
}

fn wrong() -> Problem {
    Problem::new(
        Code::Unauthorized,
        "the request does not show a token of this API that is valid",
        "send the header Authorization: Bearer TOKEN, once, or the cookie of a session",
    )
    .at("Authorization")
}

/// Where there is nothing that could be shown but the token of a service, people are told what to set.
fn unknown(api: &Api) -> Problem {
    if api.token.is_some() || api.identity.is_some() || api.platform.is_some() {
        return wrong();
    }
    let remedy =
        "set http.token to a reference to a secret, \"env:NAME\" or \"file:PATH\", and start it again";
    Problem::new(Code::TokenNotSet, "this process has no http.token", remedy)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn one_credential_is_shown_and_a_cookie_goes_first() {
        let cookie = "__Host-compline";
        for (given, expected) in [
            (&[][..], "nothing"),
            (&[("authorization", "Bearer x")], "bearer x"),
            (&[("authorization", "bearer x ")], "bearer x"),
            (&[("authorization", "Bearer")], "unreadable"),
            (&[("authorization", "Bearer ")], "bearer "),
            (&[("authorization", "x")], "unreadable"),
            (&[("authorization", "Basic x")], "unreadable"),
            (&[("authorization", "Bearer x"), ("authorization", "Bearer x")], "unreadable"),
            (&[("cookie", "__Host-compline=y")], "cookie y"),
            (&[("cookie", "__Host-compline=")], "cookie "),
            (&[("cookie", "__Host-compline=y"), ("authorization", "Bearer x")], "cookie y"),
            (&[("cookie", "__Host-compline=y; __Host-compline=z"), ("authorization", "Bearer x")], "cookies"),
            (&[("cookie", "__Host-compline-csrf=y"), ("authorization", "Bearer x")], "bearer x"),
        ] {
            let headers: HeaderMap = given
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let shown = match Shown::of(&headers) {
                Shown::Nothing => "nothing".to_owned(),
                Shown::Cookie(value) => format!("cookie {}", value.expose_secret()),
                Shown::Bearer(value) => format!("bearer {}", value.expose_secret()),
                Shown::Cookies => "cookies".to_owned(),
                Shown::Unreadable => "unreadable".to_owned(),
            };
            assert_eq!(shown, expected, "{given:?} {cookie}");
        }
    }
}
