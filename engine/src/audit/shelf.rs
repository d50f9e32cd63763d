//! Where tiles and checkpoints are kept outside of the database, as files whose names say what they are. What lies on
//! a shelf is never changed; a tile that is not full yet is completed, because its hashes only become more.

use audit::tile::{TileId, WIDTH};
use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::PortError;

pub trait Shelf: Send + Sync + 'static {
    /// As the configuration names it.
    fn name(&self) -> &str;

    /// The checkpoint of the largest tree; none on an empty shelf.
    fn newest(&self) -> BoxFuture<'_, Result<Option<String>, PortError>>;

    /// Puts a file there. One that is there already with these bytes, or goes on from them, is well; a beginning of them is
    /// completed; anything else is an error.
    fn put<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<(), PortError>>;

    /// Puts a tile there, which may not be full yet.
    fn put_tile(&self, tile: TileId, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move { self.put(&shelf_path(tile), bytes).await })
    }

    /// As much of a tile as there is.
    fn tile(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Vec<u8>>, PortError>> {
        Box::pin(async move { self.get(&shelf_path(tile)).await })
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, PortError>>;

    /// A folder of it as a shelf of its own, under the same name.
    fn within(&self, folder: &str) -> Box<dyn Shelf>;

    /// The names below a folder, each file's or folder's own, in order.
    fn names<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, PortError>>;
}

/// A tile has one file, whether it is full or not.
fn shelf_path(tile: TileId) -> String {
    TileId::new(tile.level, tile.index, WIDTH as u16).unwrap_or(tile).path()
}

pub const CHECKPOINTS: &str = "checkpoints";

/// In a folder for each day, so that none has a million files; numbers have leading zeros, so that the largest is last.
pub fn checkpoint_path(size: u64, at: Timestamp) -> String {
    format!("{CHECKPOINTS}/{}/{size:020}", at.strftime("%Y-%m-%d"))
}

/// The checkpoint that was put last, by the names of folders and files.
pub async fn newest(shelf: &dyn Shelf) -> Result<Option<String>, PortError> {
    for day in shelf.names(CHECKPOINTS).await?.into_iter().rev() {
        let folder = format!("{CHECKPOINTS}/{day}");
        if let Some(last) = shelf.names(&folder).await?.pop() {
            let note = shelf.get(&format!("{folder}/{last}")).await?;
            return Ok(note.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

/// All checkpoints, the smallest tree first.
pub async fn checkpoints(shelf: &dyn Shelf) -> Result<Vec<(String, String)>, PortError> {
    checkpoints_above(shelf, 0).await
}

/// Those of larger trees than this, of which the names say so.
pub async fn checkpoints_above(shelf: &dyn Shelf, size: u64) -> Result<Vec<(String, String)>, PortError> {
    let mut found = Vec::new();
    for day in shelf.names(CHECKPOINTS).await? {
        let folder = format!("{CHECKPOINTS}/{day}");
        for name in shelf.names(&folder).await? {
            let path = format!("{folder}/{name}");
            if size > 0 && name.parse::<u64>().is_ok_and(|own| own <= size) {
                continue;
            }
            if let Some(bytes) = shelf.get(&path).await? {
                found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| file_name(a).cmp(file_name(b)));
    Ok(found)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
