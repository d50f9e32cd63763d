//! `/_emulator`: people and tests act for recipients, move the clock, and look at everything. Refused unless the server
//! is bound to loopback, since whoever can ask here can do all of that.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequest, Path, Query, Request, State as Shared};
use axum::http::header::{HOST, HeaderMap, ORIGIN};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, http::StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::clock::written;
use crate::connect::post::{self, Mode};
use crate::faults::Faults;
use crate::house::House;
use crate::life::{self, Act};
use crate::refusal::Refusal;
use crate::rules;
use crate::state::{HmacKey, State};

type Its = Shared<Arc<House>>;

pub fn routes() -> Router<Arc<House>> {
    Router::new()
        .route("/state", get(dump))
        .route("/recorded", get(recorded).delete(forget))
        .route("/violations", get(violations))
        .route("/envelopes", get(envelopes))
        .route("/envelopes/{envelope}/recipients/{recipient}/{act}", post(act))
        .route("/connect/deliver", post(deliver))
        .route("/connect/messages", get(messages))
        .route("/connect/keys", get(keys).put(put_keys))
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .route("/faults", get(faults).put(put_faults))
        .route("/switches", get(switches).put(put_switches))
        .route("/tokens/revoke", post(revoke))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

/// Before each of them.
pub async fn only_here(Shared(house): Its, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_emulator") {
        if !house.loopback {
            return no(
                StatusCode::FORBIDDEN,
                "the control API answers only a server that is bound to loopback",
            );
        }
        // A page that somebody has open in a browser can call this machine too.
        if request.headers().contains_key(ORIGIN) || !is_here(request.headers()) {
            return no(
                StatusCode::FORBIDDEN,
                "the control API answers no pages, and no name but that of this machine",
            );
        }
    }
    next.run(request).await
}

/// Does the caller know this machine as itself? Behind another name there may be a page that had it changed.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// A body of JSON, whatever kind it says that it is: curl says another.
struct Said<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Said<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&body)
            .map(Said)
            .map_err(|error| bad(&format!("the body is not what is wanted: {error}")))
    }
}

/// The layer that puts [`only_here`] before a router.
pub fn guarded(router: Router, house: Arc<House>) -> Router {
    router.layer(middleware::from_fn_with_state(house, only_here))
}

fn no(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}

fn bad(why: &str) -> Response {
    no(StatusCode::BAD_REQUEST, why)
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({"errorCode": refusal.code, "message": refusal.message}))).into_response()
}

async fn nowhere(request: Request) -> Response {
    // The router has taken its own part of the path away.
    let (method, path) = (request.method(), request.uri().path());
    no(StatusCode::NOT_FOUND, &format!("the control API has no {method} /_emulator{path}"))
}

async fn dump(Shared(house): Its) -> Json<Value> {
    Json(house.with(|state, now| state.dump(now)))
}

#[derive(Deserialize)]
struct After {
    /// Only what began after this one.
    after: Option<u64>,
}

async fn recorded(Shared(house): Its, Query(wanted): Query<After>) -> Json<Value> {
    let after = wanted.after.unwrap_or(0);
    let calls = house.with(|state, _| {
        state.recorded.iter().filter(|call| call.began > after).cloned().collect::<Vec<_>>()
    });
    Json(json!({"recorded": calls}))
}

/// The record only; what is on its way is not written down any more.
async fn forget(Shared(house): Its) -> StatusCode {
    house.with(|state, _| {
        state.forgotten += state.recorded.len();
        state.recorded.clear();
    });
    StatusCode::NO_CONTENT
}

async fn violations(Shared(house): Its) -> Json<Value> {
    let calls = house.with(|state, _| state.recorded.clone());
    Json(json!({"violations": rules::violations(&calls)}))
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: Option<String>,
}

/// Envelopes by a custom field: how many there are for each of its values, or those of one.
async fn envelopes(Shared(house): Its, Query(field): Query<Field>) -> Json<Value> {
    Json(house.with(|state, _| state.by_field(&field.name, field.value.as_deref())))
}

#[derive(Deserialize)]
struct Why {
    reason: Option<String>,
}

