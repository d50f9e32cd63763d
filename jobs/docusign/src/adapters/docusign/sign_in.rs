//! Signing in: an assertion signed with the RSA key is given for a token of an hour. One token for the account, renewed by one caller while the others wait.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::Clock;
use jobkit::redact::{ExposeSecret, SecretString};
use jsonwebtoken::{Algorithm, Header};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::client::{failed_send, read_all};
use super::faults;
use super::key::PrivateKey;
use crate::config::AccountConfig;
use crate::provider::{Budget, CallError, Fault};

const DOING: &str = "signing in to DocuSign";
const ASKING_WHERE: &str = "asking DocuSign where the account is";
const TIMEOUT: Duration = Duration::from_secs(30);
/// With less left, a token is renewed before it is used: so DocuSign's own people advise.
const TOO_SHORT: SignedDuration = SignedDuration::from_mins(10);
/// Of the assertion; a longer one makes no longer token.
const ASSERTION_LIFE: i64 = 3_600;
/// Clocks differ, and what is issued tomorrow is refused today.
const CLOCKS_DIFFER: i64 = 30;
const SCOPE: &str = "signature impersonation";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub struct SignIn {
    pub config: AccountConfig,
    pub http: Client,
    pub clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
    base: Mutex<Option<Url>>,
}

#[derive(Clone)]
struct Token {
    secret: SecretString,
    ends_at: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    scope: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: i64,
}

#[derive(Deserialize)]
struct UserInfo {
    #[serde(default)]
    accounts: Vec<InfoAccount>,
}

#[derive(Deserialize)]
struct InfoAccount {
    account_id: String,
    base_uri: String,
}

impl SignIn {
    pub fn new(config: AccountConfig, http: Client, clock: Arc<dyn Clock>) -> Self {
        jobkit::jwt::install();
        Self { config, http, clock, token: Mutex::new(None), base: Mutex::new(None) }
    }

    /// A token that holds for a while. One that was not taken is told, and is renewed unless somebody has done so meanwhile.
    pub async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, CallError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept
            && token.ends_at.duration_since(self.clock.now()) >= TOO_SHORT
            && refused.is_none_or(|refused| refused.expose_secret() != token.secret.expose_secret())
        {
            return Ok(token.secret.clone());
        }
        let token = self.grant().await?;
        let secret = token.secret.clone();
        *kept = Some(token);
        Ok(secret)
    }

    async fn grant(&self) -> Result<Token, CallError> {
        let now = self.clock.now();
        let body = form_urlencoded(&[("grant_type", GRANT), ("assertion", &self.assertion(now)?)]);
        let url = format!("{}/oauth/token", self.config.oauth_url());
        let request = self.http.post(url).timeout(TIMEOUT);
        let sent = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await;
        // A token that was made and got lost harms nobody.
        let answer = sent.map_err(|cause| CallError { fault: Fault::Away, ..failed_send(DOING, &cause) })?;
        let (status, trace, bytes) = read_all(DOING, answer).await?;
        let refused = |fault, code| CallError {
            doing: DOING,
            fault,
            code,
            trace: trace.clone(),
            status: Some(status),
            budget: Budget::default(),
        };
        if status != 200 {
            let (fault, code) = faults::sign_in(status, &bytes);
            return Err(refused(fault, code));
        }
        let granted: Granted = serde_json::from_slice(&bytes).map_err(|_| refused(Fault::Away, None))?;
        let life = SignedDuration::from_secs(granted.expires_in.clamp(0, 86_400));
        Ok(Token { secret: granted.access_token.into(), ends_at: now.saturating_add(life).unwrap_or(now) })
    }

    fn assertion(&self, now: Timestamp) -> Result<String, CallError> {
        let iat = now.as_second() - CLOCKS_DIFFER;
        let host = self.config.oauth_host();
        let refused = |code: &str| CallError {
            doing: DOING,
            fault: Fault::SignIn,
            code: Some(code.into()),
            trace: None,
            status: None,
            budget: Budget::default(),
        };
        // Each time, so that a new key is used without a restart.
        let key =
            PrivateKey::read(&self.config.private_key_path).map_err(|problem| refused(problem.code()))?;
        let claims = Claims {
            iss: &self.config.integration_key,
            sub: &self.config.user_id,
            // A bare host: with https:// before it DocuSign finds no issuer.
            aud: &host,
            iat,
            exp: iat + ASSERTION_LIFE,
            scope: SCOPE,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key.0)
            .map_err(|_| refused("private_key_does_not_sign"))
    }

    /// Where the account's API is, up to its id.
    pub async fn base(&self) -> Result<Url, CallError> {
        let mut kept = self.base.lock().await;
        if let Some(base) = &*kept {
            return Ok(base.clone());
        }
        let host = match self.config.discover_base_uri {
            true => self.discover().await?,
            false => self.config.base_url.clone(),
        };
        let host = host.trim_end_matches('/').trim_end_matches("/restapi");
        let base = format!("{host}/restapi/v2.1/accounts/{}/", self.config.account_id);
        let base = Url::parse(&base).map_err(|_| elsewhere("no_base_uri", 200))?;
        *kept = Some(base.clone());
        Ok(base)
    }

    /// For whoever looks after it: nothing that is remembered counts.
    pub async fn anew(&self) -> Result<Url, CallError> {
        *self.token.lock().await = None;
        *self.base.lock().await = None;
        self.base().await
    }

    async fn discover(&self) -> Result<String, CallError> {
        let mut token = self.token(None).await?;
        let mut renewed = false;
        loop {
            let url = format!("{}/oauth/userinfo", self.config.oauth_url());
            let sent = self.http.get(url).timeout(TIMEOUT).bearer_auth(token.expose_secret()).send().await;
            let answer =
                sent.map_err(|cause| CallError { fault: Fault::Away, ..failed_send(ASKING_WHERE, &cause) })?;
            let (status, _, bytes) = read_all(ASKING_WHERE, answer).await?;
            match status {
                200 => {
                    let info: UserInfo = serde_json::from_slice(&bytes)
                        .map_err(|_| CallError { fault: Fault::Away, ..elsewhere("no_accounts", 200) })?;
                    let own = info
                        .accounts
                        .into_iter()
                        .find(|account| account.account_id.eq_ignore_ascii_case(&self.config.account_id));
                    return own
                        .map(|account| account.base_uri)
                        .ok_or_else(|| elsewhere("account_not_of_this_user", 200));
                }
                401 if !renewed => {
                    token = self.token(Some(&token)).await?;
                    renewed = true;
                }
                401 => return Err(CallError { fault: Fault::Token, ..elsewhere("userinfo_refused", 401) }),
                status => return Err(CallError { fault: Fault::Away, code: None, ..elsewhere("", status) }),
            }
        }
    }
}

fn elsewhere(code: &str, status: u16) -> CallError {
    CallError {
        doing: ASKING_WHERE,
        fault: Fault::Permission,
        code: Some(code.into()),
        trace: None,
        status: Some(status),
        budget: Budget::default(),
    }
}

fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
