//! Many envelopes: by date, by id, by transaction, by custom field. What is wanted is read here and chosen purely.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Answered, Call};
use crate::clock::{read, written};
use crate::envelope::{Envelope, Status};
use crate::refusal::Refusal;
use crate::state::State;
use crate::view;

const MOST: usize = 1000;

/// `GET …/envelopes`.
pub fn list(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let wanted = Wanted::read(call, call.list("envelope_ids"), call.list("transaction_ids"))?;
    found(state, call, &wanted, now)
}

/// `PUT …/envelopes/status`: the same with ids in the body, as many as there are.
pub fn statuses(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = match call.body.is_empty() {
        true => serde_json::Map::new(),
        false => call.json_of("envelopeIdsRequest", &state.switches)?,
    };
    let ids = |query: &str, body: &str| -> Vec<String> {
        let listed = call.list(query);
        if listed != ["request_body"] {
            return listed;
        }
        let ids = said.get(body).and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let wanted =
        Wanted::read(call, ids("envelope_ids", "envelopeIds"), ids("transaction_ids", "transactionIds"))?;
    found(state, call, &wanted, now)
}

#[derive(Debug, Default)]
struct Wanted {
    envelopes: Vec<String>,
    transactions: Vec<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    from_to_status: String,
    statuses: Vec<String>,
    custom_field: Option<(String, String)>,
    search: Option<String>,
}

impl Wanted {
    fn read(call: &Call, envelopes: Vec<String>, transactions: Vec<String>) -> Result<Self, Refusal> {
        let time = |name: &str| match call.query(name) {
            Some(text) => read(&text).map(Some).ok_or_else(|| {
                Refusal::parameter(&format!("Query parameter '{name}' is no valid DateTime."))
            }),
            None => Ok(None),
        };
        let from = time("from_date")?;
        if from.is_none() && envelopes.is_empty() && transactions.is_empty() {
            return Err(Refusal::parameter(
                "Query parameter 'from_date' must be set to a valid DateTime, or 'envelope_ids' or \
                 'transaction_ids' must be specified.",
            ));
        }
        let custom_field = call.query("custom_field").map(|field| match field.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Refusal::parameter("Query parameter 'custom_field' must be name=value.")),
        });
        Ok(Self {
            envelopes: envelopes.iter().map(|id| id.to_ascii_lowercase()).collect(),
            transactions,
            from,
            to: time("to_date")?,
            from_to_status: call
                .query("from_to_status")
                .unwrap_or_else(|| "changed".into())
                .to_ascii_lowercase(),
            statuses: call.list("status").iter().map(|status| status.to_ascii_lowercase()).collect(),
            custom_field: custom_field.transpose()?,
            search: call.query("search_text").map(|text| text.to_lowercase()),
        })
    }

    fn fits(&self, envelope: &Envelope) -> bool {
        let status = self.statuses.is_empty()
            || self.statuses.iter().any(|status| status == envelope.status.name() || status == "any");
        let field = self
            .custom_field
            .as_ref()
            .is_none_or(|(name, value)| envelope.custom_field(name).as_deref() == Some(value));
        let text = self.search.as_ref().is_none_or(|text| envelope.subject.to_lowercase().contains(text));
        status && field && text && self.in_time(envelope)
    }

    fn in_time(&self, envelope: &Envelope) -> bool {
        if self.from.is_none() && self.to.is_none() {
            return true;
        }
        let named = ALL.iter().find(|status| status.name() == self.from_to_status);
        let at = match named {
            Some(status) => envelope.reached.get(status).copied(),
            None => Some(envelope.status_changed),
        };
        at.is_some_and(|at| self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at <= to))
    }
}

const ALL: &[Status] = &[
    Status::Created,
    Status::Sent,
    Status::Delivered,
    Status::Completed,
    Status::Declined,
    Status::Voided,
    Status::Deleted,
];

