//! The embedded view: a URL for one recipient, and the page behind it, on which people sign or decline.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::call::{Answer, Answered, Call, Content};
use super::oauth::escaped;
use crate::envelope::Stage;
use crate::json::text;
use crate::life::{self, Act};
use crate::refusal::Refusal;
use crate::state::{SigningView, State};

/// How long a URL may lie about.
const LIFE: SignedDuration = SignedDuration::from_mins(5);

pub fn recipient_view(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("recipientViewRequest", &state.switches)?;
    for name in ["returnUrl", "authenticationMethod"] {
        if text(&said, name).is_none() {
            return Err(Refusal::parameter(&format!("A value was not provided for '{name}'.")));
        }
    }
    let envelope = state.envelope(call.place("envelope"))?;
    if !envelope.status.is_out() {
        return Err(Refusal::not_open(envelope.status));
    }
    let has =
        |name: &str, value: Option<String>| text(&said, name).is_none_or(|wanted| value == Some(wanted));
    let found = envelope.recipients.iter().find(|recipient| {
        let client = text(&recipient.said, "clientUserId");
        // Only who was made for it signs here.
        client.is_some()
            && text(&said, "clientUserId") == client
            && has("recipientId", Some(recipient.id.clone()))
            && has("userName", Some(recipient.name()))
            && has("email", Some(recipient.email()))
    });
    let who = text(&said, "userName").or_else(|| text(&said, "recipientId")).unwrap_or_default();
    let recipient = found.ok_or_else(|| Refusal::unknown_recipient(&who))?;
    if recipient.stage == Stage::Created {
        return Err(Refusal::out_of_sequence());
    }
    let view = SigningView {
        envelope: envelope.id.clone(),
        recipient: recipient.id.clone(),
        return_url: text(&said, "returnUrl").unwrap_or_default(),
        expires: now.checked_add(LIFE).unwrap_or(Timestamp::MAX),
    };
    let key = Uuid::new_v4().simple().to_string();
    let url = format!("{}/Signing/{key}", state.url);
    state.views.insert(key, view);
    Ok(Answer::json(201, json!({"url": url})))
}

/// The page opens once: opening it is viewing the envelope, and the form leads on with a key of its own.
pub fn page(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let view = state.views.remove(call.place("view")).filter(|view| view.expires > now);
    let Some(view) = view else {
        return Ok(Answer::page(400, "<p>This link has expired or was used.</p>".into()));
    };
    let viewed =
        state.change(&view.envelope, now, |envelope| life::act(envelope, &view.recipient, &Act::View, now));
    if viewed.is_err() && !state.envelope(&view.envelope)?.status.is_out() {
        return Ok(returned(&view, "viewing_complete"));
    }
    let subject = escaped(&state.envelope(&view.envelope)?.subject);
    let key = Uuid::new_v4().simple().to_string();
    let form = format!(
        "<html><body><h1>{subject}</h1><form method=\"post\" action=\"/Signing/{key}\"><button name=\"do\" \
         value=\"sign\">Finish</button><button name=\"do\" value=\"decline\">Decline</button><button name=\"do\" \
         value=\"later\">Finish later</button></form></body></html>"
    );
    state.views.insert(key, SigningView { expires: Timestamp::MAX, ..view });
    Ok(Answer::page(200, form))
}

pub fn act(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let form = call.form();
    let Some(view) = state.views.remove(call.place("view")) else {
        return Ok(Answer::page(400, "<p>This page was left already.</p>".into()));
    };
    let (act, event) = match form.get("do").map(String::as_str) {
        Some("sign") => (Some(Act::Sign), "signing_complete"),
        Some("decline") => (Some(Act::Decline("Declined on the page".into())), "decline"),
        _ => (None, "cancel"),
    };
    if let Some(act) = act {
        state.change(&view.envelope, now, |envelope| life::act(envelope, &view.recipient, &act, now))?;
    }
    Ok(returned(&view, event))
}

fn returned(view: &SigningView, event: &str) -> Answer {
    let to = match url::Url::parse(&view.return_url) {
        Ok(mut url) => {
            url.query_pairs_mut().append_pair("event", event);
            url.to_string()
        }
        Err(_) => view.return_url.clone(),
    };
    Answer { status: 302, headers: Vec::new(), content: Content::Redirect(to) }
}
