//! Whom to believe on the other end of a TLS connection: Mozilla's list, compiled in, and an authority of the house if
//! the configuration names one. One crypto provider for all (docs/decisions/0008).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(
        "the certificates in `{path}` cannot be read; a PEM file with an authority's certificate belongs there"
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// The certificates in a file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { path: path.into(), cause };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| unreadable(cause.into()))?;
    match found.is_empty() {
        true => Err(unreadable("no certificate in it".into())),
        false => Ok(found),
    }
}

pub fn client(authority: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = authority {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(TlsError::Setup)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(TlsError::Setup)?.with_root_certificates(roots).with_no_client_auth())
}
