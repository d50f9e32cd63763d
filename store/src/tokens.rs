//! Tokens of services: what a program shows to be known by, made by somebody who may, for a while, and taken back at
//! once.
//!
//! Of the secret only its SHA-256 is kept: it is 256 random bits, so nobody comes from the hash to the secret by
//! trying, and a slow hash would make each request dear for nothing. A name is given once: what the audit log says that
//! `service:NAME` did, one token did.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::AuditEntry;
use serde_json::{Value, json};

use super::{Actor, Result, TokenId};

#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// `Refused` when a token has or had the name.
    async fn create_token(&self, token: &NewToken, by: &Actor) -> Result<TokenRow>;

    /// With the time by which it ends.
    async fn token(&self, which: &Which) -> Result<Option<(TokenRow, Timestamp)>>;

    /// All, those that have ended too, in the order in which they came, from behind this one on.
    async fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>>;

    /// Does what [`TokenChange::apply`] says, with one audit entry.
    async fn change_token(&self, id: TokenId, change: &TokenChange, by: &Actor) -> Result<TokenChanged>;

    /// It was shown, and let somebody in. Written when the last time is so long ago.
    async fn token_used(&self, id: TokenId, at_most_every: Duration) -> Result<()>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Id(TokenId),
    Name(String),
}

#[derive(Clone)]
pub struct NewToken {
    pub id: TokenId,
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// By name.
    pub permissions: Vec<String>,
    /// None: the whole installation.
    pub tenant: Option<String>,
    /// Where it may be shown; empty is anywhere.
    pub networks: Vec<String>,
    pub life: Duration,
}

#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: TokenId,
    pub name: String,
    pub hash: [u8; 32],
    /// The secret before this one, for as long as it is let in.
    pub before: Option<Before>,
    pub permissions: Vec<String>,
    pub tenant: Option<String>,
    pub networks: Vec<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Before {
    pub hash: [u8; 32],
    pub until: Timestamp,
}

/// Why a token lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The secret is none of this token's, or was and is not any more.
    Secret,
    Revoked,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    Live,
    Expired,
    Revoked,
}

impl TokenState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl TokenRow {
    pub fn state(&self, now: Timestamp) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if now >= self.expires_at {
            TokenState::Expired
        } else {
            TokenState::Live
        }
    }

    /// Whether whoever shows a secret with this hash is let in. What a stranger may hear is the same in each case.
    pub fn admits(&self, hash: &[u8; 32], now: Timestamp) -> Result<(), Barred> {
        let before =
            self.before.as_ref().is_some_and(|before| same(&before.hash, hash) && now < before.until);
        if !same(&self.hash, hash) && !before {
            return Err(Barred::Secret);
        }
        match self.state(now) {
            TokenState::Live => Ok(()),
            TokenState::Expired => Err(Barred::Expired),
            TokenState::Revoked => Err(Barred::Revoked),
        }
    }
}

/// In the same time, wherever they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRow").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq)]
pub enum TokenChange {
    Revoke,
    /// Another secret. The one there was is let in for `grace` more, the one before that no more; it ends `life` from now.
    Rotate {
        hash: [u8; 32],
        grace: Duration,
        life: Duration,
    },
}

