//! Whether the ledger is all there: what an auditor asks before any score.

use serde::{Deserialize, Serialize};

use super::Listed;
use crate::amount::Amount;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// Entries of one line, missing line numbers, lines without account.
    #[serde(default)]
    pub incomplete: Listed<Told>,
    pub roll_forward: RollForward,
    pub unbalanced: Listed<Imbalance>,
    pub control_totals: Vec<ControlTotal>,
    pub gaps: Listed<Gap>,
    pub duplicates: Listed<Duplicate>,
    /// Without a date, out of the ledger's time, in a period that there is not or that the date contradicts.
    #[serde(default)]
    pub misdated: Listed<Told>,
}

/// What is odd about an entry, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub entry: String,
    pub words: String,
}

/// Opening balance plus all lines against the closing balance, per account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RollForward {
    /// There was no trial balance to compare with, or another reason.
    NotDone { why: String },
    Done {
        /// Those that differ first, then by entity and account.
        accounts: Listed<AccountMovement>,
        differing: u64,
        verdict: Verdict,
    },
}

/// What followed from the roll-forward. One that failed and was not overridden has no results to be part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Agrees,
    Overridden { by: String, why: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMovement {
    pub entity: String,
    pub account: String,
    pub name: String,
    pub currency: String,
    pub opening: Amount,
    pub movement: Amount,
    pub closing: Amount,
    /// Opening plus movement less closing: zero where the account agrees to the cent.
    pub difference: Amount,
}

/// An entry whose debits and credits differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imbalance {
    pub entry: String,
    pub currency: String,
    pub difference: Amount,
}

/// A figure that came with the ledger beside what was read. Text, because some are counts and some are money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlTotal {
    pub name: String,
    pub expected: String,
    pub found: String,
    pub agrees: bool,
}

/// Numbers missing in a sequence of entry numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last number before the gap and the first after it.
    pub after: String,
    pub before: String,
    pub missing: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    pub id: String,
    pub times: u64,
}
