//! What a job is: data that anybody may enqueue, and code with its ports that runs it.
//!
//! The two are apart on purpose. `Args` is a plain serialisable type; the implementing struct holds the
//! ports the work needs and nothing else, so a test of one kind builds only what that kind touches.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Ctx, Failure, Outcome, Policy, UploadId};

pub trait Job: Send + Sync + 'static {
    type Args: Serialize + DeserializeOwned + Send + 'static;

    /// Stable for ever: it is in the rows of every job enqueued. `family.verb_object`.
    const KIND: &'static str;

    fn policy(&self) -> Policy {
        Policy::default()
    }

    /// What types cannot say about the arguments; refused at the door, not at night.
    /// The message names the field and the remedy.
    fn check(&self, _args: &Self::Args) -> Result<(), String> {
        Ok(())
    }

    /// Uploads that the arguments name. They are looked for at the door, and kept until the job has ended.
    fn uploads(&self, _args: &Self::Args) -> Vec<UploadId> {
        Vec::new()
    }

    /// The work. It may run twice: every effect outside the database belongs in [`Ctx::step`].
    fn run(&self, args: Self::Args, ctx: &Ctx) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}
