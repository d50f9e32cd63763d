//! Users as whoever runs the installation sees them: made, looked at, disabled, given a role, a password, another
//! chance. What is refused is told by its field.

use std::sync::Arc;
use std::time::Duration;

use jobkit::redact::Personal;
use jobkit::{Clock, IdGenerator, SecretString};
use serde_json::{Value, json};
use store::identities::{Email, Ending, NewUser, SessionRow, UserChange, UserChanged, UserRow, Whom};
use store::{Actor, Role, SessionId, Store, UserId};

use super::IdentityError;
use super::password::{Passwords, fit};

pub const LONGEST_NAME: usize = 200;
const LONGEST_TENANT: usize = 128;

pub struct Users {
    store: Arc<dyn Store>,
    passwords: Arc<Passwords>,
    ids: IdGenerator,
    /// A session that was not used for so long is not shown as one.
    idle: Duration,
}

/// Somebody to be.
#[derive(Debug, Clone)]
pub struct Given {
    pub email: Email,
    pub name: Personal<String>,
    pub role: Role,
    /// None: the whole installation.
    pub tenant: Option<String>,
    pub password: SecretString,
}

impl Given {
    /// Who will be made, for whoever approves it.
    pub fn told(&self) -> Value {
        let (email, name) = (self.email.expose(), self.name.expose());
        json!({ "email": email, "name": name, "role": self.role, "tenant": self.tenant })
    }
}

impl Users {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        passwords: Arc<Passwords>,
        idle: Duration,
    ) -> Self {
        Self { store, passwords, ids: IdGenerator::new(clock), idle }
    }

    pub async fn create(&self, given: Given, by: &Actor) -> Result<UserRow, IdentityError> {
        let Given { email, name, role, tenant, password } = given;
        check("name", name.expose(), LONGEST_NAME)?;
        if let Some(tenant) = &tenant {
            check_tenant(tenant)?;
        }
        check_password(&password, &[email.expose(), name.expose()])?;
        let password = self.passwords.keep(&password).await?;
        let id = UserId(self.ids.next().0);
        Ok(self.store.create_user(&NewUser { id, email, name, role, tenant, password }, by).await?)
    }

    pub async fn find(&self, whom: &Whom) -> Result<Option<UserRow>, IdentityError> {
        Ok(self.store.user(whom).await?)
    }

    pub async fn list(&self, after: Option<UserId>, limit: usize) -> Result<Vec<UserRow>, IdentityError> {
        Ok(self.store.users(after, limit).await?)
    }

    /// False when it was so already.
    pub async fn change(&self, id: UserId, change: &UserChange, by: &Actor) -> Result<bool, IdentityError> {
        match self.store.change_user(id, change, by).await? {
            UserChanged::Done(_) => Ok(true),
            UserChanged::Same(_) => Ok(false),
            UserChanged::Refused(why) => Err(IdentityError::Refused(why)),
            UserChanged::Unknown => Err(IdentityError::Unknown(id)),
        }
    }

    /// All sessions end: whoever had them may be the reason.
    pub async fn reset_password(
        &self,
        user: &UserRow,
        password: &SecretString,
        by: &Actor,
    ) -> Result<(), IdentityError> {
        check_password(password, &[user.email.expose(), user.name.expose()])?;
        let hash = self.passwords.keep(password).await?;
        self.change(user.id, &UserChange::Password { hash, keep: None }, by).await.map(drop)
    }

    pub async fn sessions(&self, user: UserId) -> Result<Vec<SessionRow>, IdentityError> {
        Ok(self.store.sessions(user, self.idle).await?)
    }

    /// One session, or all; says how many ended.
    pub async fn sign_out(
        &self,
        user: UserId,
        session: Option<SessionId>,
        by: &Actor,
    ) -> Result<u64, IdentityError> {
        Ok(match session {
            Some(session) => u64::from(self.store.end_session(session, user, Ending::Revoked, by).await?),
            None => self.store.end_sessions_of(user, None, Ending::Revoked, by).await?,
        })
    }
}

/// What another role for somebody will do, for whoever approves it. The one there is counts: what lifts a viewer was not
/// shown to be what lowers an owner.
pub fn giving_role(user: &UserRow, role: Role) -> Value {
    json!({ "user": user.id, "from": user.role, "to": role, "tenant": user.tenant })
}

/// What is taken from somebody, for whoever approves it. The new password is nobody's to see.
pub fn resetting(user: &UserRow) -> Value {
    json!({ "user": user.id, "tenant": user.tenant })
}

fn check(field: &'static str, text: &str, most: usize) -> Result<(), IdentityError> {
    let letters = text.chars().count();
    let problem = if text.trim().is_empty() {
        "says nothing".to_owned()
    } else if letters > most {
        format!("has {letters} letters; at most {most}")
    } else if text.chars().any(char::is_control) {
        "must not have control characters in it".to_owned()
    } else {
        return Ok(());
    };
    Err(IdentityError::Invalid { field, problem })
}

pub(super) fn check_tenant(tenant: &str) -> Result<(), IdentityError> {
    check("tenant", tenant, LONGEST_TENANT)
}

pub(super) fn check_password(password: &SecretString, about: &[&str]) -> Result<(), IdentityError> {
    match fit(password, about).problem() {
        Some(problem) => Err(IdentityError::Invalid { field: "password", problem }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_be_called_is_refused_with_its_field() {
        assert!(check("name", "Ada Lovelace", 200).is_ok());
        for (text, told) in [
            ("", "name: says nothing"),
            (" ", "name: says nothing"),
            ("ada\n", "name: must not have control characters in it"),
            ("abcdef", "name: has 6 letters; at most 5"),
        ] {
            assert_eq!(check("name", text, 5).unwrap_err().to_string(), told);
        }
        let weak = check_password(&SecretString::from("passwordpassword"), &[]).unwrap_err().to_string();
        assert!(weak.starts_with("password: is easily guessed"), "{weak}");
    }
}
