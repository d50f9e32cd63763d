//! The third pass: how often values and pairs of values occur, in each population.

use super::PassError;
use super::parts::Crew;
use super::populations::Populations;
use super::sums::{Sum, all};
use crate::scoring::dims::Dims;
use crate::scoring::facets::Facets;
use crate::scoring::measures::{Counted, Empty, Yardstick};
use crate::spool::Spool;
use crate::stored::{Broken, Reader};

/// What entries are compared by: the same for all populations of a ledger.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub spool: &'a Spool,
    pub dims: &'a Dims,
    pub populations: &'a Populations,
    pub empty: Empty,
    pub has_amounts: bool,
    /// What the columns are called that no field is for.
    pub extra: &'a [String],
}

/// What was counted in each population.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts(Vec<Counted>);

pub fn count(crew: Crew<'_>, terms: Terms<'_>, folder: &std::path::Path) -> Result<Counts, PassError> {
    let Terms { spool, dims, populations, empty, .. } = terms;
    let begin = |_| {
        let counted =
            (0..populations.count()).map(|_| Counted::new(dims, populations.count())).collect::<Vec<_>>();
        Ok((counted, Facets::default()))
    };
    let work = |(counted, facets): &mut (Vec<Counted>, Facets), number| {
        let part = spool.load(number).map_err(PassError::put_aside(folder))?;
        for entry in part.entries() {
            let postings = part.postings_of(entry);
            counted[populations.place(postings)].add(dims, facets, postings, empty);
        }
        Ok(())
    };
    let counted = crew.over(spool.parts(), begin, work)?;
    let counted = all(counted.into_iter().map(|(counted, _)| Counts(counted)).collect());
    Ok(counted.unwrap_or(Counts(Vec::new())))
}

impl Counts {
    pub fn finish(self) -> Vec<Yardstick> {
        self.0.into_iter().map(Counted::finish).collect()
    }
}

impl Sum for Counts {
    /// What is counted, and in how many populations.
    type Of<'a> = (&'a Dims, usize);

    fn merge(&mut self, more: Self) {
        self.0.iter_mut().zip(&more.0).for_each(|(counted, more)| counted.merge(more));
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|counted| counted.put(out));
    }

    fn take(from: &mut Reader<'_>, (dims, populations): (&Dims, usize)) -> Result<Self, Broken> {
        let counted = (0..populations).map(|_| Counted::take(from, dims, populations));
        counted.collect::<Result<_, _>>().map(Self)
    }
}
