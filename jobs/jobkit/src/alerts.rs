//! What people are told when a job finds that something is the matter, or no longer is. The engine folds news into alerts and tells of them by its routes.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    Info,
    Warning,
    Critical,
}

/// Neither secrets nor personal data may stand in it: it leaves the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// One of those that the family registered ([`crate::Registry::add_rule`]): `docusign.parked`.
    pub rule: String,
    /// What makes it one with others of its rule: an account's name.
    pub about: String,
    pub change: NewsChange,
    pub gravity: Gravity,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewsChange {
    /// It is over as it happens.
    Happened,
    /// It holds until it has ended. Saying it again does no harm.
    Began,
    Ended,
}

impl News {
    pub fn happened(rule: &str, about: &str, gravity: Gravity, text: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            about: about.into(),
            change: NewsChange::Happened,
            gravity,
            text: text.into(),
        }
    }

    pub fn began(rule: &str, about: &str, gravity: Gravity, text: impl Into<String>) -> Self {
        Self { change: NewsChange::Began, ..Self::happened(rule, about, gravity, text) }
    }

    pub fn ended(rule: &str, about: &str, text: impl Into<String>) -> Self {
        Self { change: NewsChange::Ended, ..Self::happened(rule, about, Gravity::Info, text) }
    }
}
