//! The layers a setting may come from, each read into single keys that remember where they stood: the
//! file with its lines, then the environment with its variables.

use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::{self, Keys, Known, Path, dotted};
use super::settings::Settings;

/// Where a value stands; in a file, what stands further up is the smaller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
        }
    }
}

/// Something wrong with the configuration: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    pub key: String,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.origin, self.text),
            key => write!(f, "{}: `{key}`: {}", self.origin, self.text),
        }
    }
}

pub struct Leaf {
    pub path: Path,
    pub value: Value,
    pub origin: Origin,
}

pub const PREFIX: &str = "COMPLINE__";
/// Before the settings of the account of DocuSign that is called `default`.
const DOCUSIGN: &str = "DOCUSIGN_";

pub fn from_file(file: &FilePath, text: &str, keys: &Keys) -> (Vec<Leaf>, Vec<Problem>) {
    let at = |span: Range<usize>| Origin::File { path: file.into(), line: line_of(text, span.start) };
    let broken = |error: &toml::de::Error| Problem {
        origin: at(error.span().unwrap_or_default()),
        key: String::new(),
        // The message only: its display repeats the line, and a secret may stand in it.
        text: format!("this is not TOML: {}", error.message().replace('\n', "; ")),
    };
    let tree = match DeTable::parse(text) {
        Ok(tree) => tree,
        Err(error) => return (Vec::new(), vec![broken(&error)]),
    };
    let values: Table = match toml::from_str(text) {
        Ok(values) => values,
        Err(error) => return (Vec::new(), vec![broken(&error)]),
    };
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut open = vec![(Vec::new(), tree.get_ref(), &values)];
    while let Some((above, tree, values)) = open.pop() {
        for (key, node) in tree {
            let name: &str = key.get_ref();
            let Some(value) = values.get(name) else { continue };
            let mut path: Path = above.clone();
            path.push(name.to_string());
            let origin = at(key.span());
            match (keys.find(&path), node.get_ref(), value) {
                // A section with a name of the operator's is there though nothing stands in it.
                (Known::Section, DeValue::Table(_), Value::Table(values)) if values.is_empty() => {
                    found.push(Leaf { path, value: value.clone(), origin });
                }
                (Known::Section, DeValue::Table(below), Value::Table(values)) => {
                    open.push((path, below, values));
                }
                (Known::Section, ..) => problems.push(no_section(&path, origin)),
                (Known::No, ..) => problems.push(unknown(&path, origin, keys)),
                (Known::Leaf, ..) => match fits(&path, value) {
                    Ok(()) => found.push(Leaf { path, value: value.clone(), origin }),
                    Err(text) => problems.push(Problem { origin, key: dotted(&path), text }),
                },
            }
        }
    }
    (found, problems)
}

pub fn from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
    keys: &Keys,
) -> (Vec<Leaf>, Vec<Problem>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (name, text) in variables {
        let Some(path) = path_of(&name, keys) else { continue };
        let origin = Origin::Variable(name.clone());
        match keys.find(&path) {
            Known::No => problems.push(unknown(&path, origin, keys)),
            Known::Section => problems.push(no_section(&path, origin)),
            Known::Leaf => match value_of(&path, text) {
                Ok(value) => found.push(Leaf { path, value, origin }),
                Err(text) => problems.push(Problem { origin, key: dotted(&path), text }),
            },
        }
    }
    (found, problems)
}

/// The key that a variable is for; none when it is none of ours.
fn path_of(name: &str, keys: &Keys) -> Option<Path> {
    if let Some(rest) = name.strip_prefix(PREFIX) {
        return Some(rest.split("__").map(str::to_lowercase).collect());
    }
    // As other programs of the same platform name them. They may know more of them than we do.
    let key = name.strip_prefix(DOCUSIGN)?.to_lowercase();
    let path: Path =
        ["docusign", "accounts", docusign::config::DEFAULT_ACCOUNT, &key].map(str::to_owned).into();
    matches!(keys.find(&path), Known::Leaf).then_some(path)
}

/// A variable's text is TOML if that fits the key, else a string: `5`, `true` and `["a", "b"]` need no
/// further quotes, and neither does a name that looks like a number.
fn value_of(path: &[String], text: String) -> Result<Value, String> {
    if let Ok(table) = format!("value = {text}").parse::<Table>()
        && let Some(value) = table.get("value")
        && table.len() == 1
        && fits(path, value).is_ok()
    {
        return Ok(value.clone());
    }
    let value = Value::String(text);
    fits(path, &value).map(|()| value)
}

/// Tries the value in settings that have nothing else, so that what is wrong with it can be told together
/// with where it stands.
fn fits(path: &[String], value: &Value) -> Result<(), String> {
    let mut table = Table::new();
    put(&mut table, path, value.clone());
    Settings::deserialize(table.into_deserializer()).map(drop).map_err(|error| {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            // serde repeats the value it could not take; here that may be a secret, or personal data.
            ["alerts", "routes", _, "mail"] => "write a list of mail addresses, [\"ops@example.org\"]".into(),
            path if keys::holds_secrets(path) => {
                format!(
                    "a secret is never written into the configuration; write {}",
                    engine::reference::EXPECTED
                )
            }
            _ => error.message().trim().replace('\n', "; "),
        }
    })
}

pub fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [section, rest @ ..] => {
            let below = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(below) = below {
                put(below, rest, value);
            }
        }
    }
}

fn unknown(path: &[String], origin: Origin, keys: &Keys) -> Problem {
    let remedy = match (keys.nearest(path), &origin) {
        (Some(meant), Origin::Variable(_)) => {
            format!("did you mean {PREFIX}{}?", meant.join("__").to_uppercase())
        }
        (Some(meant), _) => format!("did you mean `{}`?", dotted(&meant)),
        (None, _) => "config/compline.toml lists every key".into(),
    };
    Problem { origin, key: dotted(path), text: format!("unknown key; {remedy}") }
}

fn no_section(path: &[String], origin: Origin) -> Problem {
    let key = dotted(path);
    let text = format!("this is a section, not a key; write a key of it, below `[{key}]`");
    Problem { origin, key, text }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