#[derive(Debug, Clone)]
pub enum TokenChanged {
    Done(Box<TokenRow>),
    /// It was so already.
    Same(Box<TokenRow>),
    Refused(&'static str),
    Unknown,
}

/// What both stores write.
#[derive(Debug, Clone)]
pub struct Applied {
    pub token: TokenRow,
    pub action: &'static str,
    pub details: Value,
}

#[derive(Debug, Clone)]
pub enum Decided {
    Apply(Box<Applied>),
    Same,
    Refused(&'static str),
}

impl TokenChange {
    pub fn apply(&self, token: &TokenRow, now: Timestamp) -> Decided {
        let mut to = token.clone();
        let (action, details) = match self {
            Self::Revoke if token.revoked_at.is_some() => return Decided::Same,
            Self::Revoke => {
                to.revoked_at = Some(now);
                to.before = None;
                ("token.revoked", json!({ "name": token.name }))
            }
            Self::Rotate { .. } if token.revoked_at.is_some() => {
                return Decided::Refused("the token is revoked, for good; create another");
            }
            Self::Rotate { hash, grace, life } => {
                // Whoever comes late gets no more of the old secret than it had left.
                let until = later(now, *grace).min(token.expires_at);
                to.before = (until > now).then_some(Before { hash: token.hash, until });
                to.hash = *hash;
                to.rotated_at = Some(now);
                to.expires_at = later(now, *life);
                let old = to.before.as_ref().map(|before| before.until);
                let details =
                    json!({ "name": token.name, "expires_at": to.expires_at, "old_secret_until": old });
                ("token.rotated", details)
            }
        };
        Decided::Apply(Box::new(Applied { token: to, action, details }))
    }
}

pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn entry(by: &Actor, action: &str, token: &TokenRow, details: Value) -> AuditEntry {
    let object = format!("token:{}", token.id);
    AuditEntry { tenant: token.tenant.clone(), ..by.entry(action, object, "ok", details) }
}

/// Says what the token may do, and nothing of its secret.
pub fn token_created(by: &Actor, token: &TokenRow) -> AuditEntry {
    let details = json!({
        "name": token.name,
        "permissions": token.permissions,
        "tenant": token.tenant,
        "networks": token.networks,
        "expires_at": token.expires_at,
    });
    entry(by, "token.created", token, details)
}

pub fn token_changed(by: &Actor, applied: &Applied) -> AuditEntry {
    entry(by, applied.action, &applied.token, applied.details.clone())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn token() -> TokenRow {
        TokenRow {
            id: TokenId(Uuid::from_u128(1)),
            name: "billing".into(),
            hash: [7; 32],
            before: None,
            permissions: vec!["jobs:read".into()],
            tenant: None,
            networks: Vec::new(),
            created_at: at(0),
            created_by: "cli:ada".into(),
            expires_at: at(1_000),
            rotated_at: None,
            revoked_at: None,
            used_at: None,
        }
    }

    fn applied(change: &TokenChange, token: &TokenRow, now: i64) -> Applied {
        match change.apply(token, at(now)) {
            Decided::Apply(applied) => *applied,
            other => panic!("{other:?}"),
        }
    }

    fn rotate(grace: u64) -> TokenChange {
        let seconds = Duration::from_secs;
        TokenChange::Rotate { hash: [8; 32], grace: seconds(grace), life: seconds(5_000) }
    }

    #[test]
    fn a_token_lets_in_until_it_ends_and_nobody_with_another_secret() {
        let revoked = TokenRow { revoked_at: Some(at(5)), ..token() };
        for (token, secret, now, expected) in [
            (token(), 7, 0, Ok(())),
            (token(), 7, 999, Ok(())),
            (token(), 7, 1_000, Err(Barred::Expired)),
            (token(), 8, 0, Err(Barred::Secret)),
            (token(), 8, 1_000, Err(Barred::Secret)),
            (revoked.clone(), 7, 6, Err(Barred::Revoked)),
            (revoked.clone(), 7, 4, Err(Barred::Revoked)),
            (revoked, 8, 6, Err(Barred::Secret)),
        ] {
            assert_eq!(token.admits(&[secret; 32], at(now)), expected, "{secret} {now}");
        }
        let nearly = [[7; 31].as_slice(), &[6]].concat().try_into().unwrap();
        assert_eq!(token().admits(&nearly, at(0)), Err(Barred::Secret));
    }

    #[test]
    fn a_rotated_token_lets_in_by_both_secrets_for_its_grace() {
        let rotated = applied(&rotate(60), &token(), 100).token;
        for (secret, now, expected) in [
            (7, 159, Ok(())),
            (7, 160, Err(Barred::Secret)),
            (8, 160, Ok(())),
            (8, 5_099, Ok(())),
            (8, 5_100, Err(Barred::Expired)),
            (9, 100, Err(Barred::Secret)),
        ] {
            assert_eq!(rotated.admits(&[secret; 32], at(now)), expected, "{secret} {now}");
        }
        assert_eq!(rotated.rotated_at, Some(at(100)));

        let at_once = applied(&rotate(0), &token(), 100).token;
        assert_eq!(at_once.admits(&[7; 32], at(100)), Err(Barred::Secret));
        let old = applied(&rotate(5_000), &token(), 100).token;
        assert_eq!(
            old.before.map(|before| before.until),
            Some(at(1_000)),
            "an old secret gets no longer life"
        );
        let expired = applied(&rotate(60), &token(), 2_000).token;
        assert_eq!(expired.admits(&[7; 32], at(2_000)), Err(Barred::Secret));
        assert_eq!(expired.admits(&[8; 32], at(2_000)), Ok(()));
    }

    #[test]
    fn a_token_is_revoked_once_with_both_its_secrets_and_never_comes_back() {
        let rotated = applied(&rotate(60), &token(), 100).token;
        let revoked = applied(&TokenChange::Revoke, &rotated, 110);
        assert_eq!((revoked.action, revoked.token.revoked_at), ("token.revoked", Some(at(110))));
        for secret in [7, 8] {
            assert!(revoked.token.admits(&[secret; 32], at(111)).is_err(), "{secret}");
        }
        assert!(matches!(TokenChange::Revoke.apply(&revoked.token, at(120)), Decided::Same));
        assert!(matches!(rotate(60).apply(&revoked.token, at(120)), Decided::Refused(_)));
    }

    #[test]
    fn no_hash_is_printed_or_told() {
        let told = format!("{:?} {}", token(), applied(&rotate(60), &token(), 100).details);
        let entry = token_created(&Actor::new("cli:ada"), &token());
        for text in [told, entry.details.to_string()] {
            assert!(!text.contains("7, 7") && !text.contains("8, 8") && !text.contains("hash"), "{text}");
        }
    }
}
