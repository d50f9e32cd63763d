//! The calls. Each is made once: what follows when it fails is the jobs' affair, but for a token that is not taken and an account that is elsewhere by now. Then
//! DocuSign did nothing, and the call is repeated with another token, or there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use jobkit::Clock;
use jobkit::redact::ExposeSecret;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::sign_in::SignIn;
use super::wire::{self, Envelope, Envelopes, Made};
use super::{KEY_FIELD, OURS_FIELD, TRANSACTION_FIELD, faults};
use crate::config::AccountConfig;
use crate::provider::{
    Answer, Answered, Budget, By, CallError, Draft, Fault, Found, Reference, SignatureProvider, Stand,
};

/// An answer that takes longer is one that nobody knows of.
const TIMEOUT: Duration = Duration::from_secs(60);
const DOWNLOADING: Duration = Duration::from_secs(300);
/// Larger answers are no JSON of DocuSign's.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// Larger archives are not fetched.
const LARGEST_ARCHIVE: u64 = 2 * 1024 * 1024 * 1024;

pub struct DocuSign {
    sign_in: SignIn,
}

impl DocuSign {
    /// The client is one that follows no redirect.
    pub fn new(config: AccountConfig, http: Client, clock: Arc<dyn Clock>) -> Self {
        Self { sign_in: SignIn::new(config, http, clock) }
    }

