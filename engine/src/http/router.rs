//! All routes on one page, and what stands before them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Declared;
use super::guard::Known;
use super::problem::{Code, Problem};
use super::{Shared, api, guard, health, rates, reference};

/// The routes with their description, and the router that needs nothing more than the state.
struct Routes {
    /// For everybody.
    open: OpenApiRouter<Shared>,
    /// For whoever signs what it sends.
    signed: OpenApiRouter<Shared>,
    /// For whoever signs in, or is signed in; each says so itself.
    sessions: OpenApiRouter<Shared>,
    /// For whoever is known, with the permission that each declares.
    quick: OpenApiRouter<Shared>,
    /// These too, and they take long by their nature, and have limits of their own.
    long: OpenApiRouter<Shared>,
}

fn described() -> Routes {
    let open = OpenApiRouter::with_openapi(reference::Description::openapi())
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz));
    let signed =
        OpenApiRouter::new().routes(routes!(api::hooks::deliver)).routes(routes!(api::doors::deliver));
    let sessions = OpenApiRouter::new()
        .routes(routes!(api::auth::sign_in))
        .routes(routes!(api::auth::refresh))
        .routes(routes!(api::auth::sign_out))
        .routes(routes!(api::auth::me))
        .routes(routes!(api::auth::sessions::list, api::auth::sessions::end_others))
        .routes(routes!(api::auth::sessions::end))
        .routes(routes!(api::auth::own::password))
        .routes(routes!(api::auth::own::totp));
    let quick = OpenApiRouter::new()
        .routes(routes!(api::enqueue::enqueue, api::jobs::list))
        .routes(routes!(api::enqueue::enqueue_batch))
        .routes(routes!(api::jobs::get))
        .routes(routes!(api::jobs::retry))
        .routes(routes!(api::jobs::cancel))
        .routes(routes!(api::jobs::discard))
        .routes(routes!(api::reviews::review, api::reviews::history))
        .routes(routes!(api::reviews::latest))
        .routes(routes!(api::artifacts::list))
        .routes(routes!(api::bulk::start))
        .routes(routes!(api::bulk::get))
        .routes(routes!(api::bulk::cancel))
        .routes(routes!(api::queues::list))
        .routes(routes!(api::queues::pause))
        .routes(routes!(api::queues::resume))
        .routes(routes!(api::limits::list))
        .routes(routes!(api::limits::get))
        .routes(routes!(api::limits::pause))
        .routes(routes!(api::limits::resume))
        .routes(routes!(api::schedules::list))
        .routes(routes!(api::schedules::get, api::schedules::put, api::schedules::delete))
        .routes(routes!(api::schedules::pause))
        .routes(routes!(api::schedules::resume))
        .routes(routes!(api::schedules::run))
        .routes(routes!(api::schedules::backfill))
        .routes(routes!(api::schedules::tryout::preview))
        .routes(routes!(api::schedules::tryout::simulation))
        .routes(routes!(api::alerts::list))
        .routes(routes!(api::alerts::get))
        .routes(routes!(api::alerts::acknowledge))
        .routes(routes!(api::alerts::test))
        .routes(routes!(api::approvals::list))
        .routes(routes!(api::approvals::get))
        .routes(routes!(api::approvals::grant))
        .routes(routes!(api::approvals::refuse))
        .routes(routes!(api::approvals::withdraw))
        .routes(routes!(api::models::list))
        .routes(routes!(api::models::get))
        .routes(routes!(api::models::promote))
        .routes(routes!(api::records::list))
        .routes(routes!(api::records::get))
        .routes(routes!(api::tokens::list, api::tokens::create))
        .routes(routes!(api::tokens::get, api::tokens::revoke))
        .routes(routes!(api::tokens::rotate))
        .routes(routes!(api::uploads::presigned::presign))
        .routes(routes!(api::uploads::get, api::uploads::delete))
        .routes(routes!(api::users::list, api::users::create))
        .routes(routes!(api::users::get))
        .routes(routes!(api::users::disable))
        .routes(routes!(api::users::enable))
        .routes(routes!(api::users::set_role))
        .routes(routes!(api::users::set_password))
        .routes(routes!(api::users::remove_second_factor))
        .routes(routes!(api::users::end_sessions))
        .routes(routes!(api::workers::list))
        .routes(routes!(api::kinds::list))
        .routes(routes!(reference::openapi));
    let long = OpenApiRouter::new()
        .routes(routes!(api::wait::wait))
        .routes(routes!(api::artifacts::download))
        .routes(routes!(api::uploads::create, api::uploads::list))
        .routes(routes!(api::uploads::presigned::complete))
        .routes(routes!(api::events::stream));
    Routes { open, signed, sessions, quick, long }
}

