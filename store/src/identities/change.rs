//! What a change of a user comes to: the row afterwards, the sessions that end, and what the audit log says; pure.

use jiff::Timestamp;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use serde_json::{Value, json};

use super::{Ending, Role, SessionId, TotpRow, UserId, UserRow};

#[derive(Debug, Clone)]
pub enum UserChange {
    /// All sessions end.
    Disable,
    Enable,
    /// From the one that whoever decided on it saw, where somebody did.
    Role {
        from: Option<Role>,
        to: Role,
    },
    /// All sessions end but this one, in which it was changed.
    Password {
        hash: SecretString,
        keep: Option<SessionId>,
    },
    /// The same password as it is kept by today's parameters.
    Rehash {
        from: SecretString,
        to: SecretString,
    },
    /// A second factor that does not count yet.
    BeginTotp {
        sealed: String,
    },
    /// A first code of it was shown, so from now on it counts; these are the hashes of the recovery codes.
    ConfirmTotp {
        sealed: String,
        step: u64,
        codes: Vec<[u8; 32]>,
    },
    /// The second factor and its recovery codes are gone.
    RemoveTotp,
}

#[derive(Debug, Clone)]
pub enum UserChanged {
    Done(Box<UserRow>),
    /// It was so already.
    Same(Box<UserRow>),
    /// As the user stands it cannot be; says why.
    Refused(&'static str),
    Unknown,
}

/// What both stores write.
#[derive(Debug, Clone)]
pub struct Applied {
    pub user: UserRow,
    pub recovery: Recovery,
    pub sessions: Option<(Ending, Option<SessionId>)>,
    pub action: &'static str,
    pub details: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    Keep,
    /// These take the place of those there were.
    Put(Vec<[u8; 32]>),
}

#[derive(Debug, Clone)]
pub enum Decided {
    Apply(Box<Applied>),
    Same,
    Refused(&'static str),
}

/// What is answered when nobody would be left who may do everything.
pub const LAST_OWNER: Decided = Decided::Refused(
    "this is the last owner of the installation who may sign in; make another one first, by giving somebody the role",
);

impl UserChange {
    /// Whatever role there is.
    pub fn role(to: Role) -> Self {
        Self::Role { from: None, to }
    }

    /// Whether an owner may be none afterwards. The stores then look, under a lock, whether another is left.
    pub fn may_take_an_owner(&self) -> bool {
        match self {
            UserChange::Disable => true,
            UserChange::Role { to, .. } => *to != Role::Owner,
            UserChange::Enable
            | UserChange::Password { .. }
            | UserChange::Rehash { .. }
            | UserChange::BeginTotp { .. }
            | UserChange::ConfirmTotp { .. }
            | UserChange::RemoveTotp => false,
        }
    }

    /// What [`Self::apply`] says, `owners` being those of the installation who may sign in, where the change may take one.
    pub fn apply_among(&self, owners: Option<&[UserId]>, user: &UserRow, now: Timestamp) -> Decided {
        let decided = self.apply(user, now);
        match (&decided, owners) {
            (Decided::Apply(_), Some([last])) if *last == user.id => LAST_OWNER,
            _ => decided,
        }
    }

    pub fn apply(&self, user: &UserRow, now: Timestamp) -> Decided {
        let mut to = user.clone();
        let mut recovery = Recovery::Keep;
        let mut sessions = None;
        let mut details = json!({});
        let action = match self {
            UserChange::Disable if user.disabled_at.is_some() => return Decided::Same,
            UserChange::Disable => {
                to.disabled_at = Some(now);
                sessions = Some((Ending::Disabled, None));
                "user.disabled"
            }
            UserChange::Enable if user.disabled_at.is_none() => return Decided::Same,
            UserChange::Enable => {
                to.disabled_at = None;
                "user.enabled"
            }
            UserChange::Role { to: role, .. } if *role == user.role => return Decided::Same,
            UserChange::Role { from: Some(from), .. } if *from != user.role => {
                return Decided::Refused("somebody gave another role meanwhile; look at the user again");
            }
            UserChange::Role { to: role, .. } => {
                to.role = *role;
                details = json!({ "from": user.role, "to": role });
                "user.role_changed"
            }
            UserChange::Password { hash, keep } => {
                to.password = hash.clone();
                to.password_changed_at = now;
                sessions = Some((Ending::PasswordChanged, *keep));
                "user.password_changed"
            }
            UserChange::Rehash { from, .. } if !same(from, &user.password) => return Decided::Same,
            UserChange::Rehash { to: hash, .. } => {
                to.password = hash.clone();
                "user.password_rehashed"
            }
            UserChange::BeginTotp { .. } | UserChange::ConfirmTotp { .. }
                if user.second_factor().is_some() =>
            {
                return Decided::Refused("there is a second factor already; remove it first");
            }
            UserChange::BeginTotp { sealed } => {
                to.totp = Some(TotpRow { sealed: sealed.clone(), since: None, step: None });
                "user.totp_begun"
            }
            UserChange::ConfirmTotp { sealed, step, codes } => {
                // The code is of what was there when it was looked at, which may be another by now.
                if user.totp.as_ref().is_none_or(|totp| totp.sealed != *sealed) {
                    return Decided::Refused("another second factor was begun meanwhile; begin again");
                }
                to.totp = Some(TotpRow { sealed: sealed.clone(), since: Some(now), step: Some(*step) });
                to.recovery = u64::try_from(codes.len()).unwrap_or(u64::MAX);
                recovery = Recovery::Put(codes.clone());
                "user.totp_confirmed"
            }
            UserChange::RemoveTotp if user.totp.is_none() => return Decided::Same,
            UserChange::RemoveTotp => {
                to.totp = None;
                to.recovery = 0;
                recovery = Recovery::Put(Vec::new());
                "user.totp_removed"
            }
        };
        Decided::Apply(Box::new(Applied { user: to, recovery, sessions, action, details }))
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, user};
    use super::*;

