//! What is known of all parts, as bytes for whoever goes on with them elsewhere. The lines are in their files.

use std::path::Path;

use super::Spool;
use crate::names::{Names, Ranks, Sort};
use crate::stored::{Broken, Reader, Stored};

impl Spool {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let Self { folder: _, parts, names, ranks, titles } = self;
        (*parts as u64).put(out);
        names.put(out);
        ranks.put(out);
        titles.put(out);
    }

    /// Of parts that lie in this folder.
    pub(crate) fn take(from: &mut Reader<'_>, folder: &Path) -> Result<Self, Broken> {
        let parts = u64::take(from)? as usize;
        let (names, ranks): (Names, Vec<Ranks>) = Stored::take(from)?;
        let titles: Vec<Box<str>> = Stored::take(from)?;
        let known = |ranks: &Ranks| {
            Sort::all(ranks.extra()).all(|sort| {
                let count = names.count(sort);
                ranks.all(sort).iter().all(|symbol| symbol.index() < count)
            })
        };
        if !ranks.iter().all(known) || titles.len() != names.count(Sort::Account) {
            return Err(Broken("it has lines with names that are not there"));
        }
        Ok(Self { folder: folder.into(), parts, names, ranks, titles })
    }
}
