//! Where a provider delivers: `POST /v1/webhooks/{name}`. The family says whether it believes a delivery, and which job is made of it; the engine takes it once
//! and answers.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::NewJob;

/// By lower-case name. A header that came twice is here twice.
pub type Headers = BTreeMap<String, Vec<String>>;

pub trait Door: Send + Sync + 'static {
    /// The last part of the address; for ever, since providers are told it.
    fn name(&self) -> &'static str;
    /// Whether it is worth reading the body, by all that comes before it: a stranger's is not. The engine asks before it reads a byte.
    fn look(&self, _: &Headers) -> Result<(), Unopened> {
        Ok(())
    }
    /// Believes it or not, by signatures over the bytes as they came. Whatever is authentic becomes a job, also when it cannot be understood: a provider
    /// that is refused stops delivering.
    fn open<'a>(&'a self, headers: &'a Headers, body: &'a [u8])
    -> BoxFuture<'a, Result<Delivered, Unopened>>;
}

/// A delivery that was believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// One and the same for a delivery that comes again: it makes no second job. 1 to 512 bytes without NUL.
    pub mark: String,
    /// It is to pass its kind's check: what no job can be made of is answered as all that is authentic, and people are told of it.
    pub job: NewJob,
}

#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// 401, and nothing is kept of it. The words are for the log and the sender: nothing of what came in.
    #[error("{0}")]
    Forged(String),
    /// 503: it could not be told, since the keys cannot be read, say.
    #[error("{0}")]
    Unsure(String),
}
