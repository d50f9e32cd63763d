//! People who sign in, the sessions they have open, and how often somebody failed at the door.
//!
//! What a change does is decided here, purely, and both stores do it under a lock on the user's row: who is disabled,
//! has another password or lost a session is so on every instance with the commit. No e-mail address leaves for the
//! audit log; a person is `user:` and an id there.

pub mod change;
pub mod email;
pub mod lockout;
pub mod rotation;
mod told;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::redact::Personal;
use jobkit::{Origin, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, Result};
pub use change::{Applied, Recovery, UserChange, UserChanged};
pub use email::Email;
pub use lockout::{Admission, DoorState, Doors};
pub use rotation::{Rotated, Verdict};
pub use told::*;

#[async_trait]
pub trait Identities: Send + Sync + 'static {
    /// `Refused` when somebody has the address already, in whatever case.
    async fn create_user(&self, user: &NewUser, by: &Actor) -> Result<UserRow>;

    async fn user(&self, whom: &Whom) -> Result<Option<UserRow>>;

    /// In the order in which they came, from behind this one on.
    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<UserRow>>;

    /// Does what [`UserChange::apply`] says, with the sessions that end by it and one audit entry.
    async fn change_user(&self, id: UserId, change: &UserChange, by: &Actor) -> Result<UserChanged>;

    /// Somebody is about to try a password. It counts as a failure until it is known to be none, so that many who try
    /// at once are counted before the first of them knows. Who is locked out is not counted again: a lock always ends.
    async fn begin_sign_in(&self, doors: &Doors) -> Result<Admission>;

    /// The password was right, and a second factor is due: it was no failure.
    async fn sign_in_due(&self, doors: &Doors) -> Result<()>;

    /// Writes down that it was one, and tells people when it locked somebody's account.
    async fn sign_in_failed(&self, doors: &Doors, failed: &FailedSignIn) -> Result<()>;

    /// Opens a session if the user may have one and the factor was not used before, and uses the factor up.
    async fn open_session(&self, session: &NewSession, factor: &Factor, doors: &Doors) -> Result<Opened>;

    /// A session that lives, with its user. One that was not used for `idle` does not.
    async fn session(&self, id: SessionId, idle: Duration) -> Result<Option<(SessionRow, UserRow)>>;

    /// Those of the user that live, the newest first.
    async fn sessions(&self, of: UserId, idle: Duration) -> Result<Vec<SessionRow>>;

    /// Uses a refresh token, or finds out that somebody else did: see [`rotation`].
    async fn rotate(
        &self,
        id: SessionId,
        generation: u64,
        idle: Duration,
        origin: &Origin,
    ) -> Result<Rotated>;

    /// Ends a session whose time is over and that nobody has ended yet, with its entry; whoever came too late is refused, and
    /// this is how that is known later. False when there is nothing to end.
    async fn end_if_over(&self, id: SessionId, idle: Duration, origin: &Origin) -> Result<bool>;

    /// False when the user has no such session that has not ended.
    async fn end_session(&self, id: SessionId, of: UserId, why: Ending, by: &Actor) -> Result<bool>;

    /// All that have not ended, save one; says how many.
    async fn end_sessions_of(
        &self,
        user: UserId,
        save: Option<SessionId>,
        why: Ending,
        by: &Actor,
    ) -> Result<u64>;

    /// Deletes sessions that cannot be used any more since so long, and failures that old, up to `limit` of each.
    async fn forget_sessions(&self, over_for: Duration, limit: usize) -> Result<u64>;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub Uuid);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }

            impl FromStr for $name {
                type Err = uuid::Error;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    text.parse().map(Self)
                }
            }
        )+
    };
}

ids! {
    UserId
    SessionId
    /// Of a token of a service.
    TokenId
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal: $($one:ident $text:literal $(#[$of:meta])*),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $one,)+
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$one),+];

            pub fn name(self) -> &'static str {
                match self { $($name::$one => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().copied().find(|one| one.name() == text);
                found.ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
                    format!("`{text}` is no {}: {}", $what, known.join(", "))
                })
            }
        }
    };
}

named! {
    /// What somebody may do, in four steps.
    Role, "role":
    Owner "owner" /** Everything, other owners included. */,
    Admin "admin" /** Runs the installation. */,
    Member "member" /** Works with jobs. */,
    Viewer "viewer" /** Looks. */,
}

named! {
    /// Why a session has ended.
    Ending, "reason":
    SignedOut "signed_out",
    Revoked "revoked" /** By its user from another session, or by somebody who runs the installation. */,
    Reused "reused" /** A refresh token was shown that had been used: somebody else has it. */,
    Idle "idle",
    Expired "expired",
    PasswordChanged "password_changed",
    Disabled "disabled",
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    Id(UserId),
    Email(Email),
}

#[derive(Debug, Clone)]
pub struct NewUser {
    pub id: UserId,
    pub email: Email,
    pub name: Personal<String>,
    pub role: Role,
    /// None: the whole installation.
    pub tenant: Option<String>,
    /// As it is kept.
    pub password: SecretString,
}

#[derive(Debug, Clone)]
pub struct UserRow {
    pub id: UserId,
    pub email: Email,
    pub name: Personal<String>,
    pub role: Role,
    pub tenant: Option<String>,
    pub password: SecretString,
    pub password_changed_at: Timestamp,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub totp: Option<TotpRow>,
    /// Recovery codes that are left.
    pub recovery: u64,
}

