//! Where the numbers come from: what was read, what it holds, and with what it was scored.

use std::path::PathBuf;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Listed;
use crate::amount::Amount;

/// A file or query that was read, as evidence: anybody can compare their hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub path: PathBuf,
    pub format: String,
    pub bytes: u64,
    pub sha256: String,
    pub lines: u64,
    pub rejected: Listed<RejectedLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedLine {
    pub first_line: u64,
    pub last_line: u64,
    pub field: String,
    pub problem: String,
    pub remedy: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    pub entries: u64,
    pub lines: u64,
    /// In the order of entity and currency.
    pub totals: Vec<Total>,
    /// The first and last date that decides a period; none if no line has one.
    pub window: Option<Window>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    pub entity: String,
    pub currency: String,
    pub lines: u64,
    pub debit: Amount,
    pub credit: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub from: Date,
    pub to: Date,
}

/// One key of the configuration that the run used, defaults included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    pub id: String,
    /// What it is called among the models; none where the ledger taught itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which of its name; none of a file that is in no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    pub sha256: String,
    /// That it was made with.
    pub seed: u64,
    pub trees: u64,
    /// Entries each tree was grown from.
    pub sample: u64,
    pub features: u64,
    /// What it was trained on, in words; the window is that of these entries.
    pub trained_on: String,
    pub trained_entries: u64,
    pub window: Option<Window>,
}

impl Model {
    /// Its name and version where it has them, else its id.
    pub fn called(&self) -> String {
        match (&self.name, self.version) {
            (Some(name), Some(version)) => format!("{name}, version {version}"),
            (Some(name), None) => name.clone(),
            (None, _) => self.id.clone(),
        }
    }

    pub(super) fn provenance(&self) -> String {
        let Self { id, sha256, name, .. } = self;
        match name {
            Some(_) => format!("{}: {id} (SHA-256 {sha256})", self.called()),
            None => format!("{id} (SHA-256 {sha256})"),
        }
    }
}
