//! The port to where secrets are kept: values by version, labels that say which version counts, and changes that are made to what was looked at.

use futures::future::BoxFuture;
use jobkit::SecretString;

use crate::secret::VersionId;

/// Which version is which. A version without a label is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// The one that readers get.
    pub current: Option<VersionId>,
    /// The one that will be it, once it was tried.
    pub pending: Option<VersionId>,
    /// The one that it was before, for as long as it may still be used.
    pub previous: Option<VersionId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is kept, for good, or was before.
    Kept,
    /// Another version is pending.
    Other(VersionId),
}

pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// No error of any of these says anything of a value.
pub trait SecretStore: Send + Sync + 'static {
    /// Of what is not there: no label at all.
    fn labels<'a>(&'a self, path: &'a str) -> Answer<'a, Labels>;
    fn read<'a>(&'a self, path: &'a str, version: &'a VersionId) -> Answer<'a, Option<SecretString>>;
    /// Durable before it returns. A version that is there keeps the value that it has.
    fn put_pending<'a>(
        &'a self,
        path: &'a str,
        version: &'a VersionId,
        value: &'a SecretString,
    ) -> Answer<'a, Put>;
    /// Makes the pending version the current one, and that the previous one; false when the current one is not `from` any more.
    fn publish<'a>(
        &'a self,
        path: &'a str,
        from: Option<&'a VersionId>,
        to: &'a VersionId,
    ) -> Answer<'a, bool>;
    /// Makes the previous version the current one again, and lets go of `from`; false when the current one is not `from` any more.
    fn publish_previous<'a>(&'a self, path: &'a str, from: &'a VersionId) -> Answer<'a, bool>;
    /// Destroys a version that is pending or previous. Of one that is not there nothing follows; the current one stays.
    fn forget<'a>(&'a self, path: &'a str, version: &'a VersionId) -> Answer<'a, ()>;
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work later.
    #[error("the secret store `{store}` is away while {doing}")]
    Away {
        store: String,
        doing: &'static str,
        #[source]
        cause: jobkit::outcome::Cause,
    },
    /// A person has to do something.
    #[error("the secret store `{store}`: {problem}")]
    Refused { store: String, problem: String },
}

impl From<StoreError> for jobkit::Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away { .. } => Self::transient(error),
            StoreError::Refused { .. } => Self::permanent(error),
        }
    }
}
