//! A shelf that is a place in a bucket. Nothing is ever written twice there, so the bucket can refuse it: with object
//! lock, or to keys that may put and not delete. A tile that is not full has a name of its own for each width, as C2SP's
//! tiles have, and whoever reads takes the widest.

use std::sync::Arc;

use audit::tile::{TileId, WIDTH};
use futures::future::BoxFuture;
use jobkit::{ObjectError, PortError};

use super::shelf::{self, Shelf};
use crate::adapters::buckets::Buckets;

pub struct Bucket {
    name: String,
    buckets: Arc<Buckets>,
    /// `s3://BUCKET/PREFIX`, without a slash at its end.
    address: String,
}

impl Bucket {
    pub fn new(name: impl Into<String>, buckets: Arc<Buckets>, address: &str) -> Self {
        Self { name: name.into(), buckets, address: address.trim_end_matches('/').to_owned() }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    async fn make(&self, path: &str, bytes: Vec<u8>) -> Result<(), PortError> {
        let address = self.at(path);
        if self.buckets.create(&address, bytes.clone()).await.map_err(port)? {
            return Ok(());
        }
        match self.buckets.read(&address).await.map_err(port)? {
            Some(there) if there == bytes => Ok(()),
            _ => {
                let problem =
                    "it is there already and says something else; what lies in an anchor is never changed";
                Err(PortError::new(format!("writing {address}"), problem))
            }
        }
    }

    async fn widest(&self, tile: TileId) -> Result<Option<Vec<u8>>, PortError> {
        let full = TileId::new(tile.level, tile.index, WIDTH as u16).unwrap_or(tile).path();
        if let Some(bytes) = self.buckets.read(&self.at(&full)).await.map_err(port)? {
            return Ok(Some(bytes));
        }
        let folder = format!("{full}.p");
        let widths = self.buckets.below(&self.at(&folder)).await.map_err(port)?;
        match widths.into_iter().filter_map(|name| name.parse::<u16>().ok()).max() {
            Some(width) => self.buckets.read(&self.at(&format!("{folder}/{width}"))).await.map_err(port),
            None => Ok(None),
        }
    }
}

impl Shelf for Bucket {
    fn name(&self) -> &str {
        &self.name
    }

    fn newest(&self) -> BoxFuture<'_, Result<Option<String>, PortError>> {
        Box::pin(shelf::newest(self))
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(self.make(path, bytes))
    }

    fn put_tile(&self, tile: TileId, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move { self.make(&tile.path(), bytes).await })
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, PortError>> {
        Box::pin(async move { self.buckets.read(&self.at(path)).await.map_err(port) })
    }

    fn tile(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Vec<u8>>, PortError>> {
        Box::pin(self.widest(tile))
    }

    fn within(&self, folder: &str) -> Box<dyn Shelf> {
        Box::new(Self::new(self.name.clone(), self.buckets.clone(), &self.at(folder)))
    }

    fn names<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, PortError>> {
        Box::pin(async move { self.buckets.below(&self.at(folder)).await.map_err(port) })
    }
}

fn port(problem: ObjectError) -> PortError {
    PortError::new("asking an anchor of the audit log", problem)
}
