//! Files that callers put into the bucket themselves: `PREFIX/.quarantine/<upload id>/<SHA-256 or any>`. No job's name
//! begins with a dot, so nobody takes one for an artifact.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use jobkit::{PortError, UploadId};
use object_store::ObjectMeta;
use object_store::aws::AmazonS3;
use object_store::azure::MicrosoftAzure;
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::bucket::{BucketArtifacts, Held, Problem};
use crate::uploads::quarantine::{Arrived, Invitation, Quarantine};

const FOLDER: &str = ".quarantine";
/// In the place of a sum that nobody announced.
const ANY: &str = "any";
const PIECE: usize = 256 << 10;

/// Who signs, and what has to be said beside.
#[derive(Debug, Clone)]
pub(super) enum Signs {
    S3(Arc<AmazonS3>),
    Azure(Arc<MicrosoftAzure>),
}

#[derive(Debug, Clone)]
pub struct BucketQuarantine {
    pub(super) bucket: BucketArtifacts,
    pub(super) signs: Signs,
}

impl BucketQuarantine {
    fn folder(&self, id: Option<UploadId>) -> Result<Key, Problem> {
        match id {
            Some(id) => self.bucket.below(&format!("{FOLDER}/{id}")),
            None => self.bucket.below(FOLDER),
        }
    }

    async fn sign(
        &self,
        id: UploadId,
        sha256: Option<&[u8; 32]>,
        life: Duration,
    ) -> Result<Invitation, Problem> {
        let sum = sha256.map_or_else(|| ANY.to_owned(), |sum| store::uploads::hex(sum));
        let key = self.bucket.below(&format!("{FOLDER}/{id}/{sum}"))?;
        let mut headers = Vec::new();
        let url = match &self.signs {
            Signs::S3(s3) => {
                let mut options = SignedUrlOptions::default();
                if let Some(said) = sha256.map(base64_of) {
                    // S3 takes only the bytes that have it, and so no more of them.
                    let name = HeaderName::from_static("x-amz-checksum-sha256");
                    if let Ok(value) = HeaderValue::from_str(&said) {
                        options = options.with_signed_header(name.clone(), value);
                        headers.push((name.to_string(), said));
                    }
                }
                s3.signed_url_opts(Method::PUT, &key, life, &options).await?
            }
            Signs::Azure(azure) => {
                headers.push(("x-ms-blob-type".into(), "BlockBlob".into()));
                azure.signed_url(Method::PUT, &key, life).await?
            }
        };
        Ok(Invitation { url: url.into(), headers })
    }

    async fn find(&self, id: UploadId) -> Result<Option<Arrived>, Problem> {
        let folder = self.folder(Some(id))?;
        let Some(ObjectMeta { location, .. }) =
            self.bucket.store.list(Some(&folder)).next().await.transpose()?
        else {
            return Ok(None);
        };
        let sha256 = location.filename().and_then(sum_of);
        let held = self.bucket.hold(location).await?;
        let bytes = held.size;
        let pieces = self.pieces(held);
        Ok(Some(Arrived { bytes, sha256, pieces }))
    }

    fn pieces(&self, held: Held) -> futures::stream::BoxStream<'static, Result<bytes::Bytes, PortError>> {
        let port = self.bucket.port("fetching an upload");
        self.bucket.clone().stretches(held, PIECE).map_err(port).boxed()
    }

    async fn delete(&self, id: UploadId) -> Result<(), Problem> {
        self.bucket.delete_below(&self.folder(Some(id))?).await
    }

    async fn old(&self, now: Timestamp, age: Duration) -> Result<Vec<UploadId>, Problem> {
        let mut objects = self.bucket.store.list(Some(&self.folder(None)?));
        let mut found = Vec::new();
        while let Some(object) = objects.try_next().await? {
            let parts: Vec<_> = object.location.parts().collect();
            let id: Option<UploadId> = parts.iter().rev().nth(1).and_then(|part| part.as_ref().parse().ok());
            let written = Timestamp::from_second(object.last_modified.timestamp()).unwrap_or(now);
            let is_old = now.duration_since(written).try_into().is_ok_and(|since: Duration| since >= age);
            found.extend(id.filter(|_| is_old));
        }
        Ok(found)
    }
}

fn base64_of(sum: &[u8; 32]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(sum)
}

/// None of a file whose sum nobody announced.
fn sum_of(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut sum = [0; 32];
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(sum)
}

impl Quarantine for BucketQuarantine {
    fn invite<'a>(
        &'a self,
        id: UploadId,
        sha256: Option<&'a [u8; 32]>,
        life: Duration,
    ) -> BoxFuture<'a, Result<Invitation, PortError>> {
        let port = self.bucket.port("signing a place for an upload");
        Box::pin(async move { self.sign(id, sha256, life).await.map_err(port) })
    }

    fn open(&self, id: UploadId) -> BoxFuture<'_, Result<Option<Arrived>, PortError>> {
        let port = self.bucket.port("looking for an upload");
        Box::pin(async move { self.find(id).await.map_err(port) })
    }

    fn remove(&self, id: UploadId) -> BoxFuture<'_, Result<(), PortError>> {
        let port = self.bucket.port("deleting an upload");
        Box::pin(async move { self.delete(id).await.map_err(port) })
    }

    fn older_than(&self, now: Timestamp, age: Duration) -> BoxFuture<'_, Result<Vec<UploadId>, PortError>> {
        let port = self.bucket.port("looking for old uploads");
        Box::pin(async move { self.old(now, age).await.map_err(port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_sixty_four_digits_and_nothing_else_is() {
        let sum: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        for (text, expected) in [
            (store::uploads::hex(&sum), Some(sum)),
            (ANY.into(), None),
            ("g".repeat(64), None),
            ("ä".repeat(32), None),
            ("0".repeat(63), None),
        ] {
            assert_eq!(sum_of(&text), expected, "{text}");
        }
    }
}
