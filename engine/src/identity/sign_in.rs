//! Signing in. Whoever is not let in hears the same in the same time, whether there is such a user or not; why, the
//! audit log knows.

use std::net::IpAddr;

use jiff::Timestamp;
use jobkit::{JobId, Origin, SecretString};
use store::identities::{
    Admission, Doors, Email, Factor, FailedSignIn, NewSession, Opened, SignInProblem, TotpRow, UserChange,
    UserRow, Whom, acting_user,
};
use store::{SessionId, UserId};

use super::keys::random;
use super::session::Issued;
use super::{Caller, Identity, IdentityError, SignedIn, totp};
use crate::seal::Part;

#[derive(Debug, Clone)]
pub struct Credentials {
    pub email: Email,
    pub password: SecretString,
    pub second: Option<Second>,
}

#[derive(Debug, Clone)]
pub enum Second {
    Totp(SecretString),
    Recovery(SecretString),
}

#[derive(Debug)]
pub enum SignIn {
    In(Box<Issued>),
    Refused,
    /// The password was right.
    SecondFactorDue,
    Locked {
        until: Timestamp,
    },
}

/// What comes of what somebody showed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Judgement {
    Fail(SignInProblem),
    Due,
    Open(Factor),
}

/// `shown` is the second factor as far as it was found to be one.
fn judge(user: Option<&UserRow>, right: bool, second: Option<Option<Factor>>) -> Judgement {
    let Some(user) = user else { return Judgement::Fail(SignInProblem::UnknownUser) };
    if !right {
        return Judgement::Fail(SignInProblem::WrongPassword);
    }
    if user.disabled_at.is_some() {
        return Judgement::Fail(SignInProblem::Disabled);
    }
    match (user.second_factor(), second) {
        // What nobody asked for does no harm: an authenticator may be left over.
        (None, _) => Judgement::Open(Factor::Password),
        (Some(_), None) => Judgement::Due,
        (Some(_), Some(None)) => Judgement::Fail(SignInProblem::WrongCode),
        (Some(_), Some(Some(factor))) => Judgement::Open(factor),
    }
}

impl Identity {
    pub async fn sign_in(&self, shown: &Credentials, from: &Caller) -> Result<SignIn, IdentityError> {
        let doors = Doors::of(&shown.email, from.address);
        if let Admission::Locked { until } = self.store.begin_sign_in(&doors).await? {
            return Ok(SignIn::Locked { until });
        }
        let user = self.store.user(&Whom::Email(shown.email.clone())).await?;
        let checked = self.passwords.check(&shown.password, user.as_ref().map(|user| &user.password)).await?;
        let second = match (&user, &shown.second) {
            (Some(user), Some(second)) if checked.right => Some(self.factor(user, second)?),
            (_, second) => second.as_ref().map(|_| None),
        };
        match (judge(user.as_ref(), checked.right, second), user) {
            (Judgement::Due, _) => {
                self.store.sign_in_due(&doors).await?;
                Ok(SignIn::SecondFactorDue)
            }
            (Judgement::Open(factor), Some(user)) => {
                let user = match checked.again {
                    Some(hash) => self.kept_anew(user, hash, &from.origin).await?,
                    None => user,
                };
                self.open(&user, &factor, &doors, from).await
            }
            (Judgement::Fail(why), user) => {
                self.refuse(&doors, user.map(|user| user.id), why, &from.origin).await
            }
            (Judgement::Open(_), None) => {
                self.refuse(&doors, None, SignInProblem::UnknownUser, &from.origin).await
            }
        }
    }

    async fn open(
        &self,
        user: &UserRow,
        factor: &Factor,
        doors: &Doors,
        from: &Caller,
    ) -> Result<SignIn, IdentityError> {
        let session = NewSession {
            id: SessionId(self.ids.next().0),
            user: user.id,
            password: user.password.clone(),
            seed: random()?,
            life: self.lives.session,
            user_agent: from.user_agent.clone(),
            source: from.address.to_string(),
            origin: from.origin.clone(),
        };
        match self.store.open_session(&session, factor, doors).await? {
            Opened::Session(opened) => {
                let (session, user) = *opened;
                Ok(SignIn::In(Box::new(self.issued(&session, user, 0)?)))
            }
            // Nearly always a code that was used before; the rest changed while we looked.
            Opened::Refused => {
                self.refuse(doors, Some(user.id), SignInProblem::WrongCode, &from.origin).await
            }
        }
    }

    async fn refuse(
        &self,
        doors: &Doors,
        user: Option<UserId>,
        why: SignInProblem,
        origin: &Origin,
    ) -> Result<SignIn, IdentityError> {
        self.store.sign_in_failed(doors, &FailedSignIn { user, why, origin: origin.clone() }).await?;
        Ok(SignIn::Refused)
    }