async fn act(
    Shared(house): Its,
    Path((envelope, recipient, act)): Path<(String, String, String)>,
    Query(why): Query<Why>,
) -> Response {
    let act = match act.as_str() {
        "view" => Act::View,
        "sign" => Act::Sign,
        "decline" => Act::Decline(why.reason.unwrap_or_else(|| "Declined by the emulator".into())),
        other => return bad(&format!("a recipient does view, sign or decline, not {other}")),
    };
    let done = house.with(|state, now| {
        state.change(&envelope, now, |envelope| life::act(envelope, &recipient, &act, now))?;
        let envelope = state.envelope(&envelope)?;
        Ok(json!({"envelopeId": envelope.id, "status": envelope.status.name()}))
    });
    done.map_or_else(|refusal| refused(&refusal), |shown| Json(shown).into_response())
}

#[derive(Deserialize)]
struct How {
    mode: Option<String>,
}

async fn deliver(Shared(house): Its, Query(how): Query<How>) -> Response {
    match how.mode.as_deref().unwrap_or("normal").parse::<Mode>() {
        Ok(mode) => Json(post::deliver(&house, mode).await).into_response(),
        Err(why) => bad(&why),
    }
}

async fn messages(Shared(house): Its) -> Json<Value> {
    let shown: Vec<Value> = house.with(|state, _| state.messages.iter().map(crate::state::message).collect());
    Json(json!({"messages": shown}))
}

async fn keys(Shared(house): Its) -> Json<Value> {
    Json(house.with(|state, _| shown_keys(state)))
}

fn shown_keys(state: &State) -> Value {
    let keys: Vec<Value> =
        state.hmac_keys.iter().map(|key| json!({"keyId": key.id, "secret": key.secret})).collect();
    json!({"keys": keys})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    secrets: Vec<String>,
}

/// All keys anew, the first signs as number one.
async fn put_keys(Shared(house): Its, Said(keys): Said<Keys>) -> Json<Value> {
    Json(house.with(|state, _| {
        state.hmac_keys = hmac_keys(&keys.secrets);
        shown_keys(state)
    }))
}

pub fn hmac_keys(secrets: &[String]) -> Vec<HmacKey> {
    let numbered = secrets.iter().enumerate();
    numbered.map(|(at, secret)| HmacKey { id: format!("key-{}", at + 1), secret: secret.clone() }).collect()
}

async fn clock(Shared(house): Its) -> Json<Value> {
    let virtual_ = house.clock.is_virtual();
    Json(house.with(|_, now| json!({"now": written(now), "virtual": virtual_})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    seconds: f64,
}

async fn advance(Shared(house): Its, Said(by): Said<By>) -> Response {
    let Ok(by) = Duration::try_from_secs_f64(by.seconds) else {
        return bad("seconds is a number from 0 up");
    };
    match house.clock.advance(by) {
        Ok(now) => {
            house.with(|_, _| ());
            house.news.notify_one();
            Json(json!({"now": written(now), "virtual": true})).into_response()
        }
        Err(unmoved) => no(StatusCode::CONFLICT, &unmoved.to_string()),
    }
}

fn shown_faults(state: &State) -> Value {
    let rules: Vec<String> = state.faults.rules().iter().map(ToString::to_string).collect();
    json!({"seed": state.faults.seed, "rules": rules})
}

async fn faults(Shared(house): Its) -> Json<Value> {
    Json(house.with(|state, _| shown_faults(state)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    rules: Vec<String>,
}

/// All faults anew.
async fn put_faults(Shared(house): Its, Said(wrong): Said<Wrong>) -> Response {
    let rules: Result<Vec<_>, String> = wrong.rules.iter().map(|rule| rule.parse()).collect();
    match rules.and_then(|rules| Faults::new(wrong.seed, rules)) {
        Ok(faults) => Json(house.with(|state, _| {
            state.faults = faults;
            shown_faults(state)
        }))
        .into_response(),
        Err(why) => bad(&why),
    }
}

async fn switches(Shared(house): Its) -> Json<Value> {
    Json(house.with(|state, _| json!(state.switches)))
}

/// Those that are named; the others stay.
async fn put_switches(Shared(house): Its, Said(changes): Said<Map<String, Value>>) -> Response {
    let changed = house.with(|state, _| {
        state.switches = state.switches.changed(&changes)?;
        Ok::<_, String>(json!(state.switches))
    });
    house.news.notify_one();
    changed.map_or_else(|why| bad(&why), |switches| Json(switches).into_response())
}

/// All tokens that are out are worth nothing any more.
async fn revoke(Shared(house): Its) -> Json<Value> {
    Json(json!({"revoked": house.with(|state, _| state.revoke_tokens())}))
}
