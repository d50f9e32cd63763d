//! The documents of an envelope: listed, given out one by one or together, and changed while it is a draft.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::{Answer, Answered, Call, Content};
use super::create;
use crate::check::{self, File, Files};
use crate::envelope::{Envelope, Status};
use crate::json::{objects, text};
use crate::refusal::Refusal;
use crate::state::State;
use crate::{evidence, view};

pub fn list(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    shown(state, call)
}

fn shown(state: &State, call: &Call) -> Answered {
    let envelope = state.envelope(call.place("envelope"))?;
    Answer::ok(json!({"envelopeId": envelope.id, "envelopeDocuments": view::documents(envelope)}))
}

pub fn get(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    const PDF: &str = "application/pdf";
    let envelope = state.envelope(call.place("envelope"))?;
    if envelope.purged {
        return Err(Refusal::bad(
            "ENVELOPE_HAS_BEEN_PURGED",
            "The documents of this envelope have been purged.",
        ));
    }
    let (wanted, out) = (call.place("document"), envelope.status > Status::Processing);
    // Asked for with a word in the query, the certificate comes along or does not.
    let certificate =
        |usual: bool| out && call.query("certificate").map_or(usual, |it| it.eq_ignore_ascii_case("true"));
    let (kind, name, bytes) = match wanted {
        "combined" => (PDF, "combined.pdf".into(), evidence::combined(envelope, certificate(false))),
        "archive" => {
            let zip = evidence::archive(envelope, certificate(true));
            let zip = zip.map_err(|error| Refusal::new(500, "UNSPECIFIED_ERROR", &error.to_string()))?;
            ("application/zip", "documents.zip".into(), zip)
        }
        "certificate" if out => (PDF, "Summary.pdf".into(), evidence::certificate(envelope)),
        id => {
            let document = envelope.document(id).ok_or_else(|| Refusal::unknown_document(id))?;
            (PDF, evidence::file_name(document), evidence::document(envelope, document))
        }
    };
    let content = Content::File { kind, name, document: wanted.into(), bytes: bytes.into() };
    Ok(Answer { status: 200, headers: Vec::new(), content })
}

fn draft(envelope: &Envelope) -> Result<(), Refusal> {
    match envelope.status {
        Status::Created => Ok(()),
        _ => Err(Refusal::invalid_status()),
    }
}

/// Adds documents or replaces those of the same id.
pub fn put_all(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let (said, files) = create::parts(call)?;
    replace(state, call, &said, &files, now)?;
    shown(state, call)
}

/// One document as the body itself.
pub fn put(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let id = call.place("document");
    let name = call.header("content-disposition").split("filename=").nth(1).unwrap_or_default();
    let name = name.split(';').next().unwrap_or_default().trim().trim_matches('"').to_owned();
    let files = Files::from_iter([(id.to_owned(), File { name, bytes: call.body.clone() })]);
    let said = json!({"documents": [{"documentId": id}]});
    replace(state, call, said.as_object().unwrap_or(&Map::new()), &files, now)?;
    let envelope = state.envelope(call.place("envelope"))?;
    let documents = view::documents(envelope);
    let document = documents.into_iter().find(|document| document["documentId"] == json!(id));
    Answer::ok(document.unwrap_or(Value::Null))
}

fn replace(
    state: &mut State,
    call: &Call,
    said: &Map<String, Value>,
    files: &Files,
    now: Timestamp,
) -> Result<(), Refusal> {
    state.change(call.place("envelope"), now, |envelope| {
        draft(envelope)?;
        for document in check::documents(said, files)? {
            envelope.documents.retain(|there| there.id != document.id);
            envelope.documents.push(document);
        }
        envelope.modified = now;
        Ok(Vec::new())
    })
}

pub fn delete(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("envelopeDefinition", &state.switches)?;
    let gone: Vec<String> = objects(&said, "documents").filter_map(|it| text(it, "documentId")).collect();
    state.change(call.place("envelope"), now, |envelope| {
        draft(envelope)?;
        for id in &gone {
            envelope.document(id).ok_or_else(|| Refusal::unknown_document(id))?;
        }
        envelope.documents.retain(|document| !gone.contains(&document.id));
        envelope.modified = now;
        Ok(Vec::new())
    })?;
    shown(state, call)
}
