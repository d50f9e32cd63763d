//! Who somebody is: people who sign in with a password and, if they have one, a second factor, and the sessions that
//! they open; services, which show a token; and people of the platform, who show a JWT of its own.
//!
//! [`Users`] is for whoever runs the installation, and needs the store alone. [`Identity`] signs people in, and needs
//! the key of the installation too.

pub mod above;
pub mod access;
pub mod keys;
pub mod networks;
pub mod own;
pub mod password;
pub mod permission;
pub mod platform;
pub mod principal;
pub mod service_token;
pub mod session;
pub mod sign_in;
pub mod tokens;
pub mod totp;
pub mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jobkit::{Clock, IdGenerator, Origin};
use store::identities::{SessionRow, UserRow, acting_user};
use store::{Actor, Store, StoreError, TokenId, UserId};

use self::access::AccessTokens;
use self::keys::Keys;
use self::password::Passwords;
pub use self::permission::{Permission, Permissions};
pub use self::principal::Principal;
pub use self::tokens::Tokens;
pub use self::users::Users;
use crate::seal::{Keyring, SealError};

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("user {0} is not known")]
    Unknown(UserId),
    #[error("token {0} is not known")]
    UnknownToken(TokenId),
    #[error("{0}")]
    Refused(&'static str),
    #[error("the second factor is kept encrypted, and cannot be just now")]
    Seal(#[source] SealError),
    #[error("this machine has no random numbers to give")]
    NoRandom,
    #[error("the password could not be worked on")]
    Hash,
    #[error("the token could not be signed")]
    Sign,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long what is given out may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    pub access: Duration,
    /// A session that nobody refreshes for so long is over.
    pub idle: Duration,
    /// A session is over then, whatever is done with it.
    pub session: Duration,
}

/// Signs people in and knows them again.
pub struct Identity {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keyring: Arc<Keyring>,
    passwords: Arc<Passwords>,
    ids: IdGenerator,
    keys: Keys,
    access: AccessTokens,
    lives: Lives,
}

/// What it is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub keyring: Arc<Keyring>,
    pub passwords: Arc<Passwords>,
    pub keys: Keys,
    pub lives: Lives,
}

impl Identity {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, clock, keyring, passwords, keys, lives } = parts;
        let access = AccessTokens::new(&keys.access, lives.access);
        Self { store, ids: IdGenerator::new(clock.clone()), clock, keyring, passwords, keys, access, lives }
    }

    pub fn lives(&self) -> Lives {
        self.lives
    }

    /// For whoever manages them over HTTP.
    pub fn users(&self) -> Users {
        Users::new(self.store.clone(), self.clock.clone(), self.passwords.clone(), self.lives.idle)
    }

    pub fn csrf_fits(&self, session: store::SessionId, given: &[u8]) -> bool {
        session::csrf_fits(&self.keys, session, given)
    }

    /// The time as codes count it.
    fn seconds(&self) -> u64 {
        u64::try_from(self.clock.now().as_second()).unwrap_or(0)
    }
}

/// Somebody who is known, by a session that lives.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub user: UserRow,
    pub session: SessionRow,
    /// The request, for the audit log.
    pub origin: Origin,
}

impl SignedIn {
    pub fn acting(&self) -> Actor {
        acting_user(self.user.id, &self.origin)
    }
}

/// Where somebody calls from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub address: IpAddr,
    pub user_agent: String,
    /// The request, for the audit log.
    pub origin: Origin,
}

/// For random bytes in places where letters are wanted.
fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
