//! What holds for every request: who may come in, what every answer carries, and what becomes of a handler that
//! panics or takes too long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use jobkit::redact::ExposeSecret;
use jobkit::{Origin, SecretString};
use ring::hmac;
use ring::rand::SystemRandom;
use tracing::{debug, error, info, warn};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{OpenApi as Document, RefOr};
use uuid::Uuid;

use super::Shared;
use super::access::{self, Declared};
use super::problem::{Code, Problem, method_not_allowed};
use super::session::{address, is_safe};
use crate::identity::Principal;
use crate::reference::{ReferenceError, SecretRef};
use crate::trace::{self, TRACEPARENT};

/// The secret that callers show. Kept as a code under a key that is drawn at start, so that comparing takes as long
/// whatever was shown, and no dump of the memory has the secret from here.
pub struct Token {
    key: hmac::Key,
    code: hmac::Tag,
}

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("http.token cannot be had")]
    Reference(#[from] ReferenceError),
    #[error("http.token: `{0}` holds fewer than {SHORTEST} letters; `openssl rand -hex 32` makes a good one")]
    Short(SecretRef),
    #[error("http.token: this machine has no random numbers to give")]
    NoRandom,
}

impl Token {
    pub fn load(reference: &SecretRef) -> Result<Self, TokenError> {
        let secret = reference.resolve()?;
        match secret.expose_secret().len() >= SHORTEST {
            true => Self::new(&secret),
            false => Err(TokenError::Short(reference.clone())),
        }
    }

    pub fn new(secret: &SecretString) -> Result<Self, TokenError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| TokenError::NoRandom)?;
        let code = hmac::sign(&key, secret.expose_secret().as_bytes());
        Ok(Self { key, code })
    }

    pub fn is(&self, shown: &[u8]) -> bool {
        hmac::verify(&self.key, shown, self.code.as_ref()).is_ok()
    }
}

/// Lets nobody through who is not known, or may not do what it asks for: see [`access`].
pub async fn authenticate(
    State((api, declared)): State<(Shared, Arc<Declared>)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(declared.clone());
    match access::admit(&api, &declared, &parts).await {
        Ok(principal) => PRINCIPAL.scope(principal, next.run(Request::from_parts(parts, body))).await,
        Err(refused) => refused,
    }
}

pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// Which parameters each route has, as its description says.
#[derive(Debug, Default)]
pub struct Known(HashMap<(Method, String), Vec<String>>);

impl Known {
    pub fn of(document: &Document) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                let names = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
                    RefOr::T(own) if own.parameter_in == ParameterIn::Query => Some(own.name.clone()),
                    _ => None,
                });
                known.insert((method, path.clone()), names.collect());
            }
        }
        Self(known)
    }

    fn check(&self, method: &Method, route: &str, query: &str) -> Result<(), Problem> {
        let Some(known) = self.0.get(&(method.clone(), route.to_owned())) else { return Ok(()) };
        let mut given = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        match given.find(|name| !known.iter().any(|known| known == name)) {
            None => Ok(()),
            Some(name) => {
                let detail = format!("{name}: there is no such parameter");
                let remedy = match known.as_slice() {
                    [] => "leave it out; this route takes none".to_owned(),
                    known => format!("leave it out, or use one of: {}", known.join(", ")),
                };
                Err(Problem::new(Code::InvalidParameter, detail, remedy).at(name))
            }
        }
    }
}