pub fn document() -> Document {
    let Routes { open, signed, sessions, quick, long } = described();
    open.merge(signed).merge(sessions).merge(quick).merge(long).into_openapi()
}

pub fn router(api: Shared, origins: &[String]) -> Router {
    let Routes { open, signed, sessions, quick, long } = described();
    let whence = middleware::from_fn_with_state(api.clone(), guard::whence);
    let signed = signed
        .merge(sessions)
        .route_layer(whence.clone())
        .route_layer(middleware::from_fn_with_state(api.clone(), guard::hurry));
    let document = document();
    let known = middleware::from_fn_with_state(Arc::new(Known::of(&document)), guard::parameters);
    let gate = (api.clone(), Arc::new(Declared::of(&document)));
    let open = open.merge(signed).route_layer(known.clone());
    let guarded = quick
        .route_layer(middleware::from_fn_with_state(api.clone(), guard::hurry))
        .merge(long)
        .route_layer(whence)
        .route_layer(known)
        .route_layer(middleware::from_fn_with_state(api.clone(), rates::known))
        .route_layer(middleware::from_fn_with_state(gate, guard::authenticate));
    let (router, _) = open.merge(guarded).split_for_parts();
    let router = router.merge(reference::pages()).fallback(unknown);
    let router = router.layer(middleware::from_fn_with_state(api.clone(), rates::unknown));
    let router = match cors(origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        // Bodies are read where they are needed, with a limit of ours.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(api.clone(), guard::finish))
        .with_state(api)
}

/// For connections that find all places taken: they hear whether the process lives, and are sent away.
pub fn beside(api: Shared) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(full)
        .layer(middleware::from_fn_with_state(api.clone(), guard::finish))
        .with_state(api)
}

/// A connection that is closed on what was not read is reset, and the answer lost with it.
const MOST_READ_OF_THE_REFUSED: usize = 1 << 20;
const LONGEST_READING_OF_THE_REFUSED: Duration = Duration::from_secs(1);

async fn full(request: Request) -> Problem {
    let body = to_bytes(request.into_body(), MOST_READ_OF_THE_REFUSED);
    // Whatever came of it is thrown away.
    let _ = tokio::time::timeout(LONGEST_READING_OF_THE_REFUSED, body).await;
    let remedy =
        "come again, with the same Idempotency-Key; http.connections says how many are served at once";
    Problem::new(Code::Crowded, "all connections that this process serves are in use", remedy).retry_after(1)
}

async fn unknown() -> Problem {
    Problem::new(
        Code::UnknownRoute,
        "there is no such route",
        "see GET /openapi.json or the page /docs for those there are",
    )
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let own = |name| HeaderName::from_static(name);
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::CONTENT_DISPOSITION,
                own("approval"),
                own("content-digest"),
                own("idempotency-key"),
                own("last-event-id"),
                own("traceparent"),
                own("tracestate"),
                own("x-csrf-token"),
                own("x-request-id"),
            ])
            .expose_headers(
                [header::LOCATION, header::RETRY_AFTER, own("x-request-id"), own("idempotent-replayed")]
                    .into_iter()
                    .chain(rates::headers())
                    .collect::<Vec<_>>(),
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::access::Access;

    fn declared(routes: OpenApiRouter<Shared>) -> Vec<(String, Option<Access>)> {
        let document = routes.into_openapi();
        let paths = document.paths.paths.iter();
        paths
            .flat_map(|(path, item)| {
                let methods = [&item.get, &item.post, &item.put, &item.delete, &item.patch, &item.head];
                methods.into_iter().flatten().map(move |operation| (path.clone(), Access::of(operation)))
            })
            .collect()
    }

    /// What stands behind the guard asks for something, and what does not says so.
    #[test]
    fn every_route_declares_who_may_call_it() {
        let Routes { open, signed, sessions, quick, long } = described();
        for (path, access) in declared(open).into_iter().chain(declared(signed)) {
            assert_eq!(access, Some(Access::Open), "{path}");
        }
        for (path, access) in declared(sessions) {
            assert!(matches!(access, Some(Access::Session | Access::Open)), "{path}: {access:?}");
        }
        for (path, access) in declared(quick).into_iter().chain(declared(long)) {
            assert!(matches!(access, Some(Access::Asks(_))), "{path}: {access:?}");
        }
    }
}
