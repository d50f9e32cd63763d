//! The door for DocuSign's deliveries (Connect): believed by the HMAC over the bytes as they came, under any of the keys that are in the file just now, so that keys
//! can be rotated while deliveries come.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::door::{Delivered, Door, Headers, Unopened};
use jobkit::redact::{ExposeSecret, SecretString};
use jobkit::{Job, NewJob};
use ring::hmac;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::account::{Account, Accounts};
use crate::adapters::docusign::secret_file;
use crate::apply_event::{ApplyEvent, ApplyEventArgs};
use crate::args::hex;

/// One header for each key of the account: `X-DocuSign-Signature-1` and so on.
const SIGNATURE: &str = "x-docusign-signature-";
/// As many as an account can have.
const MOST_KEYS: usize = 100;

/// Where the engine opens this door, behind whatever a proxy puts before it.
pub const DOOR_PATH: &str = "/v1/webhooks/docusign";

pub struct Connect {
    pub accounts: Accounts,
}

/// What is used of a delivery. Whatever else stands in it, people among it, is left alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Delivery {
    event: Option<String>,
    retry_count: serde_json::Value,
    configuration_id: serde_json::Value,
    generated_date_time: Option<String>,
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    account_id: Option<String>,
    envelope_id: Option<String>,
    recipient_id: Option<String>,
}

impl Door for Connect {
    fn name(&self) -> &'static str {
        "docusign"
    }

    fn look(&self, headers: &Headers) -> Result<(), Unopened> {
        signatures(headers).map(drop)
    }

    fn open<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<Delivered, Unopened>> {
        async move {
            let signatures = signatures(headers)?;
            let accounts: Vec<&Account> = self.accounts.all().filter(|account| has_keys(account)).collect();
            let mut unreadable = None;
            let mut believed = Vec::new();
            for account in &accounts {
                match keys(account) {
                    Ok(keys) if keys.iter().any(|key| is_signed(key, &signatures, body)) => {
                        believed.push(*account);
                    }
                    Ok(_) => {}
                    Err(problem) => unreadable = Some(problem),
                }
            }
            let delivery: Option<Delivery> = serde_json::from_slice(body).ok();
            match (account(&believed, delivery.as_ref()), unreadable) {
                (Some(account), _) => delivered(account, delivery, body),
                (None, Some(problem)) => Err(Unopened::Unsure(problem)),
                (None, None) => Err(Unopened::Forged("no key of an account fits the signature".into())),
            }
        }
        .boxed()
    }
}

fn has_keys(account: &Account) -> bool {
    !account.config.connect_hmac_keys_path.as_os_str().is_empty()
}

/// Of those whose key fits, the one that it is about; when it does not say, the first.
fn account<'a>(believed: &[&'a Account], delivery: Option<&Delivery>) -> Option<&'a Account> {
    let named = delivery.and_then(|delivery| delivery.data.account_id.as_deref());
    // Signed by a key of ours it is authentic, whomever it names; it moves no envelope but those of its own account.
    match named {
        Some(named) => {
            let own = believed.iter().find(|account| account.config.account_id.eq_ignore_ascii_case(named));
            own.or(believed.first()).copied()
        }
        None => believed.first().copied(),
    }
}

fn delivered(account: &Account, delivery: Option<Delivery>, body: &[u8]) -> Result<Delivered, Unopened> {
    let body_sha256 = hex(&Sha256::digest(body));
    let delivery = delivery.unwrap_or_default();
    let mark = mark(&account.name, &delivery, &body_sha256);
    let args = ApplyEventArgs {
        account: account.name.clone(),
        // What is too long is none.
        envelope: short(delivery.data.envelope_id),
        event: short(delivery.event),
        recipient: short(delivery.data.recipient_id),
        generated_at: delivery.generated_date_time.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
        retry_count: number(&delivery.retry_count),
        body_sha256,
    };
    // Of the installation: an account may be several tenants', and whose the envelope is its record says.
    let job = NewJob::of::<ApplyEvent>(&args).map_err(|cause| Unopened::Unsure(cause.to_string()))?;
    Ok(Delivered { mark, job })
}

/// What makes two deliveries one. DocuSign gives them no id, and a retry counts up. Of one account: what another's key signed would else be
/// taken instead of the genuine one, and move nothing.
fn mark(account: &str, delivery: &Delivery, body_sha256: &str) -> String {
    let Data { envelope_id, recipient_id, .. } = &delivery.data;
    let (Some(envelope), Some(event), Some(at)) =
        (envelope_id, &delivery.event, &delivery.generated_date_time)
    else {
        return body_sha256.into();
    };
    let recipient = recipient_id.as_deref().unwrap_or_default();
    let parts = [account, &delivery.configuration_id.to_string(), envelope, recipient, event, at];
    hex(&Sha256::digest(parts.join("\n").as_bytes()))
}

fn short(text: Option<String>) -> Option<String> {
    text.filter(|text| (1..=100).contains(&text.len()) && !text.contains(char::is_control))
}

/// A number, or a text with one.
fn number(value: &serde_json::Value) -> u32 {
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.and_then(|number| number.try_into().ok()).unwrap_or_default()
}

/// Those that can be any. DocuSign sends no more than an account has keys, and whoever does is to know why nobody looks at them.
fn signatures(headers: &Headers) -> Result<Vec<Vec<u8>>, Unopened> {
    let of_ours = headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(SIGNATURE));
    let given: Vec<&String> = of_ours.flat_map(|(_, values)| values).collect();
    if given.len() > MOST_KEYS {
        return Err(Unopened::Forged(format!(
            "there are {} X-DocuSign-Signature headers; an account has {MOST_KEYS} keys at most",
            given.len()
        )));
    }
    let decoded = given.into_iter().filter_map(|value| BASE64.decode(value.trim()).ok());
    let length = hmac::HMAC_SHA256.digest_algorithm().output_len();
    let signatures: Vec<_> = decoded.filter(|signature| signature.len() == length).collect();
    match signatures.is_empty() {
        true => Err(Unopened::Forged("there is no X-DocuSign-Signature-1".into())),
        false => Ok(signatures),
    }
}

/// The body is hashed once for each key, however many signatures a stranger brings.
fn is_signed(key: &SecretString, signatures: &[Vec<u8>], body: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let tag = hmac::sign(&key, body);
    // In the same time, wherever they differ.
    let same = |signature: &Vec<u8>| {
        signature.iter().zip(tag.as_ref()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    };
    signatures.iter().any(same)
}

/// Read each time: keys are rotated by writing the file.
fn keys(account: &Account) -> Result<Vec<SecretString>, String> {
    let text = secret_file("connect_hmac_keys_path", &account.config.connect_hmac_keys_path);
    let text = text.map_err(|problem| problem.to_string())?;
    let lines =
        text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.take(MOST_KEYS).map(|line| SecretString::from(line.to_owned())).collect())
}

/// How many keys there are, for whoever looks after it.
pub fn count_keys(account: &Account) -> Result<usize, String> {
    match has_keys(account) {
        true => keys(account).map(|keys| keys.len()),
        false => Ok(0),
    }
}

/// As the registry wants it.
pub fn door(accounts: Accounts) -> Arc<dyn Door> {
    Arc::new(Connect { accounts })
}

/// The kind of the job that a delivery becomes.
pub const KIND: &str = ApplyEvent::KIND;

#[cfg(test)]
mod tests;