/// Refuses parameters that the route does not have: a misspelt condition would match every job, and what was meant for
/// the body would be passed over, `dry_run` included.
pub async fn parameters(State(known): State<Arc<Known>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let checked = match (request.uri().query(), route) {
        (Some(query), Some(route)) => known.check(request.method(), route, query),
        _ => Ok(()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// For routes that answer at once, which is all but those that wait by their nature.
pub async fn hurry(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let limit = api.limits.answer_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => late(limit).into_response(),
    }
}

fn late(limit: Duration) -> Problem {
    let remedy = "send the request again, with the same Idempotency-Key; whether it was done is not known";
    Problem::new(Code::TimedOut, format!("there was no answer within {limit:?}"), remedy)
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

tokio::task_local! {
    /// Where the request comes from that this task answers.
    static ORIGIN: Origin;
    /// Who sent it.
    static PRINCIPAL: Principal;
    /// The address it came from, of requests that only read: most of them write no entry, which alone would say it.
    static ADDRESS: IpAddr;
}

/// Who sent the request that is being answered. Nobody, outside of routes that ask who calls: in a task that a handler
/// started, say, or in the body of an answer, which have to be told.
pub fn principal() -> Principal {
    PRINCIPAL.try_with(Clone::clone).unwrap_or_else(|_| Principal::nobody())
}

/// Of the request that is being answered.
pub fn origin() -> Origin {
    ORIGIN.try_with(Clone::clone).unwrap_or_default()
}

pub fn address_of_caller() -> Option<IpAddr> {
    ADDRESS.try_with(|address| *address).ok()
}

/// For requests that change something: the entries that they write say from where it was asked.
pub async fn whence(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let address = address(request.headers(), request.extensions(), &api.proxies);
    if is_safe(request.method()) {
        return ADDRESS.scope(address, next.run(request)).await;
    }
    match api.sources.of(address, &principal().name).await {
        Ok(source) => ORIGIN.scope(Origin { source: Some(source), ..origin() }, next.run(request)).await,
        Err(problem) => Problem::from(problem).into_response(),
    }
}

/// The outermost: whatever happens inside, the caller gets an answer with a name under which it can be found again.
pub async fn finish(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let trace = trace_id(request.headers());
    let method = request.method().clone();
    // As it was declared: what stands in the place of a parameter may be about people.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("an unknown route", MatchedPath::as_str);
    let started = api.clock.steady();
    let name = id.to_str().ok().map(str::to_owned);
    let origin = Origin { request: name.clone(), ..Origin::default() };
    let mut response = caught(ORIGIN.scope(origin, next.run(request)), &method, route, &id).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = method_not_allowed(response.headers_mut().remove(axum::http::header::ALLOW));
    }
    let ms = api.clock.steady().saturating_sub(started).as_millis();
    let status = response.status().as_u16();
    match status {
        500.. => {
            warn!(
                http.status = status,
                request.id = name,
                trace.id = trace,
                ms,
                "{method} {route} answered {status}"
            );
        }
        // Somebody tries tokens, or has an old one.
        401 => {
            info!(
                http.status = status,
                request.id = name,
                trace.id = trace,
                ms,
                "{method} {route} answered {status}"
            );
        }
        _ => {
            debug!(
                http.status = status,
                request.id = name,
                trace.id = trace,
                ms,
                "{method} {route} answered {status}"
            );
        }
    }
    let headers = response.headers_mut();
    harden(headers);
    headers.insert(X_REQUEST_ID.clone(), id);
    response
}

/// A family's check may panic over what it was given, so its words stay here; where it was, the hook for panics says.
async fn caught(
    answer: impl Future<Output = Response>,
    method: &Method,
    route: &str,
    id: &HeaderValue,
) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        error!(http.route = route, request.id = id.to_str().ok(), "{method} {route} panicked");
        Problem::internal().into_response()
    })
}

/// The trace that the caller says the request belongs to, as it is kept with the jobs that the request makes.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get(TRACEPARENT)?.to_str().ok()?;
    trace::id_of(parent).map(str::to_owned)
}

/// The caller's own name for the request if it is a plain one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b))
    };
    match headers.get(&X_REQUEST_ID).filter(plain) {
        Some(own) => own.clone(),
        None => HeaderValue::from_str(&Uuid::new_v4().simple().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    }
}

/// A browser that is led here makes nothing of what it gets.
fn harden(headers: &mut HeaderMap) {
    let fixed = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (PERMISSIONS_POLICY.clone(), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (OPENER_POLICY.clone(), "same-origin"),
        (RESOURCE_POLICY.clone(), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::new(&SecretString::from("a long enough secret")).unwrap();
        for (shown, same) in [
            ("a long enough secret", true),
            ("a long enough secre", false),
            ("a long enough secret!", false),
            ("", false),
        ] {
            assert_eq!(token.is(shown.as_bytes()), same, "{shown:?}");
        }
    }

    async fn broken() -> Response {
        panic!("the account of ada")
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_a_panic_said_is_in_no_answer_and_no_log() {
        let log = Log::default();
        let own = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || own.clone()).finish();
        let _logged = tracing::subscriber::set_default(subscriber);

        let answer = caught(broken(), &Method::POST, "/v1/jobs", &HeaderValue::from_static("r-1")).await;

        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let told =
            [log.0.lock().unwrap().clone(), body.to_vec()].map(|told| String::from_utf8(told).unwrap());
        assert!(told[0].contains("POST /v1/jobs panicked") && told[0].contains("r-1"), "{told:?}");
        assert!(!told.concat().contains("ada"), "{told:?}");
    }

    #[test]
    fn a_callers_own_request_id_is_kept_when_it_is_plain() {
        for (given, kept) in [("abc-1", true), ("", false), ("a b", false), ("a\tb", false), ("<x>", false)] {
            let headers = [(X_REQUEST_ID.clone(), HeaderValue::from_static(given))].into_iter().collect();
            assert_eq!(request_id(&headers) == given, kept, "{given}");
        }
    }
}
