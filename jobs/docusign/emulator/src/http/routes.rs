//! Which path is whose.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State as Shared};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use jiff::Timestamp;
use serde_json::json;

use super::call::{Answer, Answered, Call};
use super::door::{self, Door, Verb};
use super::{connect, control, create, documents, envelopes, listing, oauth, recipients, signing};
use crate::house::House;
use crate::refusal::Refusal;
use crate::state::State;

type Routes = MethodRouter<Arc<House>>;

fn of(door: Door, verbs: &[(MethodFilter, Verb)]) -> Routes {
    let mut routes = Routes::new();
    for (method, verb) in verbs {
        let verb = *verb;
        let enter = move |house: Shared<Arc<House>>, places: RawPathParams, request: Request| {
            door::enter(house, places, request, door, verb)
        };
        routes = routes.merge(on(*method, enter));
    }
    routes
}

pub fn all(house: Arc<House>) -> Router {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    const PUT: MethodFilter = MethodFilter::PUT;
    const DELETE: MethodFilter = MethodFilter::DELETE;
    let account = |verbs: &[(MethodFilter, Verb)]| of(Door::Account, verbs);
    let place = |rest: &str| format!("/restapi/v2.1/accounts/{{account}}{rest}");
    // Whole paths, since a nested router would hide the first part from the record.
    let api = Router::new()
        .route(&place("/envelopes"), account(&[(POST, create::envelope), (GET, listing::list)]))
        .route(&place("/envelopes/status"), account(&[(PUT, listing::statuses)]))
        .route(&place("/envelopes/{envelope}"), account(&[(GET, envelopes::get), (PUT, envelopes::put)]))
        .route(&place("/envelopes/{envelope}/audit_events"), account(&[(GET, envelopes::audit_events)]))
        .route(
            &place("/envelopes/{envelope}/custom_fields"),
            account(&[
                (GET, envelopes::custom_fields),
                (POST, envelopes::add_custom_fields),
                (PUT, envelopes::put_custom_fields),
                (DELETE, envelopes::delete_custom_fields),
            ]),
        )
        .route(
            &place("/envelopes/{envelope}/notification"),
            account(&[(GET, envelopes::notification), (PUT, envelopes::put_notification)]),
        )
        .route(
            &place("/envelopes/{envelope}/documents"),
            account(&[(GET, documents::list), (PUT, documents::put_all), (DELETE, documents::delete)]),
        )
        .route(
            &place("/envelopes/{envelope}/documents/{document}"),
            account(&[(GET, documents::get), (PUT, documents::put)]),
        )
        .route(
            &place("/envelopes/{envelope}/recipients"),
            account(&[
                (GET, recipients::list),
                (POST, recipients::add),
                (PUT, recipients::put),
                (DELETE, recipients::delete),
            ]),
        )
        .route(
            &place("/envelopes/{envelope}/recipients/{recipient}"),
            account(&[(DELETE, recipients::delete_one)]),
        )
        .route(
            &place("/envelopes/{envelope}/recipients/{recipient}/tabs"),
            account(&[
                (GET, recipients::tabs),
                (POST, recipients::add_tabs),
                (PUT, recipients::put_tabs),
                (DELETE, recipients::delete_tabs),
            ]),
        )
        .route(&place("/envelopes/{envelope}/views/recipient"), account(&[(POST, signing::recipient_view)]))
        .route(&place("/folders/{folder}"), account(&[(PUT, envelopes::move_to_folder)]))
        .route(&place("/connect/secret"), account(&[(GET, connect::secrets), (POST, connect::add_secret)]))
        .route(&place("/connect/secret/{key}"), account(&[(DELETE, connect::delete_secret)]))
        .route(&place("/connect/failures"), account(&[(GET, connect::failures)]))
        .route(&place("/connect/logs"), account(&[(GET, connect::logs)]))
        .route(&place("/connect/envelopes/{envelope}/retry_queue"), account(&[(PUT, connect::retry_one)]))
        .route(&place("/connect/envelopes/retry_queue"), account(&[(PUT, connect::retry_many)]));
    Router::new()
        .route("/oauth/token", of(Door::Open, &[(POST, oauth::token)]))
        .route("/oauth/userinfo", of(Door::Token, &[(GET, oauth::userinfo)]))
        .route("/oauth/auth", of(Door::Open, &[(GET, oauth::consent_page), (POST, oauth::agree)]))
        .route("/Signing/{view}", of(Door::Open, &[(GET, signing::page), (POST, signing::act)]))
        .route("/restapi", of(Door::Open, &[(GET, versions)]))
        .route("/restapi/service_information", of(Door::Open, &[(GET, versions)]))
        .route("/restapi/v2.1", of(Door::Open, &[(GET, resources)]))
        .route(&place(""), account(&[(GET, account_information)]))
        .merge(api)
        .nest("/_emulator", control::routes())
        .route("/", get(|| async { "The DocuSign emulator. GET /_emulator/state shows what it holds.\n" }))
        .fallback_service(
            of(Door::Open, &[(MethodFilter::GET, nowhere)]).fallback(not_here).with_state(house.clone()),
        )
        .method_not_allowed_fallback(not_here)
        .with_state(house)
}

async fn not_here(
    house: Shared<Arc<House>>,
    places: RawPathParams,
    request: Request,
) -> axum::response::Response {
    door::enter(house, places, request, Door::Open, nowhere).await
}

fn nowhere(_: &mut State, call: &Call, _: Timestamp) -> Answered {
    let message = format!("The emulator has no {} {}.", call.method, call.path);
    Err(Refusal::new(404, "RESOURCE_NOT_FOUND", &message))
}

fn versions(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    Answer::ok(json!({
        "buildVersion": env!("CARGO_PKG_VERSION"),
        "serviceVersions": [{"version": "v2.1", "versionUrl": format!("{}/restapi/v2.1", state.url)}],
    }))
}

fn resources(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    let accounts = format!("{}/restapi/v2.1/accounts", state.url);
    Answer::ok(json!({"resources": [{"name": "accounts", "value": accounts}]}))
}

fn account_information(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    Answer::ok(json!({
        "accountIdGuid": state.account_id, "accountName": "Emulated Account", "planName": "Emulator",
        "currentPlanId": "emulator", "isDefault": "true",
    }))
}
