//! The bytes that are to be signed, from wherever the arguments say they are, each looked at before it goes out. What is wrong with one is told by its number: its name
//! may be somebody's, and so may its address, which ends with a name.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jobkit::{Ctx, Failure, HostError, roots, uploads};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::args::{self, DocumentArgs, hex, whole};

/// Of all documents of an envelope: they are held in memory, and as base64 once more.
const MOST_BYTES: usize = 64 * 1024 * 1024;

pub async fn load(documents: &[DocumentArgs], roots: &[PathBuf], ctx: &Ctx) -> Result<Vec<Vec<u8>>, Failure> {
    let (mut loaded, mut room) = (Vec::new(), MOST_BYTES);
    for (index, document) in documents.iter().enumerate() {
        let bytes = one(document, roots, ctx).await.map_err(|failure| named(index, failure))?;
        whole(&document.name, &bytes)
            .map_err(|problem| Failure::permanent(format!("documents[{index}]: {problem}")))?;
        room = room.checked_sub(bytes.len()).ok_or_else(|| {
            Failure::permanent(format!("documents[{index}]: with those before it {MOST_BYTES} bytes at most"))
        })?;
        loaded.push(bytes);
    }
    Ok(loaded)
}

async fn one(document: &DocumentArgs, roots: &[PathBuf], ctx: &Ctx) -> Result<Vec<u8>, Failure> {
    if let Some(text) = &document.base64 {
        return BASE64.decode(text.expose()).map_err(|_| Failure::permanent("base64: it is not base64"));
    }
    if let Some(address) = &document.artifact {
        own(address, ctx).await?;
        return ctx.artifacts().get(address).await.map_err(|error| match error.is_missing {
            true => Failure::permanent("artifact: there is none at this address, or no more; make it anew"),
            // What the cause is called by ends with a name.
            false => Failure::transient(
                "artifact: where artifacts are kept is away, or has no file of its job; `compline doctor` says whether it can be reached",
            ),
        });
    }
    if let Some(address) = &document.upload {
        return upload(address, ctx).await;
    }
    let path = document.path.as_deref().unwrap_or_default();
    // Once more, since links can be changed after the door.
    let found = roots::within(Path::new(path), roots).map_err(Failure::transient)?;
    let found = found.ok_or_else(|| Failure::permanent("path: it lies below none of docusign.roots"))?;
    // A pipe would be waited for, and a folder is none.
    if !tokio::fs::metadata(&found).await.is_ok_and(|meta| meta.is_file()) {
        return Err(Failure::permanent("path: there is no file"));
    }
    bounded(&found).await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => Failure::permanent("path: there is no file"),
        _ => Failure::transient(format!("path: it cannot be read: {cause}")),
    })
}

/// No more than is looked at: one that is longer is refused for its length, and not held in memory for it.
async fn bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = args::LONGEST_DOCUMENT as u64 + 1;
    tokio::fs::File::open(file).await?.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// A tenant's job reads what jobs of its tenant left; addresses are no secret.
async fn own(address: &str, ctx: &Ctx) -> Result<(), Failure> {
    if ctx.job().tenant.is_none() {
        return Ok(());
    }
    let job =
        address.split_once(':').and_then(|(_, rest)| rest.split('/').next()).and_then(|id| id.parse().ok());
    let left_by = match job {
        Some(job) => ctx.children(&[job]).await?.pop(),
        None => None,
    };
    match left_by.is_some_and(|job| job.state != "unknown") {
        true => Ok(()),
        false => Err(Failure::permanent("artifact: no job of this tenant left it")),
    }
}

async fn upload(address: &str, ctx: &Ctx) -> Result<Vec<u8>, Failure> {
    let Some(Ok(id)) = uploads::named(Path::new(address)) else {
        return Err(Failure::permanent("upload: it names none"));
    };
    let folder = tempfile::tempdir().map_err(Failure::transient)?;
    let file = folder.path().join("document");
    ctx.fetch_upload(id, &file).await.map_err(not_fetched)?;
    bounded(&file).await.map_err(Failure::transient)
}

/// What the engine says names the upload and the remedy; by itself, "the store could not do it" names neither.
fn not_fetched(problem: HostError) -> Failure {
    match problem {
        HostError::Refused(why) => Failure::permanent(format!("upload: {why}")),
        HostError::Store(cause) => {
            Failure::transient(format!("upload: {}", Failure::Transient(cause).chain()))
        }
        other => other.into(),
    }
}

fn named(index: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Permanent(cause) => Failure::permanent(format!("documents[{index}].{cause}")),
        Failure::Transient(cause) => Failure::transient(format!("documents[{index}].{cause}")),
        other => other,
    }
}

/// What each is known by.
pub fn hashes(documents: &[Vec<u8>]) -> Vec<String> {
    documents.iter().map(|bytes| hex(&Sha256::digest(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_that_cannot_be_had_is_told_by_its_number_with_what_the_engine_says_of_it() {
        let store = |why: &str| HostError::Store(why.into());
        for (problem, is_final, told) in [
            (HostError::Refused("it is gone".into()), true, Some("documents[2].upload: it is gone")),
            (store("it is on another machine"), false, Some("documents[2].upload: it is on another machine")),
            // The whole store, and not this document.
            (HostError::Away("no answer".into()), false, None),
            (HostError::LeaseLost, false, None),
        ] {
            let failure = named(2, not_fetched(problem));

            assert_eq!(matches!(failure, Failure::Permanent(_)), is_final, "{failure:?}");
            match told {
                Some(told) => assert_eq!(failure.to_string(), told),
                None => assert!(!failure.to_string().contains("documents"), "{failure:?}"),
            }
        }
    }
}
