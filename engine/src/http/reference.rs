//! The API described: the OpenAPI document, and a page that shows it and needs no foreign host.
//!
//! The page itself is the same in every installation and knows nothing, so anybody may have it; it asks for the token
//! and fetches the document with it.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Document, Ref, RefOr, Response as Described, ResponseBuilder, Responses,
};
use utoipa::{Modify, OpenApi};

use super::access::{self, Access};
use super::problem::{Code, Problem};
use super::session::ACCESS_COOKIE;
use super::{Shared, router};

#[derive(OpenApi)]
#[openapi(
    info(title = "Compline", description = "Background jobs and schedules of a regulated business.\n\nEvery route below `/v1` names the permission that it asks for. Whoever calls shows a token as `Authorization: Bearer TOKEN`, which may be that of `http.token`, one of a service, the access token of a session or a JWT of the platform; or the cookie of a session. Those of health are open, those of hooks ask for a signature, and those below `/auth` open a session or belong to one. What goes wrong is told as `application/problem+json` with a stable code."),
    components(schemas(Problem)),
    modifiers(&Token),
)]
pub struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(access::TOKEN, SecurityScheme::Http(scheme.clone()));
        components.add_security_scheme(access::ACCESS_TOKEN, SecurityScheme::Http(scheme));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(ACCESS_COOKIE));
        components.add_security_scheme(access::SESSION, SecurityScheme::ApiKey(cookie));
    }
}

/// What any route may answer, beside what it says of itself.
const ANYWHERE: &[Code] = &[Code::InvalidParameter, Code::Internal];
/// What any route that asks who calls may.
const GUARDED: &[Code] = &[Code::Unauthorized, Code::Forbidden, Code::StoreAway, Code::TimedOut];
/// What any route may but those of health.
const COUNTED: &[Code] = &[Code::RateLimited];
/// What a route that is carried out once under a key may.
const KEYED: &[Code] = &[Code::IdempotencyKeyReused];
/// What a route that reads a body may.
const READING: &[Code] = &[
    Code::InvalidJson,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::InvalidBody,
];

/// The whole document. Answers that are the same everywhere are written here once.
pub fn document() -> Document {
    let mut document = router::document();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        let operations =
            operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)));
        for (method, operation) in operations {
            operation.operation_id = Some(name(method, path));
            let guarded = matches!(Access::of(operation), Some(Access::Asks(_)) | None);
            access::by_other_ways_too(operation);
            let reading = operation.request_body.is_some();
            let keyed = operation
                .parameters
                .iter()
                .flatten()
                .any(|parameter| matches!(parameter, RefOr::T(own) if own.name == "Idempotency-Key"));
            let counted = !matches!(path.as_str(), "/livez" | "/readyz");
            let sets = [
                (ANYWHERE, true),
                (COUNTED, counted),
                (GUARDED, guarded),
                (READING, reading),
                (KEYED, keyed),
            ];
            for code in sets.iter().filter(|(_, holds)| *holds).flat_map(|(codes, _)| *codes) {
                add(&mut operation.responses, *code);
            }
        }
    }
    document
}

/// The name of an operation, for programs that are made from the document: `post_schedules_name_run`.
fn name(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !matches!(*word, "" | "v1"));
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn add(responses: &mut Responses, code: Code) {
    let status = code.status().as_u16().to_string();
    responses.responses.entry(status).or_insert_with(|| RefOr::T(problem(code.title())));
}

fn problem(title: &str) -> Described {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(format!("{title}."))
        .content("application/problem+json", content)
        .build()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "reference", security(("token" = [])),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)))]
pub async fn openapi(State(_): State<Shared>) -> Json<Document> {
    Json(document())
}

/// The page, its script and its style. They may load each other and the document, and nothing else.
pub fn pages() -> Router<Shared> {
    Router::new()
        .route("/docs", get(|| page("text/html; charset=utf-8", include_str!("reference/page.html"))))
        .route(
            "/docs/page.js",
            get(|| page("text/javascript; charset=utf-8", include_str!("reference/page.js"))),
        )
        .route("/docs/page.css", get(|| page("text/css; charset=utf-8", include_str!("reference/page.css"))))
}

async fn page(media: &'static str, text: &'static str) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";
    let headers = [(CONTENT_TYPE, media), (CONTENT_SECURITY_POLICY, POLICY)];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}
