//! A kind that takes any arguments as they are written, and whose check can be told to misbehave; one that reads what was
//! uploaded; one that is sealed; and a door.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use jobkit::door::Headers;
use jobkit::{
    Ctx, Delivered, Door, Failure, Job, JobId, NewJob, Outcome, Policy, RawJson, Registry, Unopened,
    UploadId, uploads,
};
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
    registry.add(Internal);
    registry.add_door(Arc::new(Post)).add_rule("post.lost");
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

/// Nobody enqueues it by its name.
struct Internal;

impl Job for Internal {
    type Args = RawJson;
    const KIND: &'static str = "test.internal";

    fn policy(&self) -> Policy {
        Policy::default().internal()
    }

    async fn run(&self, _: RawJson, _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}

/// The door `post`. It believes what has the header `x-seal: good`, and cannot tell of `x-seal: smudged`; the body is the mark of the delivery, and one that begins
/// with `internal` is for that kind, one that begins with `orphan` waits for a job that nobody knows.
pub struct Post;

fn seal(headers: &Headers) -> Option<&str> {
    headers.get("x-seal")?.first().map(String::as_str)
}

impl Door for Post {
    fn name(&self) -> &'static str {
        "post"
    }

    fn look(&self, headers: &Headers) -> Result<(), Unopened> {
        seal(headers).map(drop).ok_or_else(|| Unopened::Forged("there is no seal".into()))
    }

    fn open<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<Delivered, Unopened>> {
        let opened = match seal(headers) {
            Some("good") => {
                let mark = String::from_utf8_lossy(body).into_owned();
                let kind = if mark.starts_with("internal") { "test.internal" } else { "test.as_written" };
                let job = NewJob::new(kind, serde_json::json!({ "letter": mark }));
                let parents = mark.starts_with("orphan").then_some(JobId(uuid::Uuid::nil()));
                let job = job.after(parents);
                Ok(Delivered { mark, job })
            }
            Some("smudged") => Err(Unopened::Unsure("the seal cannot be read".into())),
            _ => Err(Unopened::Forged("this is not their seal".into())),
        };
        async { opened }.boxed()
    }
}
