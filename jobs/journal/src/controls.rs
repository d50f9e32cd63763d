//! The control tests: what an auditor asks every entry, with a yes or a no and the plain values behind it.
//!
//! [`registry`] is the catalogue: each test's id, what asks for it, its default weight and its parameters. The tests themselves are in a file per group:
//! [`who`], [`when`], [`what`], [`how_much`], [`text`], [`structure`]. A test is pure: it sees one entry, the [`Norms`] of the whole ledger and the facts that
//! tie its entry to others, and so gives the same answer however the ledger is ordered or parted. Before the first entry is looked at, a [`Summary`]
//! of all parts becomes the norms, and the records of [`facts`] of all parts are grouped by their keys.

use serde::{Deserialize, Serialize};

use crate::calendar::Calendars;
use crate::names::{Names, Sort, Symbol};
use crate::part::{Entry, Part, Posting};

pub mod facts;
pub mod hit;
pub mod how_much;
pub mod lists;
pub mod norms;
pub mod pairs;
pub mod registry;
pub mod structure;
pub mod summary;
pub mod text;
pub mod what;
pub mod when;
pub mod who;

pub use facts::{Fact, Record};
pub use hit::{Hit, Place, Said, Value};
pub use norms::Norms;
pub use registry::{About, Config, Id, Source};
pub use summary::Summary;
pub use text::Keywords;

/// How much a hit proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The books contradict themselves.
    Integrity,
    /// A rule of the business or of the profession is broken.
    Rule,
    /// It is rare, which may have good reasons.
    Statistical,
}

pub trait Control: Send + Sync {
    /// No hit, or a hit with the lines concerned.
    fn look(&self, view: &View<'_>) -> Option<Hit>;

    /// Refuses parameters that cannot be meant.
    fn check(&self) -> Result<(), Wrong>;

    /// Why the test can hit nothing in this ledger, if it cannot: a test that was not possible must not look like one that found nothing.
    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        None
    }
}

/// A parameter that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}; {remedy}")]
pub struct Wrong {
    pub field: &'static str,
    pub problem: String,
    pub remedy: &'static str,
}

/// What all tests know of the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub names: &'a Names,
    pub norms: &'a Norms,
    pub calendars: &'a Calendars,
    pub config: &'a Config,
    /// Of the configuration, once for all entries.
    pub keywords: &'a Keywords,
}

/// An entry as a test sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub scene: Scene<'a>,
    pub part: &'a Part,
    pub postings: &'a [Posting],
    /// What ties this entry to others.
    pub facts: &'a [Fact],
}

impl<'a> View<'a> {
    pub fn new(scene: Scene<'a>, part: &'a Part, entry: &Entry, facts: &'a [Fact]) -> Self {
        Self { scene, part, postings: part.postings_of(entry), facts }
    }

    pub fn norms(&self) -> &'a Norms {
        self.scene.norms
    }

    pub fn name(&self, sort: Sort, posting: &Posting) -> &'a str {
        self.scene.names.name(sort, posting.symbol(sort))
    }

    /// All hits of all tests that have a weight, in the order of the catalogue.
    pub fn hits(&self) -> Vec<Hit> {
        let weighted = self.scene.config.tests().filter(|(id, _)| self.scene.config.weight(*id) > 0);
        weighted.filter_map(|(_, test)| test.look(self)).collect()
    }
}

/// The lines that are hit, and the one of them with the greatest key; the first of equals.
struct Worst<'a, K> {
    lines: Vec<u32>,
    posting: &'a Posting,
    key: K,
}

fn worst<'a, K: PartialOrd>(
    postings: &'a [Posting],
    key: impl Fn(&'a Posting) -> Option<K>,
) -> Option<Worst<'a, K>> {
    let mut worst: Option<Worst<'a, K>> = None;
    for (index, posting) in postings.iter().enumerate() {
        let Some(key) = key(posting) else { continue };
        match &mut worst {
            None => worst = Some(Worst { lines: vec![index as u32], posting, key }),
            Some(worst) => {
                worst.lines.push(index as u32);
                if key > worst.key {
                    (worst.posting, worst.key) = (posting, key);
                }
            }
        }
    }
    worst
}

/// For tests whose worst line is the one with the smallest number.
fn rarest<'a>(
    postings: &'a [Posting],
    count: impl Fn(&'a Posting) -> Option<u64>,
) -> Option<(Vec<u32>, &'a Posting, u64)> {
    let rarest = worst(postings, |posting| count(posting).map(std::cmp::Reverse))?;
    Some((rarest.lines, rarest.posting, rarest.key.0))
}

fn account(posting: &Posting) -> (&'static str, Value) {
    ("account", Value::Name(Sort::Account, posting.account))
}

fn user(posting: &Posting) -> (&'static str, Value) {
    ("user", Value::Name(Sort::User, posting.user))
}

fn named(name: &'static str, sort: Sort, symbol: Symbol) -> (&'static str, Value) {
    (name, Value::Name(sort, symbol))
}

fn count(name: &'static str, count: u64) -> (&'static str, Value) {
    (name, Value::Count(count))
}

fn times(name: &'static str, count: u64) -> (&'static str, Value) {
    (name, Value::Times(count))
}

fn amount(posting: &Posting) -> (&'static str, Value) {
    ("amount", Value::Amount(posting.signed.abs()))
}

fn currency(posting: &Posting) -> (&'static str, Value) {
    ("currency", Value::Name(Sort::Currency, posting.currency))
}

/// Numbers that must not be 0.
fn at_least_one(field: &'static str, number: u64) -> Result<(), Wrong> {
    if number == 0 {
        return Err(Wrong {
            field,
            problem: "0 hits nothing or everything".into(),
            remedy: "write 1 or more",
        });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
