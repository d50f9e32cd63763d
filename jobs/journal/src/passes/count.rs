//! The third pass: how often values and pairs of values occur, in each population.

use super::PassError;
use super::parts::Crew;
use super::populations::Populations;
use crate::scoring::dims::Dims;
use crate::scoring::facets::Facets;
use crate::scoring::measures::{Counted, Empty, Yardstick};
use crate::spool::Spool;

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

pub fn count(
    crew: Crew<'_>,
    terms: Terms<'_>,
    folder: &std::path::Path,
) -> Result<Vec<Yardstick>, PassError> {
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
    let mut all = crew.over(spool.parts(), begin, work)?.into_iter().map(|(counted, _)| counted);
    let mut counted = all.next().unwrap_or_default();
    for more in all {
        for (counted, more) in counted.iter_mut().zip(&more) {
            counted.merge(more);
        }
    }
    Ok(counted.into_iter().map(Counted::finish).collect())
}