    async fn kept_anew(
        &self,
        user: UserRow,
        hash: SecretString,
        origin: &Origin,
    ) -> Result<UserRow, IdentityError> {
        let change = UserChange::Rehash { from: user.password.clone(), to: hash };
        self.store.change_user(user.id, &change, &acting_user(user.id, origin)).await?;
        Ok(self.store.user(&Whom::Id(user.id)).await?.unwrap_or(user))
    }

    /// What was shown beside the password, if it is one of this user's.
    fn factor(&self, user: &UserRow, second: &Second) -> Result<Option<Factor>, IdentityError> {
        let Some(kept) = user.second_factor() else { return Ok(None) };
        Ok(match second {
            Second::Recovery(code) => Some(Factor::Recovery(totp::recovery_hash(code))),
            Second::Totp(code) => self.step(user.id, kept, code)?.map(|step| Factor::Totp { step }),
        })
    }

    /// The time step whose code this is, if it was not used before.
    pub(super) fn step(
        &self,
        user: UserId,
        kept: &TotpRow,
        code: &SecretString,
    ) -> Result<Option<u64>, IdentityError> {
        use jobkit::redact::ExposeSecret;
        let secret =
            self.keyring.open(JobId(user.0), Part::Totp, &kept.sealed).map_err(IdentityError::Seal)?;
        let secret = SecretString::from(secret);
        Ok(totp::step_of(&secret, code.expose_secret(), self.seconds(), kept.step))
    }

    /// Somebody who is signed in shows the password again, for what a stolen session must not do. It counts as signing in
    /// does.
    pub(super) async fn shown_again(
        &self,
        who: &SignedIn,
        password: &SecretString,
        from: IpAddr,
    ) -> Result<Again, IdentityError> {
        let user = &who.user;
        let doors = Doors::of(&user.email, from);
        if let Admission::Locked { until } = self.store.begin_sign_in(&doors).await? {
            return Ok(Again::Locked { until });
        }
        if !self.passwords.check(password, Some(&user.password)).await?.right {
            self.refuse(&doors, Some(user.id), SignInProblem::WrongPassword, &who.origin).await?;
            return Ok(Again::Wrong);
        }
        self.store.sign_in_due(&doors).await?;
        Ok(Again::Right)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Right,
    Wrong,
    Locked { until: Timestamp },
}

#[cfg(test)]
mod tests {
    use jobkit::redact::Personal;
    use store::Role;
    use uuid::Uuid;

    use super::*;

    fn user() -> UserRow {
        UserRow {
            id: UserId(Uuid::from_u128(1)),
            email: "ada@example.org".parse().unwrap(),
            name: Personal::new("Ada".into()),
            role: Role::Member,
            tenant: None,
            password: SecretString::from("$argon2id$"),
            password_changed_at: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            disabled_at: None,
            totp: None,
            recovery: 0,
        }
    }

    #[test]
    fn who_comes_in_has_shown_all_that_the_user_has() {
        use Judgement::{Due, Fail, Open};
        let at = Timestamp::UNIX_EPOCH;
        let totp = |since| Some(TotpRow { sealed: "x".into(), since, step: None });
        let (plain, disabled) = (user(), UserRow { disabled_at: Some(at), ..user() });
        let (begun, second) =
            (UserRow { totp: totp(None), ..user() }, UserRow { totp: totp(Some(at)), ..user() });
        let code = Factor::Totp { step: 7 };
        for (user, right, shown, judgement) in [
            (None, false, None, Fail(SignInProblem::UnknownUser)),
            (None, true, None, Fail(SignInProblem::UnknownUser)),
            (Some(&plain), false, None, Fail(SignInProblem::WrongPassword)),
            (Some(&second), false, Some(Some(code.clone())), Fail(SignInProblem::WrongPassword)),
            (Some(&disabled), true, None, Fail(SignInProblem::Disabled)),
            (Some(&disabled), false, None, Fail(SignInProblem::WrongPassword)),
            (Some(&plain), true, None, Open(Factor::Password)),
            (Some(&plain), true, Some(None), Open(Factor::Password)),
            (Some(&begun), true, None, Open(Factor::Password)),
            (Some(&second), true, None, Due),
            (Some(&second), true, Some(None), Fail(SignInProblem::WrongCode)),
            (Some(&second), true, Some(Some(code.clone())), Open(code)),
        ] {
            assert_eq!(judge(user, right, shown.clone()), judgement, "{right} {shown:?}");
        }
    }
}