    /// An answer that is a success, whole or still to be read.
    async fn ask(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<(Response, Budget), CallError> {
        let mut place = self.sign_in.place().await?;
        let (mut renewed, mut asked_where) = (false, false);
        loop {
            let url = place.base.join(path).map_err(|_| failed(doing, Fault::Refused))?;
            let request = self.sign_in.http.request(method.clone(), url).timeout(TIMEOUT);
            let request = finish(request.bearer_auth(place.token.secret.expose_secret()));
            let answer = request.send().await.map_err(|cause| failed_send(doing, &cause))?;
            let budget = self.budget(&answer);
            if answer.status().is_success() {
                return Ok((answer, budget));
            }
            let (status, trace, bytes) = read_all(doing, answer).await?;
            let (fault, code) = faults::api(status, &bytes);
            if fault == Fault::Token && !renewed {
                place = self.sign_in.renewed(&place).await?;
                renewed = true;
                continue;
            }
            if !asked_where && faults::is_perhaps_elsewhere(status, code.as_deref()) {
                asked_where = true;
                if let Ok(now) = self.sign_in.asked_again(&place).await
                    && now.base != place.base
                {
                    place = now;
                    continue;
                }
            }
            return Err(CallError { doing, fault, code, trace, status: Some(status), budget });
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answered<T>, CallError> {
        let (answer, budget) = self.ask(doing, method, path, finish).await?;
        let (status, trace, bytes) = read_all(doing, answer).await?;
        let value = serde_json::from_slice(&bytes).map_err(|_| CallError {
            doing,
            fault: Fault::Unknown,
            code: None,
            trace,
            status: Some(status),
            budget,
        })?;
        Ok(Answered { value, budget })
    }

    fn budget(&self, answer: &Response) -> Budget {
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        faults::budget(header("x-ratelimit-remaining"), header("x-ratelimit-reset"), self.sign_in.clock.now())
    }

    async fn search(
        &self,
        doing: &'static str,
        query: &[(&str, &str)],
    ) -> Result<Answered<Envelopes>, CallError> {
        let answer: Answered<Envelopes> =
            self.json(doing, Method::GET, "envelopes", |request| request.query(query)).await?;
        match answer.value.is_an_answer() {
            true => Ok(answer),
            false => {
                let fault = Fault::Unknown;
                Err(CallError {
                    doing,
                    fault,
                    code: None,
                    trace: None,
                    status: Some(200),
                    budget: answer.budget,
                })
            }
        }
    }

    async fn find_by(&self, reference: &Reference, by: By) -> Result<Answered<Vec<Found>>, CallError> {
        const DOING: &str = "looking for an envelope by its reference";
        let since = reference.since.to_string();
        let answer = match by {
            By::Transaction => {
                self.search(DOING, &[("transaction_ids", &reference.transaction), ("count", "100")]).await?
            }
            By::Key => {
                let wanted = format!("{KEY_FIELD}={}", reference.key);
                let query = [
                    ("from_date", since.as_str()),
                    ("custom_field", &wanted),
                    ("include", "custom_fields"),
                    ("count", "100"),
                ];
                self.search(DOING, &query).await?
            }
        };
        let Answered { value, budget } = answer;
        let listed = value.envelopes.unwrap_or_default();
        let is_it = |envelope: &&Envelope| match (by, envelope.custom_field(KEY_FIELD)) {
            // A search that does not look at fields must not give us what is somebody else's.
            (By::Key, Some(key)) => key.is_some_and(|key| key == reference.key),
            _ => true,
        };
        let own = (by == By::Transaction).then(|| reference.transaction.clone());
        let listed = listed.iter().filter(is_it).map(|envelope| {
            let told = envelope.custom_field(TRANSACTION_FIELD).flatten();
            Found { transaction: own.clone().or(told.map(str::to_owned)), ..envelope.found() }
        });
        // Some answers tell of transactions apart from envelopes.
        let told = value.envelope_transaction_statuses.iter().filter_map(|told| {
            let status = wire::status_of(told.status.as_deref().unwrap_or("created"));
            Some(Found { id: told.envelope_id.clone()?, status, made_at: None, transaction: own.clone() })
        });
        let mut found: Vec<Found> = listed.chain(told).collect();
        found.sort_by(|a, b| (a.made_at, &a.id).cmp(&(b.made_at, &b.id)));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(Answered { value: found, budget })
    }

    async fn change(&self, doing: &'static str, path: &str, body: &Value) -> Result<Answered<()>, CallError> {
        let answer: Answered<Value> =
            self.json(doing, Method::PUT, path, |request| as_json(request, body)).await?;
        // An envelope that is not changed may be told of in a success.
        let error = answer.value.pointer("/errorDetails/errorCode").and_then(Value::as_str);
        match error {
            Some(code) if !code.eq_ignore_ascii_case("success") => {
                let (fault, code) = faults::api(400, json!({ "errorCode": code }).to_string().as_bytes());
                Err(CallError { doing, fault, code, trace: None, status: Some(200), budget: answer.budget })
            }
            _ => Ok(Answered { value: (), budget: answer.budget }),
        }
    }

    async fn download(
        &self,
        doing: &'static str,
        path: &str,
        into: &Path,
    ) -> Result<Answered<u64>, CallError> {
        let (mut answer, budget) =
            self.ask(doing, Method::GET, path, |request| request.timeout(DOWNLOADING)).await?;
        let announced = answer.content_length();
        let torn = || CallError { budget, ..failed(doing, Fault::Torn) };
        let disk =
            |_| CallError { code: Some("no_room_for_it".into()), budget, ..failed(doing, Fault::Away) };
        let mut file = File::create(into).await.map_err(disk)?;
        let mut bytes = 0_u64;
        while let Some(piece) = answer.chunk().await.map_err(|_| torn())? {
            bytes += piece.len() as u64;
            if bytes > LARGEST_ARCHIVE {
                return Err(CallError {
                    code: Some("larger_than_2_gib".into()),
                    ..failed(doing, Fault::Refused)
                });
            }
            file.write_all(&piece).await.map_err(disk)?;
        }
        file.sync_all().await.map_err(disk)?;
        match announced.is_none_or(|announced| announced == bytes) {
            true => Ok(Answered { value: bytes, budget }),
            false => Err(torn()),
        }
    }
}

impl SignatureProvider for DocuSign {
    fn create<'a>(&'a self, draft: Draft<'a>, send: bool) -> Answer<'a, String> {
        async move {
            const DOING: &str = "making an envelope";
            let webhook = &self.sign_in.config.webhook_url;
            let body = wire::envelope(&draft, send, webhook);
            let made: Answered<Made> =
                self.json(DOING, Method::POST, "envelopes", |request| as_json(request, &body)).await?;
            let id = made.value.envelope_id.ok_or_else(|| failed(DOING, Fault::Unknown))?;
            Ok(Answered { value: id, budget: made.budget })
        }
        .boxed()
    }

    fn find<'a>(&'a self, reference: &'a Reference, by: By) -> Answer<'a, Vec<Found>> {
        self.find_by(reference, by).boxed()
    }

    fn send<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()> {
        async move {
            let path = format!("envelopes/{envelope}");
            self.change("sending an envelope", &path, &json!({ "status": "sent" })).await
        }
        .boxed()
    }

    fn stand<'a>(&'a self, envelope: &'a str) -> Answer<'a, Stand> {
        async move {
            const DOING: &str = "asking for an envelope";
            let path = format!("envelopes/{envelope}");
            let query = [("include", "recipients")];
            let answer: Answered<Envelope> =
                self.json(DOING, Method::GET, &path, |request| request.query(&query)).await?;
            let stand = answer.value.stand().ok_or_else(|| failed(DOING, Fault::Unknown))?;
            Ok(Answered { value: stand, budget: answer.budget })
        }
        .boxed()
    }

    fn stands<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, Vec<(String, Stand)>> {
        async move {
            const DOING: &str = "asking for envelopes";
            let count = envelopes.len().to_string();
            let query = [("envelope_ids", "request_body"), ("count", &count)];
            let body = json!({ "envelopeIds": envelopes });
            let answer: Answered<Envelopes> = self
                .json(DOING, Method::PUT, "envelopes/status", |request| as_json(request.query(&query), &body))
                .await?;
            let stands = answer.value.envelopes.iter().flatten();
            let stands =
                stands.filter_map(|envelope| Some((envelope.envelope_id.clone(), envelope.stand()?)));
            Ok(Answered { value: stands.collect(), budget: answer.budget })
        }
        .boxed()
    }

    fn void<'a>(&'a self, envelope: &'a str, reason: &'a str) -> Answer<'a, ()> {
        async move {
            let body = json!({ "status": "voided", "voidedReason": reason });
            self.change("voiding an envelope", &format!("envelopes/{envelope}"), &body).await
        }
        .boxed()
    }

    fn remind<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()> {
        async move {
            let path = format!("envelopes/{envelope}?resend_envelope=true");
            self.change("reminding the recipients of an envelope", &path, &json!({})).await
        }
        .boxed()
    }

    fn drafts<'a>(&'a self, installation: &'a str, from: Timestamp, to: Timestamp) -> Answer<'a, Vec<Found>> {
        async move {
            const DOING: &str = "looking for stray drafts";
            let field = format!("{OURS_FIELD}={installation}");
            let (from, to) = (from.to_string(), to.to_string());
            let query = [
                ("from_date", from.as_str()),
                ("to_date", to.as_str()),
                ("status", "created"),
                ("custom_field", field.as_str()),
                ("count", "500"),
            ];
            let answer = self.search(DOING, &query).await?;
            let drafts = answer.value.envelopes.unwrap_or_default().iter().map(Envelope::found).collect();
            Ok(Answered { value: drafts, budget: answer.budget })
        }
        .boxed()
    }

    fn delete_drafts<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, ()> {
        async move {
            let body = json!({ "envelopeIds": envelopes });
            self.change("deleting stray drafts", "folders/recyclebin", &body).await
        }
        .boxed()
    }

    fn documents<'a>(&'a self, envelope: &'a str, into: &'a Path) -> Answer<'a, u64> {
        async move {
            let path = format!("envelopes/{envelope}/documents/archive?certificate=true");
            self.download("fetching the documents of an envelope", &path, into).await
        }
        .boxed()
    }

    fn audit_events<'a>(&'a self, envelope: &'a str) -> Answer<'a, Value> {
        async move {
            let path = format!("envelopes/{envelope}/audit_events");
            self.json("fetching what happened to an envelope", Method::GET, &path, |request| request).await
        }
        .boxed()
    }

    fn probe(&self) -> Answer<'_, Vec<(&'static str, String)>> {
        async move {
            let base = self.sign_in.anew().await?;
            let from = self.sign_in.clock.now().to_string();
            let query = [("from_date", from.as_str()), ("count", "1")];
            let answer = self.search("asking for envelopes", &query).await?;
            let left = answer.budget.remaining.map_or_else(|| "not said".into(), |left| left.to_string());
            Ok(Answered {
                value: vec![("base", base.to_string()), ("calls left", left)],
                budget: answer.budget,
            })
        }
        .boxed()
    }
}

fn as_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.to_string())
}

fn failed(doing: &'static str, fault: Fault) -> CallError {
    CallError { doing, fault, code: None, trace: None, status: None, budget: Budget::default() }
}

/// Of a call without an answer: only one that got no connection cannot have done anything.
pub fn failed_send(doing: &'static str, cause: &reqwest::Error) -> CallError {
    failed(doing, if cause.is_connect() || cause.is_builder() { Fault::Away } else { Fault::Unknown })
}

/// The status, the trace token and the body.
pub async fn read_all(
    doing: &'static str,
    mut answer: Response,
) -> Result<(u16, Option<String>, Vec<u8>), CallError> {
    let status = answer.status().as_u16();
    let trace = answer.headers().get("x-docusign-tracetoken").and_then(|value| value.to_str().ok());
    let trace = trace.filter(|token| token.len() <= 64).map(str::to_owned);
    let unknown = |trace: &Option<String>| CallError {
        trace: trace.clone(),
        status: Some(status),
        ..failed(doing, Fault::Unknown)
    };
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|_| unknown(&trace))? {
        if body.len() + piece.len() > LARGEST_ANSWER {
            return Err(unknown(&trace));
        }
        body.extend_from_slice(&piece);
    }
    Ok((status, trace, body))
}
