//! A kind that takes any arguments as they are written, and whose check can be told to misbehave; one that reads what was
//! uploaded; and one that is sealed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobkit::{Ctx, Failure, Job, Outcome, Policy, RawJson, Registry, UploadId, uploads};
use serde::{Deserialize, Serialize};

/// What a check must not bring into a log by panicking.
pub const SAID: &str = "xyzzy said while it panicked";

#[derive(Default)]
pub struct AsWritten {
    /// From then on its check refuses everything.
    pub strict: Arc<AtomicBool>,
}

pub fn register(registry: &mut Registry, strict: &Arc<AtomicBool>) {
    registry.add(AsWritten { strict: strict.clone() });
    registry.add(ReadsUpload);
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

/// Completes with what stood in the file.
pub struct ReadsUpload;

#[derive(Serialize, Deserialize)]
pub struct Path {
    path: PathBuf,
}

impl Job for ReadsUpload {
    type Args = Path;
    const KIND: &'static str = "test.reads_upload";

    fn uploads(&self, args: &Path) -> Vec<UploadId> {
        uploads::among([args.path.as_path()])
    }

    async fn run(&self, args: Path, ctx: &Ctx) -> Result<Outcome, Failure> {
        let file = tempfile::NamedTempFile::new().map_err(Failure::transient)?;
        let upload = uploads::named(&args.path).unwrap().map_err(Failure::permanent)?;
        ctx.fetch_upload(upload, file.path()).await?;
        Outcome::completed(std::fs::read_to_string(file.path()).map_err(Failure::transient)?)
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
