//! Who calls, by a session: the cookies that browsers keep, the token that programs send, and what keeps a foreign page
//! from calling in somebody's name.
//!
//! A cookie comes first, a bearer token after it. Whoever shows a cookie and changes something shows two things more: a
//! token in a header, which a foreign page cannot read, and an origin that is ours. A bearer token needs neither, since no
//! browser sends it by itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method};
use axum::response::Response;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;

use super::guard::{bearer, origin};
use super::problem::{Code, Problem, Result};
use super::{Api, Shared};
use crate::identity::networks::Network;
use crate::identity::session::Issued;
use crate::identity::{Caller, Identity, IdentityError, SignedIn, networks};
use store::SessionId;

/// The access token.
pub const ACCESS_COOKIE: &str = "__Host-compline";
/// It goes to the routes of sessions alone, so it cannot be a `__Host-`.
pub const REFRESH_COOKIE: &str = "__Secure-compline-refresh";
/// Pages read it, and send it back in the header.
pub const CSRF_COOKIE: &str = "__Host-compline-csrf";
pub const CSRF_HEADER: &str = "x-csrf-token";

const LONGEST_AGENT: usize = 200;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Somebody who is signed in.
pub struct Session(pub SignedIn);

impl FromRequestParts<Shared> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let identity = api.identity()?;
        if let Some(token) = cookie(&parts.headers, ACCESS_COOKIE)
            && let Some(who) = identity.who(&token, origin()).await?
        {
            api.ours(parts, identity, who.session.id)?;
            return Ok(Self(who));
        }
        if let Some(token) = bearer_of(&parts.headers)
            && let Some(who) = identity.who(&token, origin()).await?
        {
            return Ok(Self(who));
        }
        Err(over())
    }
}

/// Where a request comes from, proxies left out.
pub fn address(headers: &HeaderMap, extensions: &Extensions, proxies: &[Network]) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    // A header list has no end to go back from.
    let forwarded: Vec<_> = forwarded.collect();
    networks::caller(peer, forwarded.into_iter(), proxies)
}

/// Where somebody calls from.
pub struct Whence(pub Caller);

impl FromRequestParts<Shared> for Whence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let address = address(&parts.headers, &parts.extensions, &api.proxies);
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Ok(Self(Caller {
            address,
            user_agent: agent.chars().take(LONGEST_AGENT).collect(),
            origin: origin(),
        }))
    }
}

impl Api {
    pub(super) fn identity(&self) -> Result<&Identity> {
        self.identity.as_deref().ok_or_else(|| {
            let remedy = "set identity.key to a reference to a secret of 32 bytes, and start it again";
            Problem::new(Code::SignInOff, "this process signs nobody in: it has no identity.key", remedy)
        })
    }

    /// Refuses what a foreign page may have sent, with a cookie that it cannot see.
    pub(super) fn ours(&self, parts: &Parts, identity: &Identity, session: SessionId) -> Result<()> {
        if is_safe(&parts.method) {
            return Ok(());
        }
        if !acceptable(&parts.headers, &self.origins) {
            let detail = "the request comes from a page of another origin";
            let remedy = "send it from our own pages, or name the origin in http.cors_origins";
            return Err(Problem::new(Code::CsrfRefused, detail, remedy).at("Origin"));
        }
        let given = parts.headers.get(CSRF_HEADER).map(HeaderValue::as_bytes);
        match given.is_some_and(|given| identity.csrf_fits(session, given)) {
            true => Ok(()),
            false => {
                let detail = "the request shows a cookie and not the token that goes with it";
                let remedy = "send the value of the cookie __Host-compline-csrf as the header X-CSRF-Token";
                Err(Problem::new(Code::CsrfRefused, detail, remedy).at("X-CSRF-Token"))
            }
        }
    }
}

pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What the browser says of the page that sends it. A program says neither, and has to have the token all the same.
pub fn acceptable(headers: &HeaderMap, allowed: &[String]) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let origin = text(ORIGIN);
    if origin.is_some_and(|origin| allowed.iter().any(|own| own == origin)) {
        return true;
    }
    match (headers.get("sec-fetch-site").map(HeaderValue::as_bytes), origin) {
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, None) => true,
        (None, Some(origin)) => {
            let place = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            place.is_some() && place == text(HOST)
        }
    }
}

