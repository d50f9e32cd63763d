//! What every call passes: faults, tokens, limits and the record. Whoever answers sees none of it.

use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State as Shared};
use axum::response::Response;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Cut;
use super::call::{Answer, Answered, Call};
use crate::faults::{Class, Fault};
use crate::house::House;
use crate::record::{Recorded, shortened};
use crate::refusal::Refusal;
use crate::state::State;

/// Bodies are held whole.
const LARGEST_BODY: usize = 64 << 20;

/// One operation. It is given everything, under the lock.
pub type Verb = fn(&mut State, &Call, Timestamp) -> Answered;

/// What is asked of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nothing: whoever asks for a token has none.
    Open,
    /// A token.
    Token,
    /// A token, the right account, and room within the limits.
    Account,
}

pub async fn answer(house: Arc<House>, door: Door, verb: Verb, call: Call) -> Response {
    let fault = house.with(|state, _| state.faults.draw(Class::of(&call.method, &call.path)));
    let trace = Uuid::new_v4().to_string();
    let at = house.with(|state, now| begin(state, &call, &trace, fault, now));
    tokio::time::sleep(house.latency).await;
    let one = One { house, door, verb, call, trace, at };
    match fault {
        None => one.done().response(false),
        Some(Fault::TokenRevoked) => {
            one.house.with(|state, _| revoke(state, &one.call));
            one.done().response(false)
        }
        Some(Fault::Latency(more)) => {
            let answer = one.done();
            tokio::time::sleep(more).await;
            answer.response(false)
        }
        Some(Fault::Truncated) => one.done().response(true),
        Some(Fault::ErrorAfter(status)) => {
            one.done();
            one.instead(status, &error(status))
        }
        Some(Fault::ErrorBefore(status)) => one.instead(status, &error(status)),
        Some(Fault::Html) => one.instead(502, &Answer::page(502, BAD_GATEWAY.into())),
        Some(Fault::LostAnswer) => {
            one.done();
            one.cut()
        }
        Some(Fault::LostBefore) => one.cut(),
        Some(Fault::LateCommit(after)) => {
            let cut = one.cut();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                one.done();
            });
            cut
        }
    }
}

const BAD_GATEWAY: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>";

fn error(status: u16) -> Answer {
    let body = json!({"errorCode": "UNSPECIFIED_ERROR", "message": "An error occurred on the server."});
    Answer::json(status, body)
}

/// A call on its way.
struct One {
    house: Arc<House>,
    door: Door,
    verb: Verb,
    call: Call,
    trace: String,
    /// Where it is recorded.
    at: usize,
}

impl One {
    /// Does what is asked, and writes down what is answered.
    fn done(&self) -> Answer {
        let mut answer = self.house.with(|state, now| {
            let mut call = self.call.clone();
            let (headers, passed) = pass(state, &mut call, self.door, now);
            let answered = passed.and_then(|()| (self.verb)(state, &call, now));
            let mut answer = answered.unwrap_or_else(|refusal| Answer::refused(&refusal));
            answer.headers.extend(headers);
            let ended = state.next_number();
            if let Some(recorded) = state.call_at(self.at) {
                recorded.ended = Some(ended);
                recorded.subject = call.subject;
                recorded.status = Some(answer.status);
                recorded.answer = shortened(answer.recorded());
            }
            answer
        });
        answer.headers.push(("X-DocuSign-TraceToken", self.trace.clone()));
        answer
    }

    /// Another answer than the one that was due.
    fn instead(&self, status: u16, answer: &Answer) -> Response {
        self.house.with(|state, _| {
            let ended = state.next_number();
            if let Some(recorded) = state.call_at(self.at) {
                recorded.ended.get_or_insert(ended);
                recorded.status.get_or_insert(status);
            }
        });
        let mut answer = answer.clone();
        answer.headers.push(("X-DocuSign-TraceToken", self.trace.clone()));
        answer.response(false)
    }

    fn cut(&self) -> Response {
        self.house.with(|state, _| {
            let ended = state.next_number();
            if let Some(recorded) = state.call_at(self.at) {
                recorded.answered = false;
                // A call that was not done has ended for its caller; one that comes late ends when it comes.
                recorded.ended.get_or_insert(ended);
            }
        });
        let mut response = Response::default();
        response.extensions_mut().insert(Cut);
        response
    }
}

