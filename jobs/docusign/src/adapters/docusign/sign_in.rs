//! Signing in: an assertion signed with the RSA key is given for a token of an hour, and DocuSign says where the account is. One token for the account, renewed by one
//! caller while the others wait. Accounts move, so the place is asked for again with each token, and when an answer looks as if it had moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::Clock;
use jobkit::redact::{ExposeSecret, SecretString};
use jsonwebtoken::{Algorithm, Header};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::{failed_send, read_all};
use super::faults;
use super::flight::Flights;
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
    token: Flights<Token>,
    place: Flights<Place>,
    granted: AtomicU64,
    asked: AtomicU64,
}

/// Where the account's API is, up to its id, and what it is called with.
#[derive(Clone)]
pub struct Place {
    pub base: Url,
    pub token: Token,
    /// The later of two was asked for later.
    number: u64,
}

#[derive(Clone)]
pub struct Token {
    pub secret: SecretString,
    ends_at: Timestamp,
    /// The later of two was granted later.
    number: u64,
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
        let (token, place) = (Flights::default(), Flights::default());
        Self { config, http, clock, token, place, granted: AtomicU64::new(0), asked: AtomicU64::new(0) }
    }

    /// A token that holds for a while. One that was not taken is told, and is renewed unless somebody has done so meanwhile.
    async fn token(&self, refused: Option<&Token>) -> Result<Token, CallError> {
        let is_good = |token: &Token| {
            token.ends_at.duration_since(self.clock.now()) >= TOO_SHORT
                && refused.is_none_or(|refused| token.number > refused.number)
        };
        // It is asked for with the key, and of that there is one.
        self.token.get(0, is_good, self.grant()).await
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
        Ok(Token {
            secret: granted.access_token.into(),
            ends_at: now.saturating_add(life).unwrap_or(now),
            number: next(&self.granted),
        })
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

    pub async fn place(&self) -> Result<Place, CallError> {
        self.place_with(self.token(None).await?, None).await
    }

    /// Its token was not taken.
    pub async fn renewed(&self, place: &Place) -> Result<Place, CallError> {
        self.place_with(self.token(Some(&place.token)).await?, None).await
    }

    /// The account may be there no more.
    pub async fn asked_again(&self, place: &Place) -> Result<Place, CallError> {
        self.place_with(place.token.clone(), Some(place.number)).await
    }

    /// For whoever looks after it: nothing that is remembered counts. It is not forgotten either, since others do well with it.
    pub async fn anew(&self) -> Result<Url, CallError> {
        let known = self.place.kept().map_or(0, |place| place.number);
        let token = self.token.get(0, |_| false, self.grant()).await?;
        Ok(self.place_with(token, Some(known)).await?.base)
    }

    /// One that was found with this token or a newer one, and after the one that is no good.
    async fn place_with(&self, token: Token, no_good: Option<u64>) -> Result<Place, CallError> {
        match self.found_with(token.clone(), no_good).await {
            Err(CallError { fault: Fault::Token, .. }) => {
                let token = self.token(Some(&token)).await?;
                self.found_with(token, no_good).await
            }
            found => found,
        }
    }

    async fn found_with(&self, token: Token, no_good: Option<u64>) -> Result<Place, CallError> {
        let number = token.number;
        let is_good = |place: &Place| {
            place.token.number >= number && no_good.is_none_or(|no_good| place.number > no_good)
        };
        self.place.get(number, is_good, self.find(token, no_good.is_none())).await
    }

    /// Where it was before is told if DocuSign does not say where it is now. If it moved meanwhile, its answers say so, and it is asked for again.
    async fn find(&self, token: Token, as_before: bool) -> Result<Place, CallError> {
        let found = match self.config.discover_base_uri {
            true => self.discover(&token.secret).await.and_then(|host| self.base(&host)),
            false => self.base(&self.config.base_url),
        };
        let before = || self.place.kept().filter(|_| as_before).map(|place| place.base);
        let base = match found {
            Err(error) if error.fault.is_fleeting() => before().ok_or(error)?,
            found => found?,
        };
        Ok(Place { base, token, number: next(&self.asked) })
    }

    fn base(&self, host: &str) -> Result<Url, CallError> {
        let host = host.trim_end_matches('/').trim_end_matches("/restapi");
        let base = format!("{host}/restapi/v2.1/accounts/{}/", self.config.account_id);
        Url::parse(&base).map_err(|_| elsewhere("no_base_uri", 200))
    }

    async fn discover(&self, token: &SecretString) -> Result<String, CallError> {
        let url = format!("{}/oauth/userinfo", self.config.oauth_url());
        let sent = self.http.get(url).timeout(TIMEOUT).bearer_auth(token.expose_secret()).send().await;
        let answer =
            sent.map_err(|cause| CallError { fault: Fault::Away, ..failed_send(ASKING_WHERE, &cause) })?;
        let (status, _, bytes) = read_all(ASKING_WHERE, answer).await?;
        match status {
            200 => {
                let info: UserInfo = serde_json::from_slice(&bytes)
                    .map_err(|_| CallError { fault: Fault::Away, ..elsewhere("no_accounts", 200) })?;
                let is_own =
                    |account: &InfoAccount| account.account_id.eq_ignore_ascii_case(&self.config.account_id);
                let own = info.accounts.into_iter().find(is_own);
                own.map(|account| account.base_uri).ok_or_else(|| elsewhere("account_not_of_this_user", 200))
            }
            401 => Err(CallError { fault: Fault::Token, ..elsewhere("userinfo_refused", 401) }),
            status => Err(CallError { fault: Fault::Away, code: None, ..elsewhere("", status) }),
        }
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
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
