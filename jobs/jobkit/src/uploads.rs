//! Files that somebody handed in over the network. A job names one where it could name a path, as `upload:ID`, and gets
//! the bytes through its context: only the engine knows where they lie, whose they are, and what they were.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(pub Uuid);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for UploadId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl UploadId {
    /// As arguments name it.
    pub fn address(self) -> String {
        format!("{SCHEME}{self}")
    }
}

/// How the address of an upload begins. It is no path, however much it looks like one.
pub const SCHEME: &str = "upload:";

/// None when this is no address of an upload; an error when it begins like one and names none.
pub fn named(path: &Path) -> Option<Result<UploadId, String>> {
    let rest = path.to_str()?.strip_prefix(SCHEME)?;
    // One spelling, as it was told.
    let id = rest.parse::<UploadId>().ok().filter(|id| id.to_string() == rest);
    Some(
        id.ok_or_else(|| "is no id of an upload; write upload:ID as the answer to the upload said it".into()),
    )
}

/// Those of these paths that are uploads.
pub fn among<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<UploadId> {
    paths.into_iter().filter_map(named).filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_named_in_one_spelling_and_a_path_is_none() {
        let id = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";
        for (path, is_one) in [
            (format!("upload:{id}"), Some(true)),
            (format!("upload:{}", id.to_uppercase()), Some(false)),
            (format!("upload:{id}/../x"), Some(false)),
            ("upload:".into(), Some(false)),
            (format!("./upload:{id}"), None),
            (format!("/srv/{id}"), None),
            (id.into(), None),
        ] {
            assert_eq!(named(Path::new(&path)).map(|named| named.is_ok()), is_one, "{path}");
        }
        assert_eq!(id.parse::<UploadId>().unwrap().address(), format!("upload:{id}"));
    }
}