fn begin(state: &mut State, call: &Call, trace: &str, fault: Option<Fault>, now: Timestamp) -> usize {
    let body = match call.header("content-type") {
        kind if kind.starts_with("application/x-www-form-urlencoded") => json!(call.form()),
        kind if kind.starts_with("multipart/form-data") => super::multipart::json_part(kind, &call.body),
        _ => serde_json::from_slice(&call.body).unwrap_or(Value::Null),
    };
    let began = state.next_number();
    state.record(Recorded {
        began,
        ended: None,
        at: now,
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query_text.clone(),
        subject: None,
        body: shortened(body),
        status: None,
        answer: Value::Null,
        trace: trace.into(),
        fault: fault.map(|fault| fault.name().to_owned()),
        answered: true,
    })
}

/// Is this call let in? And what it is told about the limits.
fn pass(
    state: &mut State,
    call: &mut Call,
    door: Door,
    now: Timestamp,
) -> (crate::limits::Headers, Result<(), Refusal>) {
    if door == Door::Open {
        return (Vec::new(), Ok(()));
    }
    match subject(state, call, now) {
        Ok(subject) => call.subject = Some(subject),
        Err(refusal) => return (Vec::new(), Err(refusal)),
    }
    if door == Door::Token {
        return (Vec::new(), Ok(()));
    }
    if !call.place("account").eq_ignore_ascii_case(&state.account_id) {
        let refusal = Refusal::new(
            401,
            "USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT",
            "The specified User is not a member of the specified Account.",
        );
        return (Vec::new(), Err(refusal));
    }
    let (headers, mut exceeded) = state.meter.call(&state.switches, now);
    let envelope = call.place("envelope");
    if exceeded.is_none() && call.method == "GET" && !envelope.is_empty() {
        let url = format!("{}?{}", call.path, call.query_text);
        exceeded = state.looks.look(&state.switches, envelope, &url, now);
    }
    let refused = exceeded
        .map(|exceeded| Refusal::new(exceeded.status(&state.switches), exceeded.code(), exceeded.message()));
    (headers, refused.map_or(Ok(()), Err))
}

fn bearer(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header("authorization").split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn subject(state: &State, call: &Call, now: Timestamp) -> Result<String, Refusal> {
    let Some(token) = bearer(call) else {
        return Err(Refusal::token(
            "PARTNER_AUTHENTICATION_FAILED",
            "The specified Integrator Key was not found or is disabled. An Integrator key was not specified.",
        ));
    };
    let Some(token) = state.tokens.get(token) else {
        return Err(Refusal::token(
            "USER_AUTHENTICATION_FAILED",
            "One or both of Username and Password are invalid. Invalid access token",
        ));
    };
    if token.revoked || token.expires <= now {
        return Err(Refusal::token(
            "AUTHORIZATION_INVALID_TOKEN",
            "The access token provided is expired, revoked or malformed. Authentication for System Application \
             failed.",
        ));
    }
    Ok(token.subject.clone())
}

fn revoke(state: &mut State, call: &Call) {
    if let Some(token) = bearer(call).and_then(|token| state.tokens.get_mut(token)) {
        token.revoked = true;
    }
}

/// A request that is read whole, or an answer to one that is too long.
pub async fn read(request: Request, places: RawPathParams) -> Result<Call, Answer> {
    let (head, body) = request.into_parts();
    let limited = http_body_util::Limited::new(body, LARGEST_BODY);
    let body = limited.collect().await.map_err(|_| {
        Answer::refused(&Refusal::new(413, "MAX_REQUEST_SIZE_EXCEEDED", "The request is too large."))
    })?;
    Ok(Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query_text: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        places: places.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        subject: None,
    })
}

/// What axum calls for one route.
pub async fn enter(
    Shared(house): Shared<Arc<House>>,
    places: RawPathParams,
    request: Request,
    door: Door,
    verb: Verb,
) -> Response {
    match read(request, places).await {
        Ok(call) => answer(house, door, verb, call).await,
        Err(refused) => refused.response(false),
    }
}
