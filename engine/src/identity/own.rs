//! What somebody who is signed in changes of the own account. Whatever would help a thief to stay asks for the password
//! again.

use std::net::IpAddr;

use jiff::Timestamp;
use jobkit::redact::ExposeSecret;
use jobkit::{JobId, SecretString};
use store::identities::{UserChange, UserChanged, Whom};

use super::sign_in::Again;
use super::users::check_password;
use super::{Identity, IdentityError, SignedIn, totp};
use crate::seal::Part;

/// What became of it.
#[derive(Debug)]
pub enum Own<T> {
    Done(T),
    WrongPassword,
    Locked { until: Timestamp },
}

/// A second factor that counts when a first code of it was shown. It is shown once.
#[derive(Debug, Clone)]
pub struct Begun {
    pub secret: SecretString,
    /// For the picture that authenticators read.
    pub address: SecretString,
}

macro_rules! again {
    ($identity:expr, $who:expr, $password:expr, $from:expr) => {
        match $identity.shown_again($who, $password, $from).await? {
            Again::Right => {}
            Again::Wrong => return Ok(Own::WrongPassword),
            Again::Locked { until } => return Ok(Own::Locked { until }),
        }
    };
}

impl Identity {
    /// All other sessions end.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        current: &SecretString,
        new: &SecretString,
        from: IpAddr,
    ) -> Result<Own<()>, IdentityError> {
        check_password(new, &[who.user.email.expose(), who.user.name.expose()])?;
        again!(self, who, current, from);
        let hash = self.passwords.keep(new).await?;
        self.change(who, UserChange::Password { hash, keep: Some(who.session.id) }).await?;
        Ok(Own::Done(()))
    }

    /// Refused while there is one that counts.
    pub async fn begin_totp(
        &self,
        who: &SignedIn,
        password: &SecretString,
        from: IpAddr,
    ) -> Result<Own<Begun>, IdentityError> {
        again!(self, who, password, from);
        let secret = totp::new_secret()?;
        let sealed = self.keyring.seal(JobId(who.user.id.0), Part::Totp, secret.expose_secret());
        self.change(who, UserChange::BeginTotp { sealed: sealed.map_err(IdentityError::Seal)? }).await?;
        let address = totp::address(&secret, who.user.email.expose());
        Ok(Own::Done(Begun { secret, address }))
    }

    /// None: the code is none of the factor that was begun. Else the recovery codes, which are shown once.
    pub async fn confirm_totp(
        &self,
        who: &SignedIn,
        code: &SecretString,
    ) -> Result<Option<Vec<SecretString>>, IdentityError> {
        // The session's own row may be older than what was begun in it.
        let user = self.store.user(&Whom::Id(who.user.id)).await?;
        let Some(kept) = user.and_then(|user| user.totp) else {
            return Err(IdentityError::Refused("no second factor was begun; begin one first"));
        };
        let Some(step) = self.step(who.user.id, &kept, code)? else { return Ok(None) };
        let (codes, hashes) = totp::recovery_codes()?.into_iter().unzip();
        self.change(who, UserChange::ConfirmTotp { sealed: kept.sealed, step, codes: hashes }).await?;
        Ok(Some(codes))
    }

    pub async fn remove_totp(
        &self,
        who: &SignedIn,
        password: &SecretString,
        from: IpAddr,
    ) -> Result<Own<()>, IdentityError> {
        again!(self, who, password, from);
        self.change(who, UserChange::RemoveTotp).await?;
        Ok(Own::Done(()))
    }

    async fn change(&self, who: &SignedIn, change: UserChange) -> Result<(), IdentityError> {
        let id = who.user.id;
        match self.store.change_user(id, &change, &who.acting()).await? {
            UserChanged::Done(_) | UserChanged::Same(_) => Ok(()),
            UserChanged::Refused(why) => Err(IdentityError::Refused(why)),
            UserChanged::Unknown => Err(IdentityError::Unknown(id)),
        }
    }
}
