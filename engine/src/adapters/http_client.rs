//! The way out over HTTP. No redirects, no proxy from the environment, a limit on time, and on what is read of an answer.

use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use jobkit::PortError;
use reqwest::Client;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use tokio::net::TcpStream;
use url::Url;

use super::tls::{self, TlsError};
use crate::webhooks::{Answer, Get, HttpClient, Post};

const CONNECTING: Duration = Duration::from_secs(5);

const IDLE: Duration = Duration::from_secs(20);

/// A receiver that asks for more is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

pub struct WebClient(Client);

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl WebClient {
    /// With the authority of the house, if it has one of its own.
    pub fn new(authority: Option<&Path>) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client(authority)?)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECTING)
            // Few messages to few places: a connection kept would be one more thing that goes stale.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("compline/", env!("CARGO_PKG_VERSION")));
        client.build().map(Self).map_err(HttpError::Client)
    }
}

/// For the calls of a family to its provider: many to one place, so that connections are kept.
pub fn of_a_provider(authority: Option<&Path>) -> Result<Client, HttpError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client(authority)?)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECTING)
        // Servers close idle connections; one that is closed under a call costs an answer.
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("compline/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(HttpError::Client)
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {0} bytes")]
struct TooLong(usize);

impl HttpClient for WebClient {
    fn post(&self, post: Post) -> BoxFuture<'_, Result<Answer, PortError>> {
        Box::pin(async move {
            let Post { url, headers, body, timeout } = post;
            let mut request = self.0.post(url).timeout(timeout).body(body);
            for (name, value) in headers {
                let value =
                    HeaderValue::from_str(&value).map_err(|cause| failed("writing a header", cause))?;
                request = request.header(HeaderName::from_static(name), value);
            }
            // An address may hold a token; the error is told without it.
            let answer = request.send().await.map_err(|cause| failed("posting", cause.without_url()))?;
            let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Ok(Answer {
                status: answer.status().as_u16(),
                retry_after: retry_after
                    .and_then(|text| text.parse().ok())
                    .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
            })
        })
    }

    fn get(&self, get: Get) -> BoxFuture<'_, Result<(u16, Vec<u8>), PortError>> {
        Box::pin(async move {
            let Get { url, timeout, most } = get;
            let told = |cause: reqwest::Error| failed("getting", cause.without_url());
            let mut answer = self.0.get(url).timeout(timeout).send().await.map_err(told)?;
            let (status, mut body) = (answer.status().as_u16(), Vec::new());
            while let Some(chunk) = answer.chunk().await.map_err(told)? {
                if body.len() + chunk.len() > most {
                    return Err(failed("getting", TooLong(most)));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((status, body))
        })
    }

    fn reach<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let port = url.port_or_known_default().unwrap_or(443);
            let connecting = tokio::time::timeout(CONNECTING, TcpStream::connect((host, port))).await;
            match connecting {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(cause)) => Err(failed("connecting", cause)),
                Err(slow) => Err(failed("connecting", slow)),
            }
        })
    }
}

fn failed(doing: &str, cause: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::new(doing, cause)
}
