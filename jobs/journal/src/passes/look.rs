//! How the entries of each population look, once they are measured and the detectors were asked: for the model that is made of them, or to be held against the
//! one that they were scored by.

use std::path::Path;

use super::PassError;
use super::count::Terms;
use super::detect::{DetectedOfPart, Scorers};
use super::measure::MeasuresOfPart;
use super::parts::Crew;
use super::populations::Populations;
use crate::drift::{Known, Summary};

/// Which entries are looked at, and for what.
#[derive(Clone, Copy)]
pub enum Eye<'a> {
    /// All of the ledger that the model is made of.
    All,
    /// Those of the first population of these: whom nobody else takes.
    LeftOver(&'a Populations),
    /// All of another ledger, of which a model knows some names and some not.
    Foreign(&'a Known),
}

/// By population.
pub fn look(
    crew: Crew<'_>,
    terms: Terms<'_>,
    folder: &Path,
    scorers: &Scorers,
    eye: Eye<'_>,
) -> Result<Vec<Summary>, PassError> {
    let failed = PassError::put_aside(folder);
    let Terms { spool, dims, .. } = terms;
    let new = || vec![Summary::new(dims, spool.names()); scorers.len()];
    let work = |summaries: &mut Vec<Summary>, number: usize| {
        let mut measures = MeasuresOfPart::open(folder, number).map_err(failed)?;
        let mut detected = DetectedOfPart::open(folder, number).map_err(failed)?;
        let part = match eye {
            Eye::All => None,
            Eye::LeftOver(_) | Eye::Foreign(_) => Some(spool.load(number).map_err(failed)?),
        };
        let mut entries =
            part.iter().flat_map(|part| part.entries().iter().map(|entry| part.postings_of(entry)));
        while let Some(((population, _), measures)) = measures.read().map_err(failed)? {
            let detected = detected.expect().map_err(failed)?;
            let postings = entries.next().unwrap_or_default();
            let Some((_, combiner)) = &scorers[population] else { continue };
            let summary = &mut summaries[population];
            match eye {
                Eye::LeftOver(populations) if populations.place(postings) != 0 => continue,
                Eye::All | Eye::LeftOver(_) => {}
                Eye::Foreign(known) => summary.add_unseen(known, postings),
            }
            summary.add(&measures, &combiner.score(&detected, &measures));
        }
        Ok(())
    };
    let mut all = new();
    for more in crew.over(spool.parts(), |_| Ok(new()), work)? {
        all.iter_mut().zip(&more).for_each(|(summary, more)| summary.merge(more));
    }
    Ok(all)
}
