//! Buckets of object stores that speak S3, by their names: what triggers look at, and what jobs fetch ledgers from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jobkit::redact::ExposeSecret;
use jobkit::roots::BUCKET;
use jobkit::{ObjectError, Objects, PortError};
use md5::{Digest, Md5};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::object_client::{ContentMd5, OpenError, connector, retries};
use crate::reference::SecretRef;

/// `[buckets.NAME]`: the name is the bucket's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bucket {
    pub region: String,
    /// Empty means Amazon's, for the region.
    pub endpoint: String,
    /// Both or neither: without them the machine has rights of its own, an instance role say.
    pub access_key_id: Option<SecretRef>,
    pub secret_access_key: Option<SecretRef>,
    /// Empty means Mozilla's list alone.
    pub ca_file: PathBuf,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            endpoint: String::new(),
            access_key_id: None,
            secret_access_key: None,
            ca_file: PathBuf::new(),
        }
    }
}

#[derive(Default, Clone)]
pub struct Buckets(BTreeMap<String, Arc<AmazonS3>>);

impl Buckets {
    /// Opens no connection yet.
    pub fn open(settings: &BTreeMap<String, Bucket>) -> Result<Self, OpenError> {
        let opened = settings.iter().map(|(name, bucket)| Ok((name.clone(), Arc::new(open(name, bucket)?))));
        opened.collect::<Result<_, _>>().map(Self)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether the bucket answers, and lets these keys look into it.
    pub async fn probe(&self, name: &str) -> Result<(), ObjectError> {
        let address = format!("{BUCKET}{name}/");
        let (store, _) = self.find(&address)?;
        let first = store.list(None).next().await.transpose();
        first.map(drop).map_err(|cause| object_error(&address, cause))
    }

    /// Everything below an address; an address without a key is the whole bucket.
    pub fn list(
        &self,
        address: &str,
    ) -> Result<BoxStream<'static, object_store::Result<ObjectMeta>>, ObjectError> {
        let (store, key) = self.find(address)?;
        Ok(store.list(Some(&key).filter(|key| !key.as_ref().is_empty())))
    }

    /// An object whole; for small ones.
    pub async fn read(&self, address: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let (store, key) = self.find(address)?;
        let read = async { store.get(&key).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(object_error(address, cause)),
        }
    }

    /// Makes an object that is not there yet. False when one is, which is left as it is.
    pub async fn create(&self, address: &str, bytes: Vec<u8>) -> Result<bool, ObjectError> {
        let (store, key) = self.find(address)?;
        let mut options = PutOptions::from(PutMode::Create);
        options.extensions.insert(ContentMd5(BASE64.encode(Md5::digest(&bytes))));
        match store.put_opts(&key, bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(cause) => Err(object_error(address, cause)),
        }
    }

    /// The names right below an address, in order.
    pub async fn below(&self, address: &str) -> Result<Vec<String>, ObjectError> {
        let (store, key) = self.find(address)?;
        let below =
            store.list_with_delimiter(Some(&key)).await.map_err(|cause| object_error(address, cause))?;
        let objects = below.objects.into_iter().map(|object| object.location);
        let all = below.common_prefixes.into_iter().chain(objects);
        let mut names: Vec<_> = all.filter_map(|key| key.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn find(&self, address: &str) -> Result<(&Arc<AmazonS3>, Key), ObjectError> {
        let unknown = || ObjectError::Unknown(address.into());
        let (bucket, key) = parts(address).ok_or_else(unknown)?;
        let store = self.0.get(bucket).ok_or_else(unknown)?;
        Ok((store, Key::parse(key).map_err(|_| unknown())?))
    }
}

/// The bucket and the key of an address.
pub fn parts(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix(BUCKET)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, key))
}

impl Objects for Buckets {
    fn fetch<'a>(&'a self, address: &'a str, into: &'a Path) -> BoxFuture<'a, Result<u64, ObjectError>> {
        Box::pin(async move {
            let (store, key) = self.find(address)?;
            let found = store.get(&key).await.map_err(|cause| object_error(address, cause))?;
            let (expected, mut body) = (found.meta.size, found.into_stream());
            let disk = |cause: std::io::Error| PortError::new(format!("writing {}", into.display()), cause);
            let mut file = File::create(into).await.map_err(disk)?;
            let mut bytes = 0;
            while let Some(piece) = body.try_next().await.map_err(|cause| object_error(address, cause))? {
                file.write_all(&piece).await.map_err(disk)?;
                bytes += piece.len() as u64;
            }
            file.sync_all().await.map_err(disk)?;
            // A connection that ends early must not pass for a short ledger.
            if bytes != expected {
                let cause = format!("{bytes} bytes came of {expected}");
                return Err(PortError::new(format!("fetching `{address}`"), cause).into());
            }
            Ok(bytes)
        })
    }
}

fn object_error(address: &str, cause: object_store::Error) -> ObjectError {
    match cause {
        object_store::Error::NotFound { .. } => ObjectError::Missing(address.into()),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ObjectError::Denied { address: address.into(), cause: cause.into() }
        }
        cause => PortError::new(format!("asking for `{address}`"), cause).into(),
    }
}

fn open(name: &str, settings: &Bucket) -> Result<AmazonS3, OpenError> {
    builder(name, settings)?.build().map_err(|cause| OpenError::store(&section(name), cause))
}

fn section(name: &str) -> String {
    format!("buckets.{name}")
}

/// As the settings have it; nothing connects yet.
pub(super) fn builder(name: &str, settings: &Bucket) -> Result<AmazonS3Builder, OpenError> {
    let section = section(name);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(&settings.region)
        .with_retry(retries())
        .with_http_connector(connector(&section, &settings.ca_file)?);
    if !settings.endpoint.is_empty() {
        let plain = settings.endpoint.starts_with("http://");
        builder = builder.with_endpoint(&settings.endpoint).with_allow_http(plain);
    }
    if let (Some(id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        let keys = |cause| OpenError::keys(&section, cause);
        builder = builder
            .with_access_key_id(id.resolve().map_err(keys)?.expose_secret())
            .with_secret_access_key(secret.resolve().map_err(keys)?.expose_secret());
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_a_key() {
        for (address, expected) in [
            ("s3://books/2026/GL.csv", Some(("books", "2026/GL.csv"))),
            ("s3://books/", Some(("books", ""))),
            ("s3://books", Some(("books", ""))),
            ("s3:///GL.csv", None),
            ("/srv/GL.csv", None),
            ("S3://books/GL.csv", None),
        ] {
            assert_eq!(parts(address), expected, "{address}");
        }
    }

    #[test]
    fn a_bucket_that_nobody_configured_is_named() {
        let found = Buckets::default().find("s3://books/GL.csv").err().unwrap();
        assert!(found.to_string().starts_with("`s3://books/GL.csv` lies in no bucket that is configured"));
    }
}
