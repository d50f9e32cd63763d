//! People of the platform that this installation serves, who show a JWT that the platform signed. Algorithms, issuer and
//! audience are pinned, and so is where the key comes from; what a token says of itself chooses among the keys that are
//! known and decides nothing else. The time is our clock's.
//!
//! The subject may be an address of e-mail or somebody's name. The audit log, in which nothing is altered afterwards, gets a
//! pseudonym of it: a code under a key of the installation.

pub mod jwks;
pub mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use jobkit::redact::ExposeSecret;
use jobkit::{Clock, SecretString};
use jsonwebtoken::{DecodingKey, Validation};
use ring::hmac;
use serde_json::{Map, Value};
use store::{Role, Scope};
use tracing::debug;

use self::jwks::Jwks;
use self::settings::{Algorithm, Grant, Platform as Settings};
use super::keys::Keys;
use super::permission::rank;
use super::users::check_tenant;
use super::{Permissions, Principal};

/// The head of a request is not much larger.
const LONGEST: usize = 16 << 10;
const LONGEST_SUBJECT: usize = 1_000;

pub enum Source {
    Secret(SecretString),
    Jwks(Arc<Jwks>),
}

pub struct Platform {
    rules: Rules,
    source: Source,
    subject: hmac::Key,
    clock: Arc<dyn Clock>,
}

/// What is asked of the claims of a token whose signature is right.
#[derive(Debug, Clone)]
struct Rules {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    subject_claim: String,
    tenant_claim: Option<String>,
    role_claim: String,
    roles: BTreeMap<String, Grant>,
    leeway: i64,
    max_age: i64,
}

/// Who it is, as the platform says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claimed {
    subject: String,
    tenant: Option<String>,
    permissions: Permissions,
    role: Option<Role>,
}

impl Platform {
    pub fn new(settings: &Settings, source: Source, keys: &Keys, clock: Arc<dyn Clock>) -> Self {
        jobkit::jwt::install();
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let rules = Rules {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            algorithms: settings.algorithms.clone(),
            subject_claim: settings.subject_claim.clone(),
            tenant_claim: (!settings.tenant_claim.is_empty()).then(|| settings.tenant_claim.clone()),
            role_claim: settings.role_claim.clone(),
            roles: settings.roles.clone(),
            leeway: seconds(settings.leeway),
            max_age: seconds(settings.max_age),
        };
        Self { rules, source, subject: keys.subject.clone(), clock }
    }

    /// Who shows a token, if the platform signed it for us and its time is not over.
    pub async fn who(&self, token: &SecretString) -> Option<Principal> {
        match self.read(token.expose_secret()).await {
            Ok(claimed) => Some(self.principal(claimed)),
            Err(why) => {
                debug!("a JWT is not taken: {why}");
                None
            }
        }
    }

    async fn read(&self, token: &str) -> Result<Claimed, &'static str> {
        if token.len() > LONGEST {
            return Err("it is too long");
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| "it is none")?;
        if header.crit.is_some() {
            return Err("it asks for extensions that are not known");
        }
        let algorithm = self.rules.algorithms.iter().copied().find(|own| own.is(header.alg));
        let algorithm = algorithm.ok_or("its algorithm is none of those in identity.platform.algorithms")?;
        let key = match &self.source {
            Source::Secret(secret) => DecodingKey::from_secret(secret.expose_secret().as_bytes()),
            Source::Jwks(keys) => {
                keys.find(header.kid.as_deref(), algorithm).await.ok_or("its key is not known")?
            }
        };
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[&self.rules.audience]);
        validation.set_issuer(&[&self.rules.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The library would ask the system for the time.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|_| "its signature, its issuer or its audience is not right")?
            .claims;
        self.rules.judge(&claims, self.clock.now())
    }

    fn principal(&self, claimed: Claimed) -> Principal {
        let Claimed { subject, tenant, permissions, role } = claimed;
        let scope = tenant.map_or(Scope::Installation, Scope::Tenant);
        Principal { name: name(&self.subject, &self.rules.issuer, &subject), scope, permissions, role }
    }
}

/// As the audit log has somebody; whoever has `identity.key` can find the entries of a person whose subject is known.
pub fn name(key: &hmac::Key, issuer: &str, subject: &str) -> String {
    let code = hmac::sign(key, format!("{issuer}\0{subject}").as_bytes());
    let code = code.as_ref().get(..16).unwrap_or_default();
    format!("platform:{issuer}:{}", BASE64.encode(code))
}

impl Rules {
    fn judge(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Claimed, &'static str> {
        let now = now.as_second();
        // The library would take a list with it in it.
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err("it is of another issuer");
        }
        let exp = moment(claims, "exp")?.ok_or("it does not say when it ends")?;
        let iat = moment(claims, "iat")?.ok_or("it does not say when it was made")?;
        if now >= exp.saturating_add(self.leeway) {
            return Err("its time is over");
        }
        if iat > now.saturating_add(self.leeway) {
            return Err("it was made in the future");
        }
        if now.saturating_sub(iat) > self.max_age.saturating_add(self.leeway) {
            return Err("it is older than identity.platform.max_age");
        }
        if moment(claims, "nbf")?.is_some_and(|nbf| nbf > now.saturating_add(self.leeway)) {
            return Err("its time has not come");
        }
        let subject = text(claims, &self.subject_claim).ok_or("it does not say whose it is")?;
        if subject.len() > LONGEST_SUBJECT {
            return Err("it says at too great a length whose it is");
        }
        let tenant = match &self.tenant_claim {
            None => None,
            Some(claim) => {
                let tenant = text(claims, claim).ok_or("it names no tenant")?;
                check_tenant(tenant).map_err(|_| "it names a tenant that cannot be")?;
                Some(tenant.to_owned())
            }
        };
        let granted = values(claim(claims, &self.role_claim)).filter_map(|value| self.roles.get(value));
        let (mut permissions, mut role) = (Permissions::NONE, None);
        for grant in granted {
            permissions = permissions.union(grant.permissions());
            if let Grant::Role(one) = grant {
                role = role.max_by_rank(*one);
            }
        }
        Ok(Claimed { subject: subject.to_owned(), tenant, permissions, role })
    }
}

trait Highest {
    fn max_by_rank(self, other: Role) -> Self;
}

impl Highest for Option<Role> {
    fn max_by_rank(self, other: Role) -> Self {
        Some(self.filter(|own| rank(*own) >= rank(other)).unwrap_or(other))
    }
}

/// By its name, or by a JSON pointer for one that lies deeper.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(path) = name.strip_prefix('/') else { return claims.get(name) };
    let mut parts = path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&parts.next()?)?;
    parts.try_fold(first, |inside, part| inside.get(part.as_str()))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claim(claims, name)?.as_str().filter(|text| !text.is_empty())
}

/// One text, or a list of them.
fn values(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice);
    value.and_then(Value::as_str).into_iter().chain(list.unwrap_or_default().iter().filter_map(Value::as_str))
}

/// Seconds, which some write with a fraction.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, &'static str> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let fraction =
        || value.as_f64().filter(|at| at.is_finite() && at.abs() < 1e15).map(|at| at.floor() as i64);
    value.as_i64().or_else(fraction).map(Some).ok_or("a time in it is none")
}

#[cfg(test)]
mod tests;
