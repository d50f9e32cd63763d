//! What the configuration says of secrets: where they are kept, and for each who takes it and how long an old value stays.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use jobkit::Databases;
use serde::{Deserialize, Serialize};

use crate::adapters::file_store::{self, FileStore};
use crate::adapters::postgres::{Postgres, PostgresConfig};
use crate::managed::{Managed, Secrets};
use crate::phase::Adoption;
use crate::secret::OfTheSystem;
use crate::store::SecretStore;

const DAY: u64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub stores: Stores,
    /// By names of our own.
    pub secrets: BTreeMap<String, SecretConfig>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stores {
    pub file: FileStoreConfig,
}

/// The store of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileStoreConfig {
    pub folder: PathBuf,
    /// What values are sealed with, which nobody but its owner may read. It lies elsewhere than the folder, or a backup of that has both.
    pub key_path: PathBuf,
}

impl Default for FileStoreConfig {
    fn default() -> Self {
        Self { folder: "secrets".into(), key_path: PathBuf::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretConfig {
    pub store: String,
    /// Its name in the store; empty: the one that it has here.
    pub path: String,
    /// How old it may get.
    #[serde(with = "duration")]
    pub every: Duration,
    /// How long the old value is let in beside the new one, at least.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// And at most, before a person is asked.
    #[serde(with = "duration")]
    pub max_grace: Duration,
    /// What becomes of a value that is still used when its grace is over.
    pub adoption: Adoption,
    /// Who takes it: a role of PostgreSQL, or two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresConfig>,
}

impl Default for SecretConfig {
    fn default() -> Self {
        Self {
            store: file_store::NAME.into(),
            path: String::new(),
            every: Duration::from_secs(90 * DAY),
            grace: Duration::from_secs(DAY),
            max_grace: Duration::from_secs(7 * DAY),
            adoption: Adoption::Extend,
            postgres: None,
        }
    }
}

impl Config {
    /// Every key has a value, for whoever must know the keys.
    pub fn with_every_key() -> Self {
        let secret = SecretConfig { postgres: Some(PostgresConfig::default()), ..SecretConfig::default() };
        Self { secrets: [("*".to_owned(), secret)].into(), ..Self::default() }
    }

    /// What is wrong: the key, and what to write. Databases are those of `[databases]`.
    pub fn problems(&self, databases: &[&str]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let is_used = self.secrets.values().any(|secret| secret.store == file_store::NAME);
        if is_used && self.stores.file.key_path.as_os_str().is_empty() {
            let told = "name a file with 32 bytes in hex, which nobody but its owner may read; `openssl rand -hex 32` makes them";
            found.push(("secret_rotation.stores.file.key_path".into(), told.into()));
        }
        let mut places = BTreeMap::new();
        for (name, secret) in &self.secrets {
            let key = |key: &str| format!("secret_rotation.secrets.{name}.{key}");
            if !file_store::is_name(secret.path(name)) {
                found.push((key("path"), file_store::NAMES.into()));
            }
            for (field, told) in secret.problems(databases) {
                found.push((key(field), told));
            }
            let place = (secret.store.as_str(), secret.path(name));
            if let Some(other) = places.insert(place, name) {
                found.push((
                    key("path"),
                    format!(
                        "is that of secret_rotation.secrets.{other} too; two rotations would undo each other"
                    ),
                ));
            }
        }
        found
    }
}

impl SecretConfig {
    fn path<'a>(&'a self, name: &'a str) -> &'a str {
        if self.path.is_empty() { name } else { &self.path }
    }

    fn problems(&self, databases: &[&str]) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.store != file_store::NAME {
            found
                .push(("store", format!("there is no store `{}`; write `{}`", self.store, file_store::NAME)));
        }
        if self.every < Duration::from_secs(60) {
            found.push(("every", "a minute at least; the default is 2160h, which is 90 days".into()));
        }
        if self.max_grace < self.grace {
            found.push(("max_grace", "must be no shorter than grace".into()));
        }
        match &self.postgres {
            None => found.push(("postgres", "says who takes the secret, and is missing".into())),
            Some(postgres) => found.extend(of_postgres(postgres, databases)),
        }
        found
    }
}

fn of_postgres(postgres: &PostgresConfig, databases: &[&str]) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if !databases.contains(&postgres.database.as_str()) {
        found.push(("postgres.database", "name one of [databases], whose user may change the roles".into()));
    }
    let roles: Vec<&str> = postgres.roles.iter().map(String::as_str).collect();
    let is_well = match roles.as_slice() {
        [one] => !one.is_empty(),
        [one, other] => !one.is_empty() && !other.is_empty() && one != other,
        _ => false,
    };
    if !is_well {
        let told =
            "name two roles that take turns, or one, whose clients are refused for a moment at each rotation";
        found.push(("postgres.roles", told.into()));
    }
    if roles.contains(&postgres.owner.as_str()) {
        found.push(("postgres.owner", "is neither of the roles: they are its members".into()));
    }
    found
}

/// The secrets of the configuration. Nothing is opened before it is needed.
pub fn secrets(config: &Config, databases: &Arc<dyn Databases>) -> Secrets {
    let file = &config.stores.file;
    let file: Arc<dyn SecretStore> = Arc::new(FileStore::new(&file.folder, &file.key_path));
    let managed = config.secrets.iter().filter_map(|(name, secret)| {
        let postgres = secret.postgres.clone()?;
        Some(Managed {
            name: name.clone(),
            store: file.clone(),
            path: secret.path(name).to_owned(),
            target: Arc::new(Postgres::new(postgres, databases.clone())),
            every: secret.every,
            grace: secret.grace,
            max_grace: secret.max_grace,
            adoption: secret.adoption,
        })
    });
    Secrets::new(managed, Arc::new(OfTheSystem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut SecretConfig)) -> Config {
        let postgres = PostgresConfig {
            database: "app".into(),
            roles: vec!["app_a".into(), "app_b".into()],
            owner: "app".into(),
            must: Vec::new(),
        };
        let mut secret = SecretConfig { postgres: Some(postgres), ..SecretConfig::default() };
        change(&mut secret);
        let file =
            FileStoreConfig { key_path: "/etc/compline/secrets.key".into(), ..FileStoreConfig::default() };
        Config { stores: Stores { file }, secrets: [("app-db".to_owned(), secret)].into() }
    }

    #[test]
    fn what_is_wrong_names_the_key_and_the_remedy() {
        assert_eq!(config(|_| ()).problems(&["app"]), []);
        let roles = |roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            config(|secret| secret.postgres.as_mut().unwrap().roles = roles)
        };
        for (config, key, says) in [
            (config(|secret| secret.store = "vault".into()), "store", "`file`"),
            (config(|secret| secret.every = Duration::ZERO), "every", "2160h"),
            (config(|secret| secret.max_grace = Duration::ZERO), "max_grace", "grace"),
            (config(|secret| secret.postgres = None), "postgres", "missing"),
            (
                config(|secret| secret.postgres.as_mut().unwrap().database = "erp".into()),
                "postgres.database",
                "[databases]",
            ),
            (
                config(|secret| secret.postgres.as_mut().unwrap().owner = "app_a".into()),
                "postgres.owner",
                "members",
            ),
            (roles(&[]), "postgres.roles", "two roles"),
            (roles(&["a", "a"]), "postgres.roles", "two roles"),
            (roles(&["a", "b", "c"]), "postgres.roles", "two roles"),
        ] {
            let problems = config.problems(&["app"]);
            let named = format!("secret_rotation.secrets.app-db.{key}");
            assert!(
                matches!(&problems[..], [(key, told)] if *key == named && told.contains(says)),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn two_secrets_have_two_places_and_the_file_store_a_key() {
        let mut two = config(|_| ());
        let mut up = config(|_| ());
        up.secrets.get_mut("app-db").unwrap().path = "../app-db".into();
        assert_eq!(up.problems(&["app"])[0].0, "secret_rotation.secrets.app-db.path");
        let other = SecretConfig { path: "app-db".into(), ..two.secrets["app-db"].clone() };
        two.secrets.insert("second".into(), other);
        assert_eq!(two.problems(&["app"])[0].0, "secret_rotation.secrets.second.path");
        let mut keyless = config(|_| ());
        keyless.stores.file.key_path = PathBuf::new();
        assert_eq!(keyless.problems(&["app"])[0].0, "secret_rotation.stores.file.key_path");
        assert_eq!(Config::default().problems(&[]), []);
    }
}
