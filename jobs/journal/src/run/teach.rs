//! What entries are scored by: what the ledger itself teaches of its populations, or a model knows of others.

use std::path::Path;

use super::by_model::Learned;
use super::{RunError, Step, Watch};
use crate::controls::Scene;
use crate::passes::count::{Terms, count};
use crate::passes::detect::{Scorers, detect, grow};
use crate::passes::measure::{HitCounts, Measuring, measure};
use crate::passes::parts::Crew;
use crate::passes::shuffle::Facts;
use crate::scoring::detectors::Growth;
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
    /// What is put aside goes there.
    pub(super) folder: &'a Path,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) watch: Watch<'a>,
}

impl Site<'_> {
    /// The entries teach what is usual among them.
    pub(super) fn teach(self, settings: &Settings) -> Result<Taught, RunError> {
        let Self { terms, folder, threads, watch, .. } = self;
        let counts = |done, of| watch(Step::Count, done, of);
        let yardsticks = count(Crew { threads, watch: &counts }, terms, folder)?;
        let growth =
            Growth { trees: settings.forest.trees, sample: settings.forest.sample, seed: settings.seed };
        let measures = |done, of| watch(Step::Measure, done, of);
        let by = Measuring { yardsticks: &yardsticks, scene: self.scene, facts: self.facts };
        let (measured, hits) = measure(Crew { threads, watch: &measures }, terms, folder, by, self.seed)?;
        let detectors = measured
            .into_iter()
            .map(|measured| grow(measured, growth, terms.has_amounts))
            .collect::<Result<Vec<_>, _>>()?;
        let detects = |done, of| watch(Step::Detect, done, of);
        let scorers = detect(Crew { threads, watch: &detects }, folder, terms.spool.parts(), detectors)?;
        Ok(Taught { yardsticks, scorers, hits })
    }

    /// They are held to what a model learned elsewhere.
    pub(super) fn ask(self, learned: Learned) -> Result<Taught, RunError> {
        let Self { terms, folder, threads, watch, .. } = self;
        let Learned { yardsticks, detectors, combiners } = learned;
        let measures = |done, of| watch(Step::Measure, done, of);
        let by = Measuring { yardsticks: &yardsticks, scene: self.scene, facts: self.facts };
        let (_, hits) = measure(Crew { threads, watch: &measures }, terms, folder, by, self.seed)?;
        let detectors = detectors.into_iter().map(Some).collect();
        let detects = |done, of| watch(Step::Detect, done, of);
        let scorers = detect(Crew { threads, watch: &detects }, folder, terms.spool.parts(), detectors)?;
        // How high a word is was learned too.
        let scorers = scorers.into_iter().zip(combiners);
        let scorers =
            scorers.map(|(scorer, combiner)| scorer.map(|(detectors, _)| (detectors, combiner))).collect();
        Ok(Taught { yardsticks, scorers, hits })
    }
}
