//! Passwords: which are good enough, and how they are kept. Argon2id by the parameters that OWASP asks for, in threads that
//! may block, and only so many at once: each takes 19 MiB, and whoever waits for a place waits in line.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use tokio::sync::Semaphore;
use zxcvbn::Score;

use super::IdentityError;
use super::keys::random;

/// In letters.
pub const SHORTEST_PASSWORD: usize = 12;
/// In bytes: a longer one makes work, and is no better.
pub const LONGEST_PASSWORD: usize = 256;

const AT_ONCE: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    Good,
    Short,
    Long,
    /// Somebody who guesses finds it.
    Weak(String),
}

impl Fit {
    /// What is said of one that is not good; none of it is the password.
    pub fn problem(&self) -> Option<String> {
        match self {
            Fit::Good => None,
            Fit::Short => Some(format!("has fewer than {SHORTEST_PASSWORD} letters; take a longer one")),
            Fit::Long => Some(format!("has more than {LONGEST_PASSWORD} bytes; take a shorter one")),
            Fit::Weak(why) => {
                Some(format!("is easily guessed: {why}; a few words that do not belong together are good"))
            }
        }
    }
}

/// `about` is what anybody knows of the user: the address and the name.
pub fn fit(password: &SecretString, about: &[&str]) -> Fit {
    let text = password.expose_secret();
    if text.chars().count() < SHORTEST_PASSWORD {
        return Fit::Short;
    }
    if text.len() > LONGEST_PASSWORD {
        return Fit::Long;
    }
    let found = zxcvbn::zxcvbn(text, about);
    if found.score() >= Score::Three {
        return Fit::Good;
    }
    let warning = found.feedback().and_then(|feedback| feedback.warning());
    Fit::Weak(warning.map_or_else(|| "it follows a pattern".into(), |warning| warning.to_string()))
}

#[derive(Debug, Clone)]
pub struct Checked {
    pub right: bool,
    /// The same password as it is kept by today's parameters, when it was kept by others.
    pub again: Option<SecretString>,
}

/// What a password costs, in KiB and rounds: for tests, which cannot name the library.
#[doc(hidden)]
pub fn params(memory_kib: u32, rounds: u32) -> Result<Params, IdentityError> {
    Params::new(memory_kib, rounds, 1, None).map_err(|_| IdentityError::Hash)
}

/// Keeps and checks passwords.
pub struct Passwords {
    places: Arc<Semaphore>,
    params: Params,
    /// For users who are not there: comparing with it takes as long, and nobody has the password.
    nobody: SecretString,
}

impl Passwords {
    pub fn new() -> Result<Self, IdentityError> {
        Self::with(Params::default())
    }

    /// Tests may take less memory, and what is kept by other parameters is found to be so.
    pub fn with(params: Params) -> Result<Self, IdentityError> {
        let nobody = hash(&params, &SecretString::from(super::encode(&random::<32>()?)))?;
        Ok(Self { places: Arc::new(Semaphore::new(AT_ONCE)), params, nobody })
    }

    /// For tests: a password that costs next to nothing.
    #[doc(hidden)]
    pub fn cheap() -> Result<Self, IdentityError> {
        Self::with(params(8, 1)?)
    }

    pub async fn keep(&self, password: &SecretString) -> Result<SecretString, IdentityError> {
        let (params, password) = (self.params.clone(), password.clone());
        self.apart(move || hash(&params, &password)).await?
    }

    /// Takes as long for a user who is not there, and then it is never right.
    pub async fn check(
        &self,
        password: &SecretString,
        kept: Option<&SecretString>,
    ) -> Result<Checked, IdentityError> {
        let known = kept.is_some();
        let (params, password) = (self.params.clone(), password.clone());
        let kept = kept.unwrap_or(&self.nobody).clone();
        self.apart(move || {
            let right = is(&password, &kept) && known;
            let again = match right && outdated(&params, &kept) {
                true => Some(hash(&params, &password)?),
                false => None,
            };
            Ok(Checked { right, again })
        })
        .await?
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| IdentityError::Hash)?;
        // The place is given up when the work ends, not when whoever asked goes away.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|_| IdentityError::Hash)
    }
}

fn hash(params: &Params, password: &SecretString) -> Result<SecretString, IdentityError> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let kept = argon.hash_password_with_salt(password.expose_secret().as_bytes(), &random::<16>()?);
    kept.map(|kept| SecretString::from(kept.to_string())).map_err(|_| IdentityError::Hash)
}

fn is(password: &SecretString, kept: &SecretString) -> bool {
    let Ok(kept) = PasswordHash::new(kept.expose_secret()) else { return false };
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &kept).is_ok()
}

fn outdated(params: &Params, kept: &SecretString) -> bool {
    let kept = PasswordHash::new(kept.expose_secret()).ok();
    let kept = kept.and_then(|kept| Params::try_from(&kept).ok());
    kept.is_none_or(|kept| {
        (kept.m_cost(), kept.t_cost(), kept.p_cost()) != (params.m_cost(), params.t_cost(), params.p_cost())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_password_is_long_and_not_what_everybody_tries() {
        for (password, fits) in [
            ("short", false),
            ("elevenchars", false),
            ("passwordpassword", false),
            ("aaaaaaaaaaaaaaaa", false),
            ("qwertyuiop12", false),
            ("ada.lovelace@example.org", false),
            ("correct horse battery staple", true),
            ("vX9#kQ2!mZ7w", true),
            ("ümlautige Wörter sind länger", true),
        ] {
            let found = fit(&secret(password), &["ada.lovelace@example.org", "Ada Lovelace"]);
            assert_eq!(found == Fit::Good, fits, "{password}: {found:?}");
            assert!(found.problem().is_none_or(|problem| !problem.contains(password)), "{found:?}");
        }
        assert_eq!(fit(&secret(&"x9!a ".repeat(60)), &[]), Fit::Long);
    }

    #[test]
    fn the_parameters_are_those_that_owasp_asks_for() {
        let kept = hash(&Params::default(), &secret("correct horse")).unwrap();
        assert!(kept.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_nobody_has_one() {
        let passwords = Passwords::with(Params::new(64, 1, 1, None).unwrap()).unwrap();
        let kept = passwords.keep(&secret("correct horse")).await.unwrap();
        assert_ne!(
            kept.expose_secret(),
            passwords.keep(&secret("correct horse")).await.unwrap().expose_secret()
        );
        for (password, of, right) in [
            ("correct horse", Some(&kept), true),
            ("correct horsf", Some(&kept), false),
            ("correct horse", None, false),
            ("correct horse", Some(&secret("no hash")), false),
        ] {
            let checked = passwords.check(&secret(password), of).await.unwrap();
            assert_eq!((checked.right, checked.again.is_some()), (right, false), "{password}");
        }
    }

    #[tokio::test]
    async fn what_was_kept_by_other_parameters_is_kept_anew_when_it_is_shown() {
        let before = Passwords::with(Params::new(64, 1, 1, None).unwrap()).unwrap();
        let kept = before.keep(&secret("correct horse")).await.unwrap();
        let today = Passwords::with(Params::new(128, 1, 1, None).unwrap()).unwrap();

        let again = today.check(&secret("correct horse"), Some(&kept)).await.unwrap().again.unwrap();

        assert!(again.expose_secret().contains("m=128,t=1,p=1"));
        let checked = today.check(&secret("correct horse"), Some(&again)).await.unwrap();
        assert!(checked.right && checked.again.is_none());
        assert!(today.check(&secret("wrong"), Some(&kept)).await.unwrap().again.is_none());
    }
}
