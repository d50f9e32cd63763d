//! Containers of Azure's blob storage, by their names.

use std::path::PathBuf;

use jobkit::redact::ExposeSecret;
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use serde::{Deserialize, Serialize};

use super::object_client::{OpenError, connector, retries};
use crate::reference::SecretRef;

/// `[containers.NAME]`: the name is the container's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Container {
    /// The storage account.
    pub account: String,
    /// One of the two, or neither: without them the machine has rights of its own, a managed identity.
    pub access_key: Option<SecretRef>,
    pub sas: Option<SecretRef>,
    /// Empty means Azure's, for the account.
    pub endpoint: String,
    /// Empty means Mozilla's list alone.
    pub ca_file: PathBuf,
}

/// Opens no connection yet.
pub(super) fn open(name: &str, settings: &Container) -> Result<MicrosoftAzure, OpenError> {
    let section = format!("containers.{name}");
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&settings.account)
        .with_container_name(name)
        .with_retry(retries())
        .with_http_connector(connector(&section, &settings.ca_file)?);
    if !settings.endpoint.is_empty() {
        let plain = settings.endpoint.starts_with("http://");
        builder = builder.with_endpoint(settings.endpoint.clone()).with_allow_http(plain);
    }
    let keys = |cause| OpenError::keys(&section, cause);
    if let Some(key) = &settings.access_key {
        builder = builder.with_access_key(key.resolve().map_err(keys)?.expose_secret());
    }
    if let Some(sas) = &settings.sas {
        // The portal shows it with the mark of a query in front.
        let sas = sas.resolve().map_err(keys)?;
        let sas = sas.expose_secret().trim_start_matches('?').to_owned();
        builder = builder.with_config(AzureConfigKey::SasKey, sas);
    }
    builder.build().map_err(|cause| OpenError::store(&section, cause))
}
