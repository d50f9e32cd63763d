//! What the evidence pack says of a period: themes with sentences, each of which is a number and the entries of the audit log that it
//! counts. The engine has its own; a family adds what only it can know ([`crate::Registry::add_theme`]).

use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

/// Whose controls the headings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    Soc2,
    Hipaa,
    Iso27001,
}

impl Framework {
    pub const ALL: [Self; 3] = [Self::Soc2, Self::Hipaa, Self::Iso27001];

    pub fn name(self) -> &'static str {
        match self {
            Self::Soc2 => "SOC 2 (Trust Services Criteria 2017)",
            Self::Hipaa => "HIPAA Security Rule (45 CFR 164)",
            Self::Iso27001 => "ISO/IEC 27001:2022, annex A",
        }
    }
}

impl FromStr for Framework {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "soc2" => Ok(Self::Soc2),
            "hipaa" => Ok(Self::Hipaa),
            "iso27001" => Ok(Self::Iso27001),
            _ => Err(format!("`{text}` is none of soc2, hipaa, iso27001")),
        }
    }
}

#[derive(Debug)]
pub struct Theme {
    pub id: &'static str,
    pub title: &'static str,
    /// What the reader is to make of it.
    pub says: &'static str,
    pub controls: &'static [(Framework, &'static str)],
    pub claims: &'static [Claim],
    /// Left out when the log has nothing of it: the family is not in use.
    pub only_if_used: bool,
}

/// One sentence, which is a number and what it counts.
#[derive(Debug)]
pub struct Claim {
    pub id: &'static str,
    pub one: &'static str,
    pub many: &'static str,
    pub counts: Counts,
    pub is: fn(&Seen<'_>) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// The jobs that the entries name, and no entry for itself: there are too many.
    Jobs,
    /// The jobs, and each entry in a table.
    JobsListed,
    /// The entries, each in a table.
    Entries,
    /// The things that the entries are about, each once, and each entry in a table.
    Things,
    /// The files that `files` of the entries' details name, each in a table with its hash.
    Files,
}

/// An entry of the audit log, as claims look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    pub actor: &'a str,
    pub action: &'a str,
    pub object: &'a str,
    pub outcome: &'a str,
    /// JSON.
    pub details: Option<&'a str>,
}

impl Seen<'_> {
    /// Null where there is none. Takes reading, so ask for the action first.
    pub fn detail(&self, name: &str) -> Value {
        let details = self.details.and_then(|details| serde_json::from_str::<Value>(details).ok());
        details.and_then(|mut details| details.get_mut(name).map(Value::take)).unwrap_or_default()
    }
}
