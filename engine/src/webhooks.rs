//! Signed webhooks in the form of Standard Webhooks: what is sent to other programs, alerts and the ends of
//! jobs alike. Each carries an id that is the same whenever it is sent again.

pub mod signature;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jobkit::{Clock, PortError};
use serde_json::Value;
use url::Url;

use self::signature::Keys;
use self::target::{Prefix, Target};

/// The way out over HTTP. An adapter follows no redirect: where it leads nobody has allowed.
pub trait HttpClient: Send + Sync + 'static {
    fn post(&self, post: Post) -> BoxFuture<'_, Result<Answer, PortError>>;
    /// The status, and the body.
    fn get(&self, get: Get) -> BoxFuture<'_, Result<(u16, Vec<u8>), PortError>>;
    /// Whether somebody listens there; nothing is sent.
    fn reach<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), PortError>>;
}

pub struct Post {
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

pub struct Get {
    pub url: Url,
    /// Until all of the body is there.
    pub timeout: Duration,
    /// A longer body is none.
    pub most: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// In seconds, as receivers write it that ask to be left alone for a while.
    pub retry_after: Option<Duration>,
}

/// Says nothing of the address: its path may be a secret of the receiver's.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the receiver did not answer")]
    Away(#[source] PortError),
    #[error("the receiver answered with status {status}")]
    Refused { status: u16, retry_after: Option<Duration> },
    #[error("the receiver answered with status 410: it wants no more of this")]
    Gone,
    #[error("no secret to sign with; set webhooks.secrets")]
    NoSecret,
}

pub struct Webhooks {
    pub client: Arc<dyn HttpClient>,
    pub keys: Keys,
    /// Where callers may send, by the start of the address.
    pub allow: Vec<Prefix>,
    pub timeout: Duration,
    pub clock: Arc<dyn Clock>,
}

impl Webhooks {
    /// A target that a caller named; nobody but the operator says where this process may send.
    pub fn allowed(&self, url: &str) -> Result<Target, String> {
        let target = Target::parse(url)?;
        match self.allow.iter().any(|prefix| prefix.covers(&target)) {
            true => Ok(target),
            false if self.allow.is_empty() => {
                Err("no address may be called; the operator lists them in webhooks.allow".into())
            }
            false => Err("the address begins like none of those in webhooks.allow".into()),
        }
    }

    /// Sent when the receiver has answered with 2xx; anything else is a failure.
    pub async fn post(&self, id: &str, target: &Target, body: &Value) -> Result<(), WebhookError> {
        if self.keys.is_empty() {
            return Err(WebhookError::NoSecret);
        }
        let body = body.to_string().into_bytes();
        let at = self.clock.now().as_second();
        let headers = vec![
            ("content-type", "application/json".into()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", self.keys.sign(id, at, &body)),
        ];
        let post = Post { url: target.url().clone(), headers, body, timeout: self.timeout };
        match self.client.post(post).await.map_err(WebhookError::Away)? {
            Answer { status: 200..=299, .. } => Ok(()),
            Answer { status: 410, .. } => Err(WebhookError::Gone),
            Answer { status, retry_after } => Err(WebhookError::Refused { status, retry_after }),
        }
    }
}
