//! Sessions: the tokens that go with one, and what becomes of them.
//!
//! A refresh token says which session it is of and which number it has, and is a code over both under two keys: the
//! session's own seed, which is in the store, and the installation's, which is not. So no token is kept in any form, a
//! copy of the database makes none, and the same use of a token gives the same successor on every instance.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jobkit::redact::ExposeSecret;
use jobkit::{Origin, SecretString};
use ring::hmac;
use store::identities::{Ending, Rotated, SessionRow, UserRow};
use store::{SessionId, UserId};
use uuid::Uuid;

use super::keys::Keys;
use super::{Identity, IdentityError, SignedIn};

/// What a caller is given when a session begins, and with each refresh.
#[derive(Debug, Clone)]
pub struct Issued {
    pub signed_in: SignedIn,
    pub access: SecretString,
    pub refresh: SecretString,
    /// To be sent back in a header by whoever shows the cookie: a foreign page cannot read it.
    pub csrf: SecretString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    session: SessionId,
    generation: u64,
    code: [u8; 32],
}

const PREFIX: &str = "cplr_";

fn message(session: SessionId, generation: u64, seed: &[u8; 32]) -> Vec<u8> {
    let mut message = Vec::with_capacity(56);
    message.extend_from_slice(session.0.as_bytes());
    message.extend_from_slice(&generation.to_be_bytes());
    message.extend_from_slice(seed);
    message
}

pub fn refresh_token(keys: &Keys, session: &SessionRow, generation: u64) -> SecretString {
    let code = hmac::sign(&keys.refresh, &message(session.id, generation, &session.seed));
    let mut token = session.id.0.as_bytes().to_vec();
    token.extend_from_slice(&generation.to_be_bytes());
    token.extend_from_slice(code.as_ref());
    SecretString::from(format!("{PREFIX}{}", BASE64.encode(token)))
}

fn shown(token: &SecretString) -> Option<Shown> {
    let token = token.expose_secret().strip_prefix(PREFIX).filter(|token| token.len() <= 100)?;
    let bytes = BASE64.decode(token).ok()?;
    let (session, rest) = bytes.split_at_checked(16)?;
    let (generation, code) = rest.split_at_checked(8)?;
    Some(Shown {
        session: SessionId(Uuid::from_slice(session).ok()?),
        generation: u64::from_be_bytes(generation.try_into().ok()?),
        code: code.try_into().ok()?,
    })
}

/// Which session a token says it is of; whether that is true `refresh` finds out.
pub fn session_of(token: &SecretString) -> Option<SessionId> {
    shown(token).map(|shown| shown.session)
}

/// Bound to the session, so that one of another session's is worth nothing.
pub fn csrf_token(keys: &Keys, session: SessionId) -> SecretString {
    SecretString::from(BASE64.encode(hmac::sign(&keys.csrf, session.0.as_bytes())))
}

pub fn csrf_fits(keys: &Keys, session: SessionId, given: &[u8]) -> bool {
    BASE64.decode(given).is_ok_and(|given| hmac::verify(&keys.csrf, session.0.as_bytes(), &given).is_ok())
}

impl Identity {
    pub(super) fn issued(
        &self,
        session: &SessionRow,
        user: UserRow,
        generation: u64,
    ) -> Result<Issued, IdentityError> {
        Ok(Issued {
            access: self.access.issue(user.id, session.id, self.clock.now())?,
            refresh: refresh_token(&self.keys, session, generation),
            csrf: csrf_token(&self.keys, session.id),
            signed_in: SignedIn { session: session.clone(), user, origin: Origin::default() },
        })
    }

    /// Who shows an access token, if the session lives.
    pub async fn who(
        &self,
        access: &SecretString,
        origin: Origin,
    ) -> Result<Option<SignedIn>, IdentityError> {
        let Some((user, session)) = self.access.read(access, self.clock.now()) else { return Ok(None) };
        let found = self.living(session, &origin).await?;
        Ok(found.filter(|(_, of)| of.id == user).map(|(session, user)| SignedIn { session, user, origin }))
    }

    /// Uses a refresh token. None: it is none, or the session is over.
    pub async fn refresh(
        &self,
        token: &SecretString,
        origin: &Origin,
    ) -> Result<Option<Issued>, IdentityError> {
        let Some(shown) = shown(token) else { return Ok(None) };
        // Before anything is changed the token must be one of ours, or whoever knows a session's id could end it.
        let Some(session) = self.family(&shown, origin).await? else { return Ok(None) };
        match self.store.rotate(session.id, shown.generation, self.lives.idle, origin).await? {
            Rotated::To(found, generation) => {
                let (session, user) = *found;
                self.issued(&session, user, generation).map(Some)
            }
            Rotated::Ended(Ending::Reused) => {
                tracing::warn!(
                    user.id = %session.user,
                    session.id = %session.id,
                    "a refresh token was used twice: session {} has ended", session.id
                );
                Ok(None)
            }
            Rotated::Ended(_) | Rotated::Unknown => Ok(None),
        }
    }

