//! Secrets in a folder of this machine, each in a file of its own, sealed: the store for whoever has no other.
//!
//! A file has the versions of one secret and their labels. It is written beside itself, synced and renamed, under a lock of the folder, so that whoever
//! reads finds the whole of what was written last, and two that change it do so one after the other. Values are sealed by AES-256-GCM under a key that
//! lies elsewhere, bound to the secret's name and the version's: moved to another place they do not open.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::{OfTheSystem, Randomness, VersionId};
use crate::store::{Answer, Labels, Put, SecretStore, StoreError};

pub const NAME: &str = "file";
/// What a secret may be called here.
pub const NAMES: &str =
    "names a file here: letters, digits and any of _ - . which is not the first, 200 at most";
const KEY_BYTES: usize = 32;

#[derive(Clone)]
pub struct FileStore(Arc<Place>);

struct Place {
    folder: PathBuf,
    /// Read for each value: it lies elsewhere, and may be mended while we run.
    key_path: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<VersionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<VersionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<VersionId>,
    /// Nonce and sealed value, by version.
    versions: BTreeMap<VersionId, String>,
}

impl FileStore {
    /// Nothing is opened before it is needed.
    pub fn new(folder: impl Into<PathBuf>, key_path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Place { folder: folder.into(), key_path: key_path.into() }))
    }

    async fn with<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Place) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&place)).await;
        let done = done.unwrap_or_else(|panicked| Err(Problem::Disk(panicked.into())));
        done.map_err(|problem| match problem {
            Problem::Disk(cause) => StoreError::Away { store: NAME.into(), doing, cause: cause.into() },
            Problem::Refused(problem) => StoreError::Refused { store: NAME.into(), problem },
        })
    }
}

enum Problem {
    Disk(std::io::Error),
    Refused(String),
}

impl From<std::io::Error> for Problem {
    fn from(cause: std::io::Error) -> Self {
        Self::Disk(cause)
    }
}

impl SecretStore for FileStore {
    fn labels<'a>(&'a self, path: &'a str) -> Answer<'a, Labels> {
        let path = path.to_owned();
        self.with("reading the labels of a secret", move |place| {
            let Kept { current, pending, previous, .. } = place.read(&path)?;
            Ok(Labels { current, pending, previous })
        })
        .boxed()
    }

    fn read<'a>(&'a self, path: &'a str, version: &'a VersionId) -> Answer<'a, Option<SecretString>> {
        let (path, version) = (path.to_owned(), version.clone());
        self.with("reading a secret", move |place| {
            let kept = place.read(&path)?;
            kept.versions.get(&version).map(|sealed| place.open(&path, &version, sealed)).transpose()
        })
        .boxed()
    }

    fn put_pending<'a>(
        &'a self,
        path: &'a str,
        version: &'a VersionId,
        value: &'a SecretString,
    ) -> Answer<'a, Put> {
        let (path, version, value) = (path.to_owned(), version.clone(), value.clone());
        self.with("keeping a new version of a secret", move |place| {
            place.change(&path, |kept| {
                if let Some(other) = kept.pending.as_ref().filter(|pending| **pending != version) {
                    return Ok((Put::Other(other.clone()), false));
                }
                if kept.versions.contains_key(&version) {
                    return Ok((Put::Kept, false));
                }
                kept.versions.insert(version.clone(), place.seal(&path, &version, &value)?);
                kept.pending = Some(version.clone());
                Ok((Put::Kept, true))
            })
        })
        .boxed()
    }

    fn publish<'a>(
        &'a self,
        path: &'a str,
        from: Option<&'a VersionId>,
        to: &'a VersionId,
    ) -> Answer<'a, bool> {
        let (path, from, to) = (path.to_owned(), from.cloned(), to.clone());
        self.with("publishing a version of a secret", move |place| {
            place.change(&path, |kept| {
                if kept.current != from || !kept.versions.contains_key(&to) {
                    return Ok((false, false));
                }
                if let Some(older) = std::mem::replace(&mut kept.previous, from.clone()) {
                    kept.versions.remove(&older);
                }
                kept.current = Some(to.clone());
                kept.pending = kept.pending.take().filter(|pending| *pending != to);
                Ok((true, true))
            })
        })
        .boxed()
    }

    fn publish_previous<'a>(&'a self, path: &'a str, from: &'a VersionId) -> Answer<'a, bool> {
        let (path, from) = (path.to_owned(), from.clone());
        self.with("publishing the previous version of a secret", move |place| {
            place.change(&path, |kept| {
                if kept.current.as_ref() != Some(&from) || kept.previous.is_none() {
                    return Ok((false, false));
                }
                kept.current = kept.previous.take();
                kept.versions.remove(&from);
                Ok((true, true))
            })
        })
        .boxed()
    }

    fn forget<'a>(&'a self, path: &'a str, version: &'a VersionId) -> Answer<'a, ()> {
        let (path, version) = (path.to_owned(), version.clone());
        self.with("destroying a version of a secret", move |place| {
            place.change(&path, |kept| {
                if kept.current.as_ref() == Some(&version) {
                    return Ok(((), false));
                }
                for label in [&mut kept.pending, &mut kept.previous] {
                    *label = label.take().filter(|labelled| *labelled != version);
                }
                Ok(((), kept.versions.remove(&version).is_some()))
            })
        })
        .boxed()
    }
}

