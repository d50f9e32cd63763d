//! A kind that takes any arguments as they are written, and whose check can be told to misbehave; and one that is sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobkit::{Ctx, Failure, Job, Outcome, Policy, RawJson, Registry};

/// What a check must not bring into a log by panicking.
pub const SAID: &str = "xyzzy said while it panicked";

#[derive(Default)]
pub struct AsWritten {
    /// From then on its check refuses everything.
    pub strict: Arc<AtomicBool>,
}

pub fn register(registry: &mut Registry, strict: &Arc<AtomicBool>) {
    registry.add(AsWritten { strict: strict.clone() });
    registry.add(Sealed);
}

impl Job for AsWritten {
    type Args = RawJson;
    const KIND: &'static str = "test.as_written";

    fn policy(&self) -> Policy {
        Policy::default()
    }

    fn check(&self, args: &RawJson) -> Result<(), String> {
        assert!(args.get() != "\"panic\"", "{SAID}");
        match self.strict.load(Ordering::SeqCst) {
            true => Err("nothing is taken any more".into()),
            false => Ok(()),
        }
    }

    async fn run(&self, _: RawJson, _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}

/// Its arguments are nobody's affair.
struct Sealed;

impl Job for Sealed {
    type Args = RawJson;
    const KIND: &'static str = "test.sealed";

    fn policy(&self) -> Policy {
        Policy::default().encrypted()
    }

    async fn run(&self, _: RawJson, _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}
