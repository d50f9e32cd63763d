//! From the symbols of a model's names to those of the ledger that it is asked about.
//!
//! The names of both are joined ([`Names::join`]); what a model knows is moved to the symbols of all of them once, so that afterwards it is asked as if it had
//! been made from that ledger. A name that the model never saw has no counts there, which is what nobody has seen.

use super::dims::Dim;
use crate::names::{Names, Ranks, Sort};

#[derive(Debug, Clone, Copy)]
pub struct Carry<'a> {
    /// Of both.
    pub names: &'a Names,
    /// From the model's symbols to those of both.
    pub ranks: &'a Ranks,
}

impl Carry<'_> {
    /// `None` where the model has no such symbol itself.
    pub fn symbol(&self, sort: Sort, symbol: u32) -> Option<u32> {
        self.ranks.symbol(sort, symbol).map(|symbol| symbol.0)
    }

    pub fn value(&self, dim: Dim, value: u32) -> Option<u32> {
        match dim {
            Dim::Name(sort) => self.symbol(sort, value),
            Dim::Side | Dim::Manual | Dim::Weekday | Dim::Hour | Dim::Period => Some(value),
        }
    }
}