impl Place {
    /// The names of secrets come from the configuration, and are names of files here.
    fn file(&self, path: &str) -> Result<PathBuf, Problem> {
        match is_name(path) {
            true => Ok(self.folder.join(format!("{path}.json"))),
            false => Err(Problem::Refused(format!("`{path}` is no name: it {NAMES}"))),
        }
    }

    fn read(&self, path: &str) -> Result<Kept, Problem> {
        let file = self.file(path)?;
        match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|problem| {
                Problem::Refused(format!(
                    "`{}` is not what was written there ({problem}); bring it back from a backup",
                    file.display()
                ))
            }),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Under the folder's lock, which ends with this process however that ends.
    fn change<T>(
        &self,
        path: &str,
        work: impl FnOnce(&mut Kept) -> Result<(T, bool), Problem>,
    ) -> Result<T, Problem> {
        let file = self.file(path)?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let lock = self.lock()?;
        let mut kept = self.read(path)?;
        let (done, is_changed) = work(&mut kept)?;
        if is_changed {
            self.write(&file, &kept)?;
        }
        drop(lock);
        Ok(done)
    }

    fn lock(&self) -> std::io::Result<File> {
        let path = self.folder.join(".lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn write(&self, file: &Path, kept: &Kept) -> Result<(), Problem> {
        let bytes = serde_json::to_vec_pretty(kept).map_err(std::io::Error::from)?;
        let mut beside = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.folder)?;
        beside.write_all(&bytes)?;
        beside.as_file().sync_all()?;
        beside.persist(file).map_err(|failed| failed.error)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    fn key(&self) -> Result<LessSafeKey, Problem> {
        let path = self.key_path.display();
        let refused = |problem: String| Problem::Refused(format!("its key, `{path}`: {problem}"));
        let readable = std::fs::metadata(&self.key_path).map_err(|cause| {
            refused(format!("{cause}; `openssl rand -hex 32` makes one, and `chmod 600` keeps it"))
        })?;
        if readable.permissions().mode() & 0o077 != 0 {
            return Err(refused("others may read it; `chmod 600`".into()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(&self.key_path)?);
        let key = key_of(text.trim()).and_then(|bytes| UnboundKey::new(&AES_256_GCM, bytes.as_ref()).ok());
        let what = "it is not 32 bytes in hex (64 digits) or base64 (44 characters); `openssl rand -hex 32` makes one";
        key.map(LessSafeKey::new).ok_or_else(|| refused(what.into()))
    }

    fn seal(&self, path: &str, version: &VersionId, value: &SecretString) -> Result<String, Problem> {
        let mut nonce = [0_u8; NONCE_LEN];
        OfTheSystem.fill(&mut nonce).map_err(std::io::Error::other)?;
        let mut sealed = Zeroizing::new(value.expose_secret().as_bytes().to_vec());
        let sealing = Nonce::assume_unique_for_key(nonce);
        let tag = self.key()?.seal_in_place_separate_tag(sealing, bound(path, version), sealed.as_mut());
        let tag = tag.map_err(|_| std::io::Error::other("the value is too long to be sealed"))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed, tag.as_ref()].concat()))
    }

    fn open(&self, path: &str, version: &VersionId, sealed: &str) -> Result<SecretString, Problem> {
        let does_not_open = || {
            Problem::Refused(format!(
                "the version {version} of `{path}` does not open: the key is another, or the file was altered"
            ))
        };
        let mut bytes = Zeroizing::new(STANDARD.decode(sealed).map_err(|_| does_not_open())?);
        if bytes.len() < NONCE_LEN {
            return Err(does_not_open());
        }
        let (nonce, sealed) = bytes.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| does_not_open())?;
        let key = self.key()?;
        let value = key.open_in_place(nonce, bound(path, version), sealed).map_err(|_| does_not_open())?;
        String::from_utf8(value.to_vec()).map(SecretString::from).map_err(|_| does_not_open())
    }
}

pub fn is_name(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !path.is_empty() && !path.starts_with('.') && path.chars().all(plain) && path.len() <= 200
}

fn bound(path: &str, version: &VersionId) -> Aad<Vec<u8>> {
    Aad::from(format!("compline secret\n{path}\n{version}").into_bytes())
}

fn key_of(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match text.len() {
        64 => (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect(),
        44 => STANDARD.decode(text).ok(),
        _ => None,
    };
    bytes.map(Zeroizing::new).filter(|bytes| bytes.len() == KEY_BYTES)
}

#[cfg(test)]
mod tests;