pub fn over() -> Problem {
    let remedy = "POST /auth/refresh makes a new access token, POST /auth/sign-in a new session";
    Problem::new(Code::SessionOver, "no session goes with this request, or it is over", remedy)
}

pub fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value)
}

/// One that is there twice is none: nobody can say which one was meant.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let mut found = cookies(headers, name);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(SecretString::from(value)),
        _ => None,
    }
}

fn bearer_of(headers: &HeaderMap) -> Option<SecretString> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    std::str::from_utf8(bearer(value.as_bytes())?).ok().map(SecretString::from)
}

/// The cookies of a session.
pub fn keep(mut response: Response, issued: &Issued, api: &Api, identity: &Identity) -> Response {
    let left = issued.signed_in.session.expires_at.duration_since(api.clock.now()).as_secs().max(1);
    let access = i64::try_from(identity.lives().access.as_secs()).unwrap_or(i64::MAX).min(left);
    for line in [
        set(ACCESS_COOKIE, &issued.access, access, "/", true),
        set(REFRESH_COOKIE, &issued.refresh, left, "/auth", true),
        set(CSRF_COOKIE, &issued.csrf, left, "/", false),
    ] {
        append(&mut response, &line);
    }
    response
}

/// They are worth nothing any more, and need not be sent.
pub fn forget(mut response: Response) -> Response {
    let nothing = SecretString::from("");
    for (name, path) in [(ACCESS_COOKIE, "/"), (REFRESH_COOKIE, "/auth"), (CSRF_COOKIE, "/")] {
        append(&mut response, &set(name, &nothing, 0, path, name != CSRF_COOKIE));
    }
    response
}

fn set(name: &str, value: &SecretString, seconds: i64, path: &str, hidden: bool) -> String {
    let hidden = if hidden { "; HttpOnly" } else { "" };
    format!(
        "{name}={}; Path={path}; Max-Age={seconds}; Secure; SameSite=Strict{hidden}",
        value.expose_secret()
    )
}

fn append(response: &mut Response, line: &str) {
    // What we make is always a legal header.
    if let Ok(mut value) = HeaderValue::from_str(line) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let told = error.to_string();
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::Invalid { field, .. } => {
                Self::new(Code::InvalidBody, told, format!("correct {field}; nothing was changed"))
                    .at(format!("/{field}"))
            }
            IdentityError::Refused(_) => Self::new(Code::Refused, told, "nothing was changed"),
            IdentityError::Unknown(_) => over(),
            IdentityError::UnknownToken(_) => Self::not_found(told).at("id"),
            IdentityError::Seal(_) => {
                tracing::error!("{}", store::chain(&error));
                let remedy =
                    "set encryption.current and its key; `compline config check` tells whether it can be had";
                Self::new(Code::SealFailed, told, remedy)
            }
            IdentityError::NoRandom | IdentityError::Hash | IdentityError::Sign => {
                tracing::error!("{told}");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_page_of_ours_or_of_a_friend_may_call_and_no_other() {
        let allowed = ["https://console.example.org".to_owned()];
        let host = ("host", "compline.example.org");
        for (given, fine) in [
            (&[host][..], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "none")], true),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("origin", "https://compline.example.org")], true),
            (&[host, ("origin", "http://compline.example.org")], true),
            (&[host, ("origin", "https://compline.example.org.evil.example")], false),
            (&[host, ("origin", "https://evil.example")], false),
            (&[host, ("origin", "null")], false),
            (&[host, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], false),
            (&[host, ("origin", "https://console.example.org"), ("sec-fetch-site", "cross-site")], true),
            (&[host, ("origin", "https://console.example.org")], true),
            (&[("origin", "https://compline.example.org")], false),
        ] {
            assert_eq!(acceptable(&headers(given), &allowed), fine, "{given:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_when_it_is_there_once() {
        let found = |pairs: &[(&'static str, &'static str)]| {
            cookie(&headers(pairs), "b").map(|value| value.expose_secret().to_owned())
        };
        assert_eq!(found(&[("cookie", "a=1; b=2; c=3")]).as_deref(), Some("2"));
        assert_eq!(found(&[("cookie", "a=1"), ("cookie", "b=2=3")]).as_deref(), Some("2=3"));
        assert_eq!(found(&[("cookie", "ab=1; bb=2; b")]), None);
        assert_eq!(found(&[("cookie", "b=1; b=2")]), None);
        assert_eq!(found(&[]), None);
    }
}
