//! `/oauth`: tokens, who somebody is, and the page on which they agree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::call::{Answer, Answered, Call, Content};
use crate::oauth::{self, Denied, JWT_GRANT, LIFE_SECONDS};
use crate::state::{State, Token};

pub fn token(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let form = call.form();
    let said = |name: &str| form.get(name).map_or("", String::as_str);
    let granted = match said("grant_type") {
        JWT_GRANT => {
            oauth::judge(said("assertion"), &state.house, now).map(|grant| (grant.subject, grant.scope))
        }
        "authorization_code" => by_code(state, call, said("code")),
        _ => Err(Denied { error: "unsupported_grant_type", description: None }),
    };
    match granted {
        Ok((subject, scope)) => {
            let value = format!("emulated.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let expires = now.checked_add(SignedDuration::from_secs(LIFE_SECONDS)).unwrap_or(Timestamp::MAX);
            state
                .tokens
                .insert(value.clone(), Token { subject, scope: scope.clone(), expires, revoked: false });
            Answer::ok(json!({
                "access_token": value, "token_type": "Bearer", "expires_in": LIFE_SECONDS, "scope": scope,
            }))
        }
        Err(denied) => {
            let mut body = json!({"error": denied.error});
            if let Some(description) = denied.description {
                body["error_description"] = json!(description);
            }
            Ok(Answer::json(400, body))
        }
    }
}

/// A code of the consent page, good for one token. Any secret of the integration key is believed.
fn by_code(state: &mut State, call: &Call, code: &str) -> Result<(String, String), Denied> {
    let basic =
        call.header("authorization").strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
    let caller = basic.and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    if caller.split(':').next() != Some(&state.house.integration_key) {
        return Err(Denied { error: "invalid_client", description: None });
    }
    let subject = state.codes.remove(code);
    let subject =
        subject.ok_or(Denied { error: "invalid_grant", description: Some("unauthorized_client") })?;
    Ok((subject, "signature impersonation".into()))
}

pub fn userinfo(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let subject = call.subject.clone().unwrap_or_default();
    Answer::ok(json!({
        "sub": subject,
        "name": "Emulated Sender",
        "given_name": "Emulated",
        "family_name": "Sender",
        "created": "2026-01-01T00:00:00",
        "email": "sender@example.com",
        "accounts": [{
            "account_id": state.account_id, "is_default": true, "account_name": "Emulated Account",
            "base_uri": state.url,
        }],
    }))
}

/// Where a user agrees that the integration acts for them.
pub fn consent_page(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let said = |name: &str| call.query(name).unwrap_or_default();
    if said("client_id") != state.house.integration_key {
        return Ok(Answer::page(400, "<p>The client_id is not registered.</p>".into()));
    }
    let redirect = said("redirect_uri");
    if url::Url::parse(&redirect).is_err() {
        return Ok(Answer::page(400, "<p>The redirect_uri is not registered properly.</p>".into()));
    }
    let users: String = state
        .house
        .users
        .iter()
        .map(|user| {
            let waits = if state.house.without_consent.contains(user) { ", has not agreed yet" } else { "" };
            let user = escaped(user);
            format!("<p><button name=\"user\" value=\"{user}\">Allow as {user}</button>{waits}</p>")
        })
        .collect();
    let hidden: String = ["redirect_uri", "state", "scope", "client_id"]
        .iter()
        .map(|name| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(&said(name))))
        .collect();
    let scope = escaped(&said("scope"));
    Ok(Answer::page(
        200,
        format!(
            "<html><body><h1>Allow {scope}?</h1><form method=\"post\">{users}{hidden}</form></body></html>"
        ),
    ))
}

/// Somebody pressed the button.
pub fn agree(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let form = call.form();
    let said = |name: &str| form.get(name).map_or("", String::as_str);
    let (user, redirect) = (said("user").to_owned(), said("redirect_uri"));
    let (Ok(mut target), true) = (url::Url::parse(redirect), state.house.users.contains(&user)) else {
        return Ok(Answer::page(400, "<p>The user or the redirect_uri is not known.</p>".into()));
    };
    let scopes: Vec<&str> = said("scope").split_whitespace().collect();
    if scopes.contains(&"signature") && scopes.contains(&"impersonation") {
        state.house.without_consent.remove(&user);
    }
    let code = Uuid::new_v4().simple().to_string();
    target.query_pairs_mut().append_pair("code", &code);
    if !said("state").is_empty() {
        target.query_pairs_mut().append_pair("state", said("state"));
    }
    state.codes.insert(code, user);
    Ok(Answer { status: 302, headers: Vec::new(), content: Content::Redirect(target.into()) })
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