    /// The session of a token that we made.
    async fn family(&self, shown: &Shown, origin: &Origin) -> Result<Option<SessionRow>, IdentityError> {
        let Some((session, _)) = self.living(shown.session, origin).await? else { return Ok(None) };
        let message = message(session.id, shown.generation, &session.seed);
        let ours = hmac::verify(&self.keys.refresh, &message, &shown.code).is_ok();
        Ok(ours.then_some(session))
    }

    /// One that is found to be over is ended here, so that its end is written down. Whoever made the token up could bring about no
    /// more than that: what is over is over.
    async fn living(
        &self,
        id: SessionId,
        origin: &Origin,
    ) -> Result<Option<(SessionRow, UserRow)>, IdentityError> {
        let found = self.store.session(id, self.lives.idle).await?;
        if found.is_none() {
            self.store.end_if_over(id, self.lives.idle, origin).await?;
        }
        Ok(found)
    }

    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), IdentityError> {
        let (user, session) = (who.user.id, who.session.id);
        self.store.end_session(session, user, Ending::SignedOut, &who.acting()).await?;
        Ok(())
    }

    pub async fn sessions(&self, user: UserId) -> Result<Vec<SessionRow>, IdentityError> {
        Ok(self.store.sessions(user, self.lives.idle).await?)
    }

    /// False when the user has no such session.
    pub async fn revoke(&self, who: &SignedIn, session: SessionId) -> Result<bool, IdentityError> {
        let user = who.user.id;
        Ok(self.store.end_session(session, user, Ending::Revoked, &who.acting()).await?)
    }

    /// All but the one that it is asked from.
    pub async fn revoke_others(&self, who: &SignedIn) -> Result<u64, IdentityError> {
        let (user, session) = (who.user.id, who.session.id);
        Ok(self.store.end_sessions_of(user, Some(session), Ending::Revoked, &who.acting()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(letter: &str) -> Keys {
        Keys::new(&SecretString::from(letter.repeat(32))).unwrap()
    }

    fn session(id: u128, seed: u8) -> SessionRow {
        let at = jiff::Timestamp::UNIX_EPOCH;
        SessionRow {
            id: SessionId(Uuid::from_u128(id)),
            user: UserId(Uuid::from_u128(9)),
            seed: [seed; 32],
            generation: 0,
            rotated_at: None,
            rotated_before: None,
            created_at: at,
            used_at: at,
            expires_at: at,
            user_agent: String::new(),
            source: String::new(),
            ended: None,
        }
    }

    #[test]
    fn a_refresh_token_is_of_one_number_of_one_session_under_both_keys() {
        let one = refresh_token(&keys("a"), &session(1, 1), 7);
        let again = refresh_token(&keys("a"), &session(1, 1), 7);
        assert_eq!(one.expose_secret(), again.expose_secret());
        let read = shown(&one).unwrap();
        assert_eq!((read.session, read.generation), (SessionId(Uuid::from_u128(1)), 7));
        for other in [
            refresh_token(&keys("b"), &session(1, 1), 7),
            refresh_token(&keys("a"), &session(2, 1), 7),
            refresh_token(&keys("a"), &session(1, 2), 7),
            refresh_token(&keys("a"), &session(1, 1), 8),
        ] {
            assert_ne!(shown(&other).unwrap().code, read.code);
        }
    }

    #[test]
    fn what_is_no_refresh_token_is_none() {
        let whole = refresh_token(&keys("a"), &session(1, 1), 7);
        let whole = whole.expose_secret();
        let long = format!("{whole}{}", "A".repeat(100));
        for text in ["", "cplr_", "cplr_!!", &whole[1..], &whole[..whole.len() - 4], &long] {
            assert_eq!(shown(&SecretString::from(text)), None, "{text}");
        }
    }

    #[test]
    fn a_csrf_token_fits_its_session_alone() {
        let (one, other) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let token = csrf_token(&keys("a"), one);
        let token = token.expose_secret().as_bytes();
        assert!(csrf_fits(&keys("a"), one, token));
        assert!(!csrf_fits(&keys("a"), other, token));
        assert!(!csrf_fits(&keys("b"), one, token));
        assert!(!csrf_fits(&keys("a"), one, b""));
        assert!(!csrf_fits(&keys("a"), one, b"!"));
    }
}
