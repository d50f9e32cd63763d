//! Databases of others, by the names that the configuration has for them.

use std::collections::BTreeMap;

use jobkit::{DatabaseError, Databases, SecretString};
use serde::{Deserialize, Serialize};

use crate::reference::UrlRef;

/// `[databases.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: UrlRef,
}

#[derive(Debug, Clone, Default)]
pub struct DatabasesByName(pub BTreeMap<String, Database>);

impl Databases for DatabasesByName {
    /// A reference is looked up each time: what it points to may have been rotated.
    fn url(&self, name: &str) -> Result<SecretString, DatabaseError> {
        let database = self.0.get(name).ok_or_else(|| DatabaseError::Unknown(name.into()))?;
        let url = database.url.resolve();
        url.map_err(|cause| DatabaseError::Url { name: name.into(), cause: cause.into() })
    }
}

#[cfg(test)]
mod tests {
    use jobkit::redact::ExposeSecret;

    use super::*;

    #[test]
    fn a_database_is_known_by_its_name() {
        let databases = DatabasesByName(BTreeMap::from([
            ("erp".to_owned(), Database { url: UrlRef::from("sqlite://erp.db") }),
            ("gone".to_owned(), Database { url: UrlRef::from("env:COMPLINE_NO_SUCH_URL") }),
        ]));

        assert_eq!(databases.url("erp").unwrap().expose_secret(), "sqlite://erp.db");
        assert_eq!(
            databases.url("x").unwrap_err().to_string(),
            "there is no database `x`; add [databases.x] to the configuration"
        );
        assert_eq!(databases.url("gone").unwrap_err().to_string(), "databases.gone.url cannot be had");
    }
}
