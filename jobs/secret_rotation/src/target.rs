//! The port to whoever takes a secret: a database, a cache, an API. What is asked of it are the questions of a rotation, each of which may be asked again.

use futures::future::BoxFuture;
use jobkit::{Failure, SecretString};

use crate::secret::{NoRandomness, Randomness};

/// Whether somebody who comes with a value is let in, now, over a connection of his own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// And may do what he is to do.
    Accepted,
    Refused,
}

/// Who still uses a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// So many, and what they call themselves.
    By { count: u64, who: Vec<String> },
    /// Nobody can tell here.
    Unknown,
}

impl InUse {
    pub fn is_by_nobody(&self) -> bool {
        matches!(self, InUse::By { count: 0, .. })
    }
}

pub type Answer<'a, T> = BoxFuture<'a, Result<T, TargetError>>;

/// No error of any of these says anything of a value.
pub trait Target: Send + Sync + 'static {
    /// For people: `postgres app_a, app_b`.
    fn name(&self) -> String;
    /// Whether the old value is let in beside the new one for a while. Where it is not, whoever has read the old one is refused until he reads again.
    fn has_overlap(&self) -> bool;
    /// A new value, with what of the current one stays as it is.
    fn make(
        &self,
        current: Option<&SecretString>,
        randomness: &dyn Randomness,
    ) -> Result<SecretString, TargetError>;
    fn test<'a>(&'a self, value: &'a SecretString) -> Answer<'a, Verdict>;
    /// Has the target let the new value in. The current one is let in as before.
    fn set<'a>(&'a self, new: &'a SecretString, current: Option<&'a SecretString>) -> Answer<'a, ()>;
    fn in_use<'a>(&'a self, old: &'a SecretString) -> Answer<'a, InUse>;
    /// Ends what was begun with the old value; returns how many that were.
    fn cut<'a>(&'a self, old: &'a SecretString) -> Answer<'a, u64>;
    /// Has the target refuse the value. The other is let in as before.
    fn retire<'a>(&'a self, old: &'a SecretString, stays: &'a SecretString) -> Answer<'a, ()>;
}

#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It may work later, with the same value.
    #[error("{target} is away while {doing}")]
    Away {
        target: String,
        doing: &'static str,
        #[source]
        cause: jobkit::outcome::Cause,
    },
    /// Another value may do.
    #[error("{target} does not take the value: {problem}")]
    Value { target: String, problem: String },
    /// A person has to do something.
    #[error("{target}: {problem}")]
    Refused { target: String, problem: String },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Away { .. } | TargetError::NoRandomness(_) => Self::transient(error),
            TargetError::Value { .. } | TargetError::Refused { .. } => Self::permanent(error),
        }
    }
}
