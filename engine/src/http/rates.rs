//! Counts requests, and refuses those that are too many. Whoever is known is counted before the request is carried out;
//! whoever is not, before it too where a password is shown, and after it where it came to nothing anyway.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::{Code, Problem};
use super::{Api, Shared, guard, session};
use crate::limits::callers::rules::{Counted, Group, Route};
use crate::limits::callers::{Standing, Verdict};

static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What pages in browsers may read of an answer.
pub fn headers() -> [HeaderName; 3] {
    [LIMIT.clone(), REMAINING.clone(), RESET.clone()]
}

/// On an answer to somebody who is known: it is counted already.
#[derive(Debug, Clone, Copy)]
struct IsKnown;

/// For routes behind the guard, which has said who calls.
pub async fn known(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let (address, path) = (address(&api, &request), path(&request));
    let route = Route { method: request.method().as_str(), path: path.as_ref().map(MatchedPath::as_str) };
    let counted = api.callers.rules.known(&guard::principal().name, address, &route);
    let mut response = match api.count(&counted).await {
        Ok(tightest) => told(next.run(request).await, tightest),
        Err(refused) => *refused,
    };
    response.extensions_mut().insert(IsKnown);
    response
}

/// For everybody else.
pub async fn unknown(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let (address, path) = (address(&api, &request), path(&request));
    let method = request.method().clone();
    let route = Route { method: method.as_str(), path: path.as_ref().map(MatchedPath::as_str) };
    let counted: Vec<_> = api.callers.rules.unknown(address, &route).into_iter().collect();
    match route.group() {
        Group::Never => next.run(request).await,
        Group::SignIn | Group::Sessions => match api.count(&counted).await {
            Ok(tightest) => told(next.run(request).await, tightest),
            Err(refused) => *refused,
        },
        // Who it is shows in the answer, and until then no work was done for a stranger.
        group @ (Group::Delivery | Group::Other) => {
            let response = next.run(request).await;
            let is_known = match group {
                Group::Delivery => is_signed(response.status()),
                _ => response.extensions().get::<IsKnown>().is_some(),
            };
            if is_known {
                return response;
            }
            match api.count(&counted).await {
                Ok(tightest) => told(response, tightest),
                Err(refused) => *refused,
            }
        }
    }
}

/// What a delivery is answered whose signature was looked at and found good. The rest may be anybody's.
fn is_signed(status: StatusCode) -> bool {
    !status.is_client_error() || matches!(status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}

fn address(api: &Api, request: &Request) -> IpAddr {
    session::address(request.headers(), request.extensions(), &api.proxies)
}

/// As it was declared.
fn path(request: &Request) -> Option<MatchedPath> {
    request.extensions().get::<MatchedPath>().cloned()
}

impl Api {
    /// How the caller stands by whichever has least left, or the answer that refuses.
    async fn count(&self, counted: &[Counted]) -> Result<Option<Standing>, Box<Response>> {
        let mut tightest: Option<Standing> = None;
        for one in counted {
            match self.callers.count(one).await {
                Verdict::Granted(standing) => {
                    tightest = tightest.filter(|least| least.left <= standing.left).or(Some(standing));
                }
                Verdict::Refused(standing, wait) => return Err(Box::new(refused(one, standing, wait))),
                Verdict::Away(problem) => return Err(Box::new(Problem::from(problem).into_response())),
            }
        }
        Ok(tightest)
    }
}

fn refused(one: &Counted, standing: Standing, wait: Duration) -> Response {
    let seconds = whole(wait).max(1);
    let detail = format!(
        "{} may send {} requests at once and one more every {:?}; the next one in {seconds} s",
        one.whom,
        standing.limit,
        Duration::from_micros(one.of.interval.unsigned_abs())
    );
    let remedy = "wait as long as Retry-After says; http.rate_limits of the configuration sets the limits";
    let problem = Problem::new(Code::RateLimited, detail, remedy);
    told(problem.retry_after(u16::try_from(seconds).unwrap_or(u16::MAX)).into_response(), Some(standing))
}

fn told(mut response: Response, standing: Option<Standing>) -> Response {
    if let Some(Standing { limit, left, reset }) = standing {
        tell(response.headers_mut(), u64::from(limit), u64::from(left), whole(reset));
    }
    response
}

fn tell(headers: &mut HeaderMap, limit: u64, left: u64, reset: u64) {
    for (name, value) in [(&LIMIT, limit), (&REMAINING, left), (&RESET, reset)] {
        headers.insert(name.clone(), HeaderValue::from(value));
    }
}

/// Seconds, rounded up: whoever waits that long has waited long enough.
fn whole(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
