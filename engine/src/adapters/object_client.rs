//! How requests go out to object stores: through a client of our own, so that TLS is the same as everywhere and nobody
//! follows a redirect with a signed request.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::tls::{self, TlsError};
use crate::reference::ReferenceError;

const CONNECTING: Duration = Duration::from_secs(5);
/// An answer may take as long as it likes, while something comes.
const SILENCE: Duration = Duration::from_secs(30);
/// Whoever asks has patience of its own; this is for a single lost packet.
const RETRIES: usize = 2;

/// Why a bucket or a container cannot be used, by its section of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{section}: the keys cannot be had")]
    Keys {
        section: String,
        #[source]
        cause: ReferenceError,
    },
    #[error("{section}")]
    Tls {
        section: String,
        #[source]
        cause: TlsError,
    },
    #[error("{section}: the HTTP client cannot be made")]
    Client {
        section: String,
        #[source]
        cause: reqwest::Error,
    },
    #[error("{section} cannot be used")]
    Store {
        section: String,
        #[source]
        cause: object_store::Error,
    },
    #[error("{key}: {problem}")]
    Setting { key: &'static str, problem: String },
}

impl OpenError {
    pub(super) fn keys(section: &str, cause: ReferenceError) -> Self {
        Self::Keys { section: section.into(), cause }
    }

    pub(super) fn store(section: &str, cause: object_store::Error) -> Self {
        Self::Store { section: section.into(), cause }
    }
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: SILENCE }
}

/// An empty path means Mozilla's list of authorities alone.
pub(super) fn connector(section: &str, ca_file: &Path) -> Result<Connector, OpenError> {
    let authority = Some(ca_file).filter(|path| !path.as_os_str().is_empty());
    let tls = tls::client(authority).map_err(|cause| OpenError::Tls { section: section.into(), cause })?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECTING)
        .read_timeout(SILENCE)
        .user_agent(concat!("compline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|cause| OpenError::Client { section: section.into(), cause })?;
    Ok(Connector(client))
}

#[derive(Debug, Clone)]
pub(super) struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Buckets whose objects are locked take nothing without it, and the library has no place to say it.
#[derive(Clone)]
pub(super) struct ContentMd5(pub(super) String);

/// A store that knows checksums compares this one with what came, and says it back.
const SHA256: &str = "x-amz-checksum-sha256";

#[derive(Debug, thiserror::Error)]
#[error("the store has the SHA-256 {there}, and what was sent has {sent}")]
struct Differs {
    sent: String,
    there: String,
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let md5 = request.extensions().get::<ContentMd5>().and_then(|md5| HeaderValue::from_str(&md5.0).ok());
        if let Some(md5) = md5 {
            request.headers_mut().insert("content-md5", md5);
        }
        let sent = request.headers().get(SHA256).cloned();
        let response = self.0.call(request).await?;
        match differs(sent.as_ref(), response.headers().get(SHA256)) {
            Some(differs) => Err(HttpError::new(HttpErrorKind::Decode, differs)),
            None => Ok(response),
        }
    }
}

/// A store that says nothing has compared nothing, which is no sign of anything.
fn differs(sent: Option<&HeaderValue>, there: Option<&HeaderValue>) -> Option<Differs> {
    let (sent, there) = (sent?, there?);
    let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    (sent != there).then(|| Differs { sent: shown(sent), there: shown(there) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_is_compared_with_what_was_sent() {
        let (one, other) = (HeaderValue::from_static("one"), HeaderValue::from_static("other"));
        for (sent, there, expected) in [
            (Some(&one), Some(&other), true),
            (Some(&one), Some(&one), false),
            (Some(&one), None, false),
            (None, Some(&one), false),
            (None, None, false),
        ] {
            assert_eq!(differs(sent, there).is_some(), expected, "{sent:?} {there:?}");
        }
    }
}