fn found(state: &mut State, call: &Call, wanted: &Wanted, now: Timestamp) -> Answered {
    let state = &*state;
    let mut transactions = Vec::new();
    let mut chosen: Vec<&Envelope> = if !wanted.transactions.is_empty() {
        let drafts = state.switches.transaction_finds_drafts;
        let mut chosen = Vec::new();
        for transaction in &wanted.transactions {
            let with = state.with_transaction(transaction, now);
            let with: Vec<&Envelope> =
                with.into_iter().filter(|envelope| drafts || envelope.status != Status::Created).collect();
            transactions.extend(with.iter().map(|envelope| shown_transaction(transaction, Some(envelope))));
            if with.is_empty() {
                transactions.push(shown_transaction(transaction, None));
            }
            chosen.extend(with);
        }
        chosen
    } else if !wanted.envelopes.is_empty() {
        wanted.envelopes.iter().filter_map(|id| state.envelopes.get(id)).collect()
    } else {
        // By the order in which they were made, so that a page stays what it is.
        state.order.iter().filter_map(|id| state.envelopes.get(id)).collect()
    };
    chosen.retain(|envelope| wanted.fits(envelope));
    sort(&mut chosen, call);
    let number = |name: &str| call.query(name).and_then(|text| text.parse::<usize>().ok());
    let count = number("count").unwrap_or(MOST).min(MOST);
    let start = number("start_position").unwrap_or(0).min(chosen.len());
    let page = &chosen[start..(start + count).min(chosen.len())];
    let include = call.query("include").unwrap_or_default();
    let shown: Vec<Value> = page
        .iter()
        .map(|envelope| Value::Object(view::envelope(envelope, &state.account_id, &include)))
        .collect();
    let end = start + page.len();
    let mut answer = json!({
        "resultSetSize": page.len().to_string(),
        "totalSetSize": chosen.len().to_string(),
        "startPosition": start.to_string(),
        "endPosition": end.saturating_sub(1).max(start).to_string(),
        "nextUri": if end < chosen.len() { turned(call, end) } else { String::new() },
        "previousUri": if start > 0 { turned(call, start.saturating_sub(count)) } else { String::new() },
        "lastQueriedDateTime": written(now),
        "envelopes": shown,
    });
    if !transactions.is_empty() {
        answer["envelopeTransactionStatuses"] = json!(transactions);
    }
    Answer::ok(answer)
}

fn shown_transaction(transaction: &str, envelope: Option<&Envelope>) -> Value {
    match envelope {
        Some(envelope) => json!({
            "transactionId": transaction, "envelopeId": envelope.id, "status": envelope.status.name(),
        }),
        None => {
            let unknown = Refusal::unknown_envelope(400);
            let details = json!({"errorCode": unknown.code, "message": unknown.message});
            json!({"transactionId": transaction, "errorDetails": details})
        }
    }
}

fn sort(chosen: &mut [&Envelope], call: &Call) {
    match call.query("order_by").unwrap_or_default().as_str() {
        "last_modified" => chosen.sort_by_key(|envelope| envelope.modified),
        "status_changed" => chosen.sort_by_key(|envelope| envelope.status_changed),
        "sent" => chosen.sort_by_key(|envelope| envelope.sent()),
        "completed" => chosen.sort_by_key(|envelope| envelope.reached.get(&Status::Completed).copied()),
        "subject" | "envelope_name" => chosen.sort_by(|a, b| a.subject.cmp(&b.subject)),
        "status" => chosen.sort_by_key(|envelope| envelope.status),
        _ => {}
    }
    if call.query("order").is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
        chosen.reverse();
    }
}

/// The same question, from there on.
fn turned(call: &Call, start: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs =
        form_urlencoded::parse(call.query_text.as_bytes()).filter(|(name, _)| name != "start_position");
    query.extend_pairs(pairs);
    query.append_pair("start_position", &start.to_string());
    format!(
        "{}?{}",
        call.path
            .split_once("/accounts/")
            .map_or("", |(_, rest)| rest.split_once('/').map_or("", |(_, rest)| rest)),
        query.finish()
    )
}
