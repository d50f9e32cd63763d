//! The RSA key that signs in, from a file that nobody but its owner may read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jobkit::redact::{ExposeSecret, SecretString};
use jsonwebtoken::EncodingKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A key of RSA is never that long.
const LONGEST_FILE: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{what}: `{}` cannot be read", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{what}: `{}` may be read by others (mode {mode:03o}); run chmod 600", path.display())]
    Open { what: &'static str, path: PathBuf, mode: u32 },
    #[error("private_key_path: `{}` holds no RSA private key in PEM, PKCS #1 or #8, of 2048 bits or more", .0.display())]
    NoKey(PathBuf),
}

impl KeyError {
    /// As codes of the provider are written.
    pub fn code(&self) -> &'static str {
        match self {
            KeyError::Unreadable { .. } => "private_key_cannot_be_read",
            KeyError::Open { .. } => "private_key_may_be_read_by_others",
            KeyError::NoKey(_) => "private_key_is_none",
        }
    }
}

/// Prints nothing of itself.
#[derive(Debug)]
pub struct PrivateKey(pub(super) EncodingKey);

impl PrivateKey {
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = secret_file("private_key_path", path)?;
        let no_key = || KeyError::NoKey(path.into());
        let der = PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).map_err(|_| no_key())?;
        let inner = match &der {
            PrivateKeyDer::Pkcs1(key) => key.secret_pkcs1_der().to_vec(),
            PrivateKeyDer::Pkcs8(key) => pkcs1_of(key).ok_or_else(no_key)?,
            _ => return Err(no_key()),
        };
        // Which says too whether it is long enough.
        ring::signature::RsaKeyPair::from_der(&inner).map_err(|_| no_key())?;
        Ok(Self(EncodingKey::from_rsa_der(&inner)))
    }
}

/// What a file holds that its owner alone may read.
pub fn secret_file(what: &'static str, path: &Path) -> Result<SecretString, KeyError> {
    let unreadable = |cause| KeyError::Unreadable { what, path: path.into(), cause };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { what, path: path.into(), mode });
    }
    let mut text = String::new();
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.into())
}

/// The key inside: SEQUENCE { version, algorithm, OCTET STRING { the key as PKCS #1 } }.
fn pkcs1_of(key: &PrivatePkcs8KeyDer<'_>) -> Option<Vec<u8>> {
    let (tag, mut body, _) = element(key.secret_pkcs8_der())?;
    if tag != 0x30 {
        return None;
    }
    for expected in [0x02, 0x30, 0x04] {
        let (tag, inner, rest) = element(body)?;
        if tag != expected {
            return None;
        }
        if tag == 0x04 {
            return Some(inner.to_vec());
        }
        body = rest;
    }
    None
}

/// The first element of DER: its tag, what is in it, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let digits = usize::from(first & 0x7f);
            let length =
                rest.get(..digits)?.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest.get(digits..)?)
        }
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_key_is_read_in_both_forms_and_prints_nothing() {
        for text in [crate::tests::PKCS8, crate::tests::PKCS1] {
            let (_folder, path) = written(text, 0o600);
            let key = PrivateKey::read(&path).unwrap();
            assert!(format!("{key:?}").contains("[redacted]"));
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o644] {
            let (_folder, path) = written(crate::tests::PKCS8, mode);
            let told = PrivateKey::read(&path).unwrap_err().to_string();
            assert!(told.contains("chmod 600") && told.contains(&format!("{mode:03o}")), "{told}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for text in ["", "hello secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            let (_folder, path) = written(text, 0o600);
            let told = PrivateKey::read(&path).unwrap_err().to_string();
            assert!(told.contains("no RSA private key") && !told.contains("secret"), "{told}");
        }
        let told = PrivateKey::read(Path::new("/nowhere/key.pem")).unwrap_err().to_string();
        assert!(told.contains("/nowhere/key.pem"), "{told}");
    }
}