impl UserRow {
    /// The second factor, if it counts already.
    pub fn second_factor(&self) -> Option<&TotpRow> {
        self.totp.as_ref().filter(|totp| totp.since.is_some())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpRow {
    pub sealed: String,
    /// None while no code of it was shown.
    pub since: Option<Timestamp>,
    /// The last time step whose code was used.
    pub step: Option<u64>,
}

/// What is shown beside the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// The user has no second one.
    Password,
    /// A code of this time step.
    Totp { step: u64 },
    /// SHA-256 of a recovery code.
    Recovery([u8; 32]),
}

impl Factor {
    pub fn name(&self) -> &'static str {
        match self {
            Factor::Password => "password",
            Factor::Totp { .. } => "totp",
            Factor::Recovery(_) => "recovery_code",
        }
    }

    /// Whether it opens a session of this user, as far as the user's row says. A recovery code must be there, too.
    pub fn suffices(&self, user: &UserRow) -> bool {
        match (self, user.second_factor()) {
            (Factor::Password, None) => true,
            (Factor::Password, Some(_)) | (_, None) => false,
            (Factor::Totp { step }, Some(totp)) => totp.step.is_none_or(|last| *step > last),
            (Factor::Recovery(_), Some(_)) => true,
        }
    }
}

#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    /// The hash that the password was compared with: another one was set meanwhile if it is not the user's.
    pub password: SecretString,
    pub seed: [u8; 32],
    /// Whatever is done with it.
    pub life: Duration,
    pub user_agent: String,
    pub source: String,
    /// Which request opens it.
    pub origin: Origin,
}

#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub id: SessionId,
    pub user: UserId,
    pub seed: [u8; 32],
    pub generation: u64,
    pub rotated_at: Option<Timestamp>,
    pub rotated_before: Option<Timestamp>,
    pub created_at: Timestamp,
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: String,
    pub source: String,
    pub ended: Option<Ending>,
}

impl fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRow")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("generation", &self.generation)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub enum Opened {
    Session(Box<(SessionRow, UserRow)>),
    /// The factor was used before, or is none; or the user is disabled, gone, or has another password by now.
    Refused,
}

/// Never which of the two was wrong in words that a caller sees; the audit log may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSignIn {
    /// None: nobody has the address.
    pub user: Option<UserId>,
    pub why: SignInProblem,
    pub origin: Origin,
}

named! {
    /// Why somebody was not let in.
    SignInProblem, "reason":
    UnknownUser "unknown_user",
    WrongPassword "wrong_password",
    WrongCode "wrong_code",
    Disabled "disabled",
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    pub(crate) fn user() -> UserRow {
        UserRow {
            id: UserId(Uuid::from_u128(1)),
            email: "ada@example.org".parse().unwrap(),
            name: Personal::new("Ada".into()),
            role: Role::Member,
            tenant: None,
            password: SecretString::from("$argon2id$old"),
            password_changed_at: at(0),
            created_at: at(0),
            disabled_at: None,
            totp: None,
            recovery: 0,
        }
    }

    pub(crate) fn session() -> SessionRow {
        SessionRow {
            id: SessionId(Uuid::from_u128(2)),
            user: user().id,
            seed: [7; 32],
            generation: 0,
            rotated_at: None,
            rotated_before: None,
            created_at: at(0),
            used_at: at(0),
            expires_at: at(7 * 24 * 3600),
            user_agent: "a browser".into(),
            source: "192.0.2.7".into(),
            ended: None,
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
            assert_eq!(serde_json::json!(role), role.name());
        }
        for ending in Ending::ALL {
            assert_eq!(ending.name().parse(), Ok(*ending));
            assert_eq!(serde_json::json!(ending), ending.name());
        }
        assert_eq!("king".parse::<Role>().unwrap_err(), "`king` is no role: owner, admin, member, viewer");
    }

    #[test]
    fn a_factor_suffices_once_and_a_password_alone_only_where_there_is_no_other() {
        let with =
            |since, step| UserRow { totp: Some(TotpRow { sealed: "x".into(), since, step }), ..user() };
        let totp = |step| Factor::Totp { step };
        for (factor, user, suffices) in [
            (Factor::Password, user(), true),
            (Factor::Password, with(None, None), true),
            (Factor::Password, with(Some(at(0)), None), false),
            (totp(7), with(Some(at(0)), None), true),
            (totp(7), with(Some(at(0)), Some(6)), true),
            (totp(7), with(Some(at(0)), Some(7)), false),
            (totp(6), with(Some(at(0)), Some(7)), false),
            (totp(7), user(), false),
            (Factor::Recovery([0; 32]), with(Some(at(0)), Some(7)), true),
            (Factor::Recovery([0; 32]), user(), false),
        ] {
            assert_eq!(factor.suffices(&user), suffices, "{factor:?} {user:?}");
        }
    }

    #[test]
    fn neither_a_session_nor_a_user_prints_what_must_not_be_known() {
        let told = format!("{:?} {:?}", user(), session());
        for secret in ["ada@", "Ada", "argon2id", "[7, 7", "192.0.2.7"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }
}
