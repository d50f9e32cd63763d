//! Reads the configuration and explains where each value came from.
//!
//! Later goes before earlier: built-in defaults, the file, the environment. A key that nobody knows is an
//! error and not a shrug, because a misspelt `worker.leese` would otherwise run a regulated business on a
//! default that nobody chose. All problems are reported at once, each with its place and its remedy.

pub mod check;
pub mod identity;
mod keys;
mod layers;
pub mod listen;
pub mod outgoing;
pub mod settings;
pub mod uploads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use engine::reference::{ReferenceError, SecretRef, UrlRef};
use jobkit::Registry;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::{Table, Value};

pub use self::layers::{Origin, Problem};
pub use self::settings::Settings;
use crate::registry::{Families, registry};

/// Names the file when `--config` does not.
pub const FILE_VARIABLE: &str = "COMPLINE_CONFIG";
/// Read when it exists and nothing else is named.
pub const DEFAULT_FILE: &str = "compline.toml";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file `{path}` cannot be read; check --config and {FILE_VARIABLE}")]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("the configuration is not valid\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    pub warnings: Vec<Problem>,
    origins: BTreeMap<String, Origin>,
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub key: String,
    /// Printable: a secret is a reference, and the password of a URL is hidden.
    pub value: Value,
    pub origin: Origin,
}

/// Loads what this process was given, for the kinds that this program has.
pub fn load(named: Option<&Path>) -> Result<Loaded, ConfigError> {
    // Variables that are not Unicode cannot be ours, and `vars()` would panic on them.
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.into_string().ok()?))
    });
    let file = match named {
        Some(path) => Some(path.to_path_buf()),
        None => match std::env::var_os(FILE_VARIABLE) {
            Some(path) => Some(PathBuf::from(path)),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        },
    };
    // What a family is told decides how its jobs run, never which there are and what they take: the defaults do.
    load_from(file, variables, &registry(Families::default()))
}

/// As [`load`], with the world as arguments.
pub fn load_from(
    file: Option<PathBuf>,
    variables: impl IntoIterator<Item = (String, String)>,
    registry: &Registry,
) -> Result<Loaded, ConfigError> {
    let keys = keys::Keys::all();
    let (mut leaves, mut problems) = match &file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|cause| ConfigError::Unreadable { path: path.clone(), cause })?;
            layers::from_file(path, &text, &keys)
        }
        None => (Vec::new(), Vec::new()),
    };
    let (from_variables, more) = layers::from_environment(variables, &keys);
    leaves.extend(from_variables);
    problems.extend(more);

    let mut merged = Table::new();
    let mut origins = BTreeMap::new();
    for leaf in leaves {
        layers::put(&mut merged, &leaf.path, leaf.value);
        origins.insert(keys::dotted(&leaf.path), leaf.origin);
    }
    let settings = match Settings::deserialize(merged.into_deserializer()) {
        Ok(settings) => settings,
        Err(error) => {
            // Each value was tried alone, so this is a value that only fails beside another.
            let text = error.message().to_string();
            problems.push(Problem { origin: Origin::Default, key: String::new(), text });
            return Err(in_order(problems));
        }
    };
    let placed = |finding: check::Finding| Problem {
        origin: place_of(&finding.key, &origins),
        key: finding.key,
        text: finding.text,
    };
    let found = check::errors(&settings, registry);
    let found = found.into_iter().filter(|finding| !beside_a_problem(&finding.key, &problems)).map(placed);
    problems.extend(found.collect::<Vec<_>>());
    if !problems.is_empty() {
        return Err(in_order(problems));
    }
    let warnings = check::warnings(&settings).into_iter().map(placed).collect();
    Ok(Loaded { settings, file, warnings, origins })
}

/// Whether the key's section has a key that could not be read: what is left of it was checked beside a default that
/// nobody meant.
fn beside_a_problem(key: &str, problems: &[Problem]) -> bool {
    problems.iter().any(|problem| match problem.key.rsplit_once('.') {
        Some((section, _)) => key == section || key.strip_prefix(section).is_some_and(|k| k.starts_with('.')),
        None => problem.key.is_empty(),
    })
}

/// Where a key stands; of a section, the first of its keys, and of a key that nobody wrote, its section.
fn place_of(key: &str, origins: &BTreeMap<String, Origin>) -> Origin {
    let first = |key: &str| {
        let below = format!("{key}.");
        let of_key = |(known, _): &(&String, &Origin)| *known == key || known.starts_with(&below);
        origins.iter().filter(of_key).map(|(_, origin)| origin).min().cloned()
    };
    let section = || key.rsplit_once('.').and_then(|(section, _)| first(section));
    first(key).or_else(section).unwrap_or(Origin::Default)
}

/// As they stand in the file, because that is how they will be mended.
fn in_order(mut problems: Vec<Problem>) -> ConfigError {
    problems.sort_by_key(|problem| match &problem.origin {
        Origin::File { line, .. } => (0, *line, problem.key.clone()),
        Origin::Variable(name) => (1, 0, name.clone()),
        Origin::Default => (2, 0, problem.key.clone()),
    });
    ConfigError::Problems(problems)
}

impl Loaded {
    /// The secrets that cannot be had, each where the reference to it stands.
    pub fn missing_secrets(&self) -> Vec<Problem> {
        let value = Value::try_from(&self.settings).unwrap_or(Value::Boolean(false));
        let leaves = value.as_table().map(keys::leaves).unwrap_or_default();
        let mut missing = Vec::new();
        for (path, value) in leaves.into_iter().filter(|(path, _)| keys::holds_references(path)) {
            let key = keys::dotted(&path);
            let several = value.as_array().map(|values| values.iter().enumerate());
            let texts = match several {
                Some(values) => values.map(|(at, value)| (format!("{key}[{at}]"), value.as_str())).collect(),
                None => vec![(key.clone(), value.as_str())],
            };
            for (place, text) in texts {
                let reference = text.and_then(SecretRef::parse);
                if let Some(Err(problem)) = reference.map(|reference| reference.resolve()) {
                    let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
                    missing.push(Problem { origin, key: place, text: store::chain(&problem) });
                }
            }
        }
        missing
    }

    /// Where a key stands that somebody wrote.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Every key that has a value, and where it came from.
    pub fn explain(&self) -> Vec<Explained> {
        let value = Value::try_from(&self.settings).unwrap_or(Value::Boolean(false));
        let leaves = value.as_table().map(keys::leaves).unwrap_or_default();
        leaves
            .into_iter()
            .map(|(path, value)| {
                let key = keys::dotted(&path);
                let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
                Explained { key, value, origin }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
