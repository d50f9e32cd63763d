//! What entries are scored by: what the ledger itself teaches of its populations, or a model knows of others.

use std::path::Path;

use super::by_model::Learned;
use super::hands::{Hands, Pass, Passing};
use super::{RunError, Step, Watch};
use crate::controls::Scene;
use crate::passes::count::{Terms, count};
use crate::passes::detect::{Scorers, detect, grow};
use crate::passes::measure::{HitCounts, Measuring, measure};
use crate::passes::parts::{Crew, Share};
use crate::passes::shuffle::Facts;
use crate::scoring::detectors::{Detectors, Growth};
use crate::scoring::measures::Yardstick;
use crate::settings::Settings;

/// All entries have been measured, and the detectors asked of each; what they said is put aside.
pub(super) struct Taught {
    /// By population, as are the scorers.
    pub(super) yardsticks: Vec<Yardstick>,
    pub(super) scorers: Scorers,
    pub(super) hits: HitCounts,
}

/// Where the passes are done, on what, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) terms: Terms<'a>,
    pub(super) scene: Scene<'a>,
    pub(super) facts: &'a Facts,
    pub(super) passing: Passing<'a>,
    pub(super) seed: u64,
    pub(super) watch: Watch<'a>,
}

impl<'a> Site<'a> {
    /// What is put aside goes elsewhere, and nobody else does it.
    pub(super) fn within<'b>(self, folder: &'b Path) -> Site<'b>
    where
        'a: 'b,
    {
        Site { passing: Passing { hands: Hands::Own, folder, ..self.passing }, ..self }
    }

    /// This process, on all parts.
    pub(super) fn crew<'b>(&self, watch: crate::passes::Watch<'b>) -> Crew<'b>
    where
        'a: 'b,
    {
        let Passing { folder, threads, .. } = self.passing;
        Crew { threads, watch, share: Share::whole(folder) }
    }

    /// The entries teach what is usual among them.
    pub(super) fn teach(self, settings: &Settings) -> Result<Taught, RunError> {
        let Self { terms, passing, watch, .. } = self;
        let folder = passing.folder;
        let counts = |done, of| watch(Step::Count, done, of);
        let of = (terms.dims, terms.populations.count());
        let yardsticks = passing.sum(Pass::Count, of, &counts, |crew| count(crew, terms, folder))?.finish();
        let growth =
            Growth { trees: settings.forest.trees, sample: settings.forest.sample, seed: settings.seed };
        let measures = |done, of| watch(Step::Measure, done, of);
        let by = Measuring { yardsticks: &yardsticks, scene: self.scene, facts: self.facts };
        let work = |crew: Crew<'_>| measure(crew, terms, folder, by, self.seed);
        let populations = terms.populations.count();
        let (measured, hits) = passing.sum(Pass::Measure, populations, &measures, work)?.finish();
        let detectors = measured
            .into_iter()
            .map(|measured| grow(measured, growth, terms.has_amounts))
            .collect::<Result<Vec<_>, _>>()?;
        let scorers = self.detect(detectors)?;
        Ok(Taught { yardsticks, scorers, hits })
    }

    /// They are held to what a model learned elsewhere.
    pub(super) fn ask(self, learned: Learned) -> Result<Taught, RunError> {
        let Self { terms, passing, watch, .. } = self;
        let Learned { yardsticks, detectors, combiners } = learned;
        let measures = |done, of| watch(Step::Measure, done, of);
        let by = Measuring { yardsticks: &yardsticks, scene: self.scene, facts: self.facts };
        let work = |crew: Crew<'_>| measure(crew, terms, passing.folder, by, self.seed);
        let populations = terms.populations.count();
        let (_, hits) = passing.sum(Pass::Measure, populations, &measures, work)?.finish();
        let scorers = self.detect(detectors.into_iter().map(Some).collect())?;
        // How high a word is was learned too.
        let scorers = scorers.into_iter().zip(combiners);
        let scorers =
            scorers.map(|(scorer, combiner)| scorer.map(|(detectors, _)| (detectors, combiner))).collect();
        Ok(Taught { yardsticks, scorers, hits })
    }

    fn detect(self, detectors: Vec<Option<Detectors>>) -> Result<Scorers, RunError> {
        let Self { terms, passing, watch, .. } = self;
        let detects = |done, of| watch(Step::Detect, done, of);
        let work = |crew: Crew<'_>| detect(crew, passing.folder, terms.spool.parts(), &detectors);
        Ok(passing.sum(Pass::Detect, (), &detects, work)?.finish(detectors))
    }
}