    fn applied(change: &UserChange, user: &UserRow) -> Applied {
        match change.apply(user, at(5)) {
            Decided::Apply(applied) => *applied,
            other => panic!("{change:?}: {other:?}"),
        }
    }

    fn factor(since: Option<Timestamp>) -> UserRow {
        UserRow { totp: Some(TotpRow { sealed: "a".into(), since, step: None }), recovery: 3, ..user() }
    }

    #[test]
    fn each_change_has_its_word_and_ends_the_sessions_that_it_must() {
        let disabled = UserRow { disabled_at: Some(at(1)), ..user() };
        let keep = SessionId(uuid::Uuid::from_u128(9));
        let hash = SecretString::from("$argon2id$new");
        let password = |keep| UserChange::Password { hash: hash.clone(), keep };
        let rehash = UserChange::Rehash { from: user().password, to: hash.clone() };
        let confirm = UserChange::ConfirmTotp { sealed: "a".into(), step: 7, codes: vec![[1; 32]] };
        for (change, of, action, sessions) in [
            (UserChange::Disable, user(), "user.disabled", Some((Ending::Disabled, None))),
            (UserChange::Enable, disabled, "user.enabled", None),
            (UserChange::role(Role::Viewer), user(), "user.role_changed", None),
            (password(None), user(), "user.password_changed", Some((Ending::PasswordChanged, None))),
            (
                password(Some(keep)),
                user(),
                "user.password_changed",
                Some((Ending::PasswordChanged, Some(keep))),
            ),
            (rehash, user(), "user.password_rehashed", None),
            (UserChange::BeginTotp { sealed: "b".into() }, factor(None), "user.totp_begun", None),
            (confirm, factor(None), "user.totp_confirmed", None),
            (UserChange::RemoveTotp, factor(Some(at(1))), "user.totp_removed", None),
        ] {
            let applied = applied(&change, &of);
            assert_eq!((applied.action, applied.sessions), (action, sessions));
            let told = format!("{}{applied:?}", applied.details);
            assert!(!told.contains("argon2id") && !told.contains("ada"), "{told}");
        }
    }

    #[test]
    fn what_is_so_already_changes_nothing() {
        let stale = UserChange::Rehash { from: "$argon2id$other".into(), to: "$argon2id$new".into() };
        let role = UserChange::role(user().role);
        for change in [UserChange::Enable, role, UserChange::RemoveTotp, stale] {
            assert!(matches!(change.apply(&user(), at(5)), Decided::Same), "{change:?}");
        }
    }

    #[test]
    fn a_role_is_given_from_the_one_that_was_seen() {
        let mut others = Role::ALL.iter().copied().filter(|role| *role != user().role);
        let (to, other) = (others.next().unwrap(), others.next().unwrap());
        let from = |from| UserChange::Role { from: Some(from), to }.apply(&user(), at(5));
        assert!(matches!(from(user().role), Decided::Apply(_)));
        assert!(matches!(from(other), Decided::Refused(_)));
    }

    #[test]
    fn a_second_factor_counts_from_its_first_code_and_is_not_replaced_while_it_counts() {
        let confirm = |sealed: &str| UserChange::ConfirmTotp {
            sealed: sealed.into(),
            step: 7,
            codes: vec![[1; 32], [2; 32]],
        };
        let confirmed = applied(&confirm("a"), &factor(None));
        let totp = TotpRow { sealed: "a".into(), since: Some(at(5)), step: Some(7) };
        assert_eq!((confirmed.user.second_factor(), confirmed.user.recovery), (Some(&totp), 2));
        assert_eq!(confirmed.recovery, Recovery::Put(vec![[1; 32], [2; 32]]));

        for (change, of) in [
            (confirm("b"), factor(None)),
            (confirm("a"), user()),
            (confirm("a"), factor(Some(at(1)))),
            (UserChange::BeginTotp { sealed: "b".into() }, factor(Some(at(1)))),
        ] {
            assert!(matches!(change.apply(&of, at(5)), Decided::Refused(_)), "{change:?}");
        }
        let removed = applied(&UserChange::RemoveTotp, &factor(Some(at(1))));
        assert_eq!((removed.user.totp, removed.recovery), (None, Recovery::Put(vec![])));
    }
}
