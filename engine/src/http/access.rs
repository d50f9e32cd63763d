//! What each route asks of whoever calls, as its description declares it beside the route, and enforced from there: the
//! document that callers read is the table that the guard looks into. What declares nothing is closed.
//!
//! `security(("token" = ["jobs:read"]))` asks for a permission, `security(("token" = []))` for being known,
//! `security(("session" = []))` for a session, and `security(())` for nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tracing::{error, info};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;

use super::problem::{Code, Problem};
use super::{Api, Shared};
use super::{credential, session};
use crate::identity::Principal;
use crate::identity::principal::{Need, Refusal, may};

/// The scheme of whoever shows a bearer token, and of a session that does in its place.
pub const TOKEN: &str = "token";
pub const SESSION: &str = "session";
/// The scheme of the token that a session gives to programs, which keep no cookies.
pub const ACCESS_TOKEN: &str = "access_token";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, or whoever signs what it sends.
    Open,
    /// Whoever has a session, which the route looks at itself.
    Session,
    /// Whoever is known by one of the ways of [`credential`], with this.
    Asks(Need),
}

impl Access {
    /// None where nothing is declared, or something that is not understood.
    pub fn of(operation: &Operation) -> Option<Self> {
        let declared = operation.security.as_ref()?;
        let schemes: Vec<BTreeMap<String, Vec<String>>> =
            declared.iter().map(schemes).collect::<Option<_>>()?;
        let [schemes] = schemes.as_slice() else {
            // The document that is served offers a session in the place of each token, and its token in the place of a cookie.
            return match schemes.as_slice() {
                [token, session] if is(token, ACCESS_TOKEN) && is(session, SESSION) => Some(Self::Session),
                [token, session] if token.get(TOKEN) == session.get(SESSION) => asks(token.get(TOKEN)?),
                _ => None,
            };
        };
        match schemes.iter().next() {
            None => Some(Self::Open),
            Some((scheme, none)) if scheme == SESSION && none.is_empty() => Some(Self::Session),
            Some((scheme, asked)) if scheme == TOKEN && schemes.len() == 1 => asks(asked),
            Some(_) => None,
        }
    }
}

/// This scheme, which asks for nothing more.
fn is(schemes: &BTreeMap<String, Vec<String>>, scheme: &str) -> bool {
    schemes.len() == 1 && schemes.get(scheme).is_some_and(Vec::is_empty)
}

fn asks(permissions: &[String]) -> Option<Access> {
    match permissions {
        [] => Some(Access::Asks(Need::Known)),
        [one] => Some(Access::Asks(Need::Permission(one.parse().ok()?))),
        _ => None,
    }
}

/// The library shows what is in one only as it is written.
fn schemes(requirement: &SecurityRequirement) -> Option<BTreeMap<String, Vec<String>>> {
    serde_json::from_value::<BTreeMap<String, Value>>(serde_json::to_value(requirement).ok()?)
        .ok()?
        .into_iter()
        .map(|(scheme, asked)| Some((scheme, serde_json::from_value(asked).ok()?)))
        .collect()
}

/// The other ways in: a session does for each token, and its access token for its cookie.
pub fn by_other_ways_too(operation: &mut Operation) {
    let (asked, ways) = match Access::of(operation) {
        Some(Access::Asks(Need::Permission(permission))) => (vec![permission.name()], [TOKEN, SESSION]),
        Some(Access::Asks(Need::Known)) => (Vec::new(), [TOKEN, SESSION]),
        Some(Access::Session) => (Vec::new(), [ACCESS_TOKEN, SESSION]),
        Some(Access::Open) | None => return,
    };
    operation.security = Some(ways.map(|way| SecurityRequirement::new(way, asked.clone())).into());
}

/// What each route declares.
#[derive(Debug, Default)]
pub struct Declared(HashMap<String, Vec<(Method, Option<Access>)>>);

impl Declared {
    pub fn of(document: &Document) -> Self {
        let mut declared = HashMap::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::DELETE, &item.delete),
                (Method::PATCH, &item.patch),
            ];
            let found = methods.into_iter().filter_map(|(method, operation)| {
                let operation = operation.as_ref()?;
                Some((method, Access::of(operation)))
            });
            declared.insert(path.clone(), found.collect());
        }
        Self(declared)
    }

    fn find(&self, route: &str, method: &Method) -> Found<'_> {
        let Some(methods) = self.0.get(route) else { return Found::Nothing };
        match methods.iter().find(|(own, _)| own == method) {
            None => Found::OtherMethods(methods),
            Some((_, Some(Access::Asks(need)))) => Found::Need(*need),
            // A route behind the guard is for somebody.
            Some((_, Some(Access::Open | Access::Session) | None)) => Found::Nothing,
        }
    }
}

enum Found<'a> {
    Need(Need),
    /// The route is there under these.
    OtherMethods(&'a [(Method, Option<Access>)]),
    /// Nobody said who may call it.
    Nothing,
}

/// Who calls, if it may do what it asks for.
pub async fn admit(api: &Api, declared: &Declared, parts: &Parts) -> Result<Principal, Response> {
    let principal = credential::principal(api, parts).await.map_err(IntoResponse::into_response)?;
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let need = match declared.find(route, &parts.method) {
        Found::Need(need) => need,
        Found::OtherMethods(methods) => return Err(not_allowed(methods)),
        Found::Nothing => {
            error!("{} {route} does not declare who may call it, so nobody may", parts.method);
            let remedy = "report it; the description of the route is to name a permission";
            let detail = "nobody may call this route: it does not say who may";
            return Err(Problem::new(Code::Forbidden, detail, remedy).into_response());
        }
    };
    let from = session::address(&parts.headers, &parts.extensions, &api.proxies);
    may(&principal, need, from, &api.admin_networks).map(|()| principal.clone()).map_err(|refusal| {
        info!("{} may not {} {route}: {refusal:?}", principal.name, parts.method);
        refused(refusal).into_response()
    })
}

/// Whoever was let in to something that goes on, and what it showed.
pub struct Still {
    declared: Arc<Declared>,
    parts: Parts,
}

/// What is shown may be taken back while somebody listens.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

impl FromRequestParts<Shared> for Still {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let declared = parts.extensions.get::<Arc<Declared>>().cloned().ok_or_else(Problem::internal)?;
        Ok(Self { declared, parts: parts.clone() })
    }
}

impl Still {
    /// Comes back when it would not be let in any more. A store that is away says nothing about that.
    pub async fn over(self, api: Shared) {
        loop {
            api.clock.sleep(LOOK_AGAIN).await;
            let again = admit(&api, &self.declared, &self.parts).await;
            if again.is_err_and(|refused| refused.status().is_client_error()) {
                return;
            }
        }
    }
}

/// The header is what the outermost layer makes the answer of.
fn not_allowed(methods: &[(Method, Option<Access>)]) -> Response {
    let names: Vec<_> = methods.iter().map(|(method, _)| method.as_str()).collect();
    let allow = HeaderValue::from_str(&names.join(",")).unwrap_or(HeaderValue::from_static(""));
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allow)]).into_response()
}

pub fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Lacks(permission) => Problem::new(
            Code::Forbidden,
            format!("this needs the permission {permission}, which you do not have"),
            "ask whoever manages users and tokens for it, or use another token",
        ),
        Refusal::BeyondTenant(permission) => Problem::new(
            Code::Forbidden,
            format!("{permission} is about the whole installation, and you belong to a tenant"),
            "ask whoever runs the installation",
        ),
        Refusal::Network(permission) => Problem::new(
            Code::NetworkRefused,
            format!("{permission} is not to be used from this address"),
            "call from one of the networks in http.admin_networks",
        ),
    }
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::path::OperationBuilder;

    use super::*;
    use crate::identity::Permission;

    fn operation(security: Option<Vec<SecurityRequirement>>) -> Operation {
        let mut operation = OperationBuilder::new().build();
        operation.security = security;
        operation
    }

    #[test]
    fn what_is_declared_is_what_is_asked_and_what_is_not_understood_is_nothing() {
        let token = |asked: &[&str]| SecurityRequirement::new(TOKEN, asked.iter().copied());
        let session = |asked: &[&str]| SecurityRequirement::new(SESSION, asked.iter().copied());
        let read = Access::Asks(Need::Permission(Permission::JobsRead));
        for (declared, access) in [
            (None, None),
            (Some(vec![SecurityRequirement::default()]), Some(Access::Open)),
            (Some(vec![session(&[])]), Some(Access::Session)),
            (Some(vec![token(&[])]), Some(Access::Asks(Need::Known))),
            (Some(vec![token(&["jobs:read"])]), Some(read)),
            (Some(vec![token(&["jobs:read"]), session(&["jobs:read"])]), Some(read)),
            (Some(vec![token(&["jobs:read"]), session(&[])]), None),
            (Some(vec![token(&["jobs:read"]), SecurityRequirement::default()]), None),
            (Some(vec![token(&["jobs:read", "jobs:write"])]), None),
            (Some(vec![token(&["jobs:fly"])]), None),
            (Some(vec![token(&["jobs:read"]).add::<_, [&str; 0], &str>("other", [])]), None),
            (Some(vec![session(&["jobs:read"])]), None),
            (
                Some(vec![SecurityRequirement::new(ACCESS_TOKEN, [""; 0]), session(&[])]),
                Some(Access::Session),
            ),
            (Some(vec![SecurityRequirement::new(ACCESS_TOKEN, ["jobs:read"]), session(&[])]), None),
            (Some(vec![SecurityRequirement::new("other", ["jobs:read"])]), None),
            (Some(vec![]), None),
        ] {
            let operation = operation(declared.clone());
            assert_eq!(
                Access::of(&operation),
                access,
                "{:?}",
                declared.map(|all| serde_json::to_value(all).unwrap())
            );
        }
    }

    #[test]
    fn every_way_in_is_offered_and_asks_for_the_same() {
        for (scheme, permissions) in [(TOKEN, &["jobs:read"][..]), (TOKEN, &[]), (SESSION, &[])] {
            let mut operation = operation(Some(vec![SecurityRequirement::new(scheme, permissions.to_vec())]));
            let before = Access::of(&operation);
            by_other_ways_too(&mut operation);
            assert_eq!(
                (operation.security.as_ref().map(Vec::len), Access::of(&operation)),
                (Some(2), before)
            );
        }
        let mut open = operation(Some(vec![SecurityRequirement::default()]));
        by_other_ways_too(&mut open);
        assert_eq!(open.security.map(|all| all.len()), Some(1));
    }
}
