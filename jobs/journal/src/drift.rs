//! Whether a ledger still looks like the one that a model was made from. Where it does not, "unusual" means unlike another year, and the model is to be
//! trained again.
//!
//! Three figures, each with the same two bounds: the population stability index of every feature, Σ (a - e) ln(a / e) over the shares of ten bins that hold a
//! tenth of the model's entries each; the statistic of Kolmogorov and Smirnov for the score, the largest distance of the two cumulative shares; and per column
//! the share of entries with a name that the model never saw.
//!
//! A model knows the entries that it was made from better than any others. Of a ledger of a million lines that shows nowhere; the scores of entries just like
//! two thousand that made a model are already at the first bound.

use serde::{Deserialize, Serialize};

mod summary;

pub use summary::{Known, Reference, Summary};

use summary::{Bins, unseen_columns};

/// By chance alone the index of so few entries would pass the first bound in more than one of twenty features: χ² of nine degrees is 16.9, over 0.1.
const FEWEST: u64 = 170;

/// From which figure on somebody should look, and from which on the model should be trained again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    pub watch: f64,
    pub alarm: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { watch: 0.1, alarm: 0.25 }
    }
}

impl Bounds {
    pub fn check(&self) -> Result<(), String> {
        let Self { watch, alarm } = *self;
        if watch > 0.0 && watch <= alarm && alarm.is_finite() {
            return Ok(());
        }
        Err(format!(
            "watch: {watch} is no bound beside an alarm of {alarm}; write two numbers above 0, the lower one for watch"
        ))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Calm,
    Watch,
    Alarm,
}

impl Level {
    pub fn of(figure: f64, bounds: Bounds) -> Self {
        match figure {
            _ if figure >= bounds.alarm => Self::Alarm,
            _ if figure >= bounds.watch => Self::Watch,
            _ => Self::Calm,
        }
    }

    /// With what follows from it.
    pub fn verdict(self) -> &'static str {
        match self {
            Self::Calm => "calm: they look like those of the model",
            Self::Watch => "watch: they begin to differ from those of the model",
            Self::Alarm => "alarm: they differ from those of the model; train it again on newer entries",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Watch => "watch",
            Self::Alarm => "alarm",
        }
    }
}

/// How far one thing has moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    pub name: String,
    pub figure: f64,
    pub level: Level,
}

/// How a population of a ledger stands to the same one of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    pub population: String,
    pub entries: u64,
    /// Those that the model was made from.
    pub reference_entries: u64,
    pub bounds: Bounds,
    /// The highest of all, calm where there are too few entries to tell.
    pub level: Level,
    pub too_few: bool,
    /// The stability index of each feature, in the order of the features.
    pub features: Vec<Moved>,
    /// The stability index of the score.
    pub score_psi: f64,
    /// The largest distance of its cumulative shares.
    pub score_ks: f64,
    /// The level of the two above.
    pub score_level: Level,
    /// The share of entries with a name that the model never saw, in each column.
    pub unseen: Vec<Moved>,
}

impl Drift {
    pub fn between(population: String, reference: &Reference, summary: &Summary, bounds: Bounds) -> Self {
        let moved = |name: String, figure| Moved { name, figure, level: Level::of(figure, bounds) };
        let (features, scores) = summary.clone().finish();
        let index = |bins: &Bins, ranks| stability_index(&bins.counts, &bins.count(ranks));
        let features: Vec<Moved> = reference
            .features
            .iter()
            .zip(&features)
            .map(|((name, bins), ranks)| moved(name.clone(), index(bins, ranks)))
            .collect();
        let score_psi = index(&reference.score_bins, &scores);
        let score_ks = reference.scores.distance(&scores);
        let score_level = Level::of(score_psi.max(score_ks), bounds);
        let unseen: Vec<Moved> = unseen_columns(summary).map(|(name, share)| moved(name, share)).collect();
        let too_few = summary.entries() < FEWEST;
        let levels = features.iter().chain(&unseen).map(|moved| moved.level);
        let level = match levels.chain([score_level]).max() {
            Some(level) if !too_few => level,
            _ => Level::Calm,
        };
        Self {
            population,
            entries: summary.entries(),
            reference_entries: reference.entries,
            bounds,
            level,
            too_few,
            features,
            score_psi,
            score_ks,
            score_level,
            unseen,
        }
    }

    /// The feature or column that has moved the furthest.
    pub fn furthest(&self) -> Option<&Moved> {
        let all = self.features.iter().chain(&self.unseen);
        all.max_by(|one, other| one.figure.total_cmp(&other.figure))
    }

    /// The verdict, and a sentence for each thing that is not calm, the furthest first.
    pub fn in_words(&self) -> Vec<String> {
        let Self { population, entries, reference_entries, bounds, .. } = self;
        let verdict = match self.level {
            _ if self.too_few => "too few to tell drift from chance",
            level => level.verdict(),
        };
        let (entries, reference_entries) = (group(*entries), group(*reference_entries));
        let mut words = vec![format!(
            "{population}: {entries} entries, the model was made from {reference_entries}; {verdict}"
        )];
        let since = |level| match level {
            Level::Alarm => format!("alarm from {}", bounds.alarm),
            Level::Watch | Level::Calm => format!("watch from {}", bounds.watch),
        };
        if self.score_level > Level::Calm {
            let Self { score_psi, score_ks, .. } = self;
            words.push(format!(
                "the score has moved: stability index {score_psi:.3}, largest distance {score_ks:.3} ({})",
                since(self.score_level)
            ));
        }
        let sentence = |(moved, is_index): (&Moved, bool)| {
            let Moved { name, figure, level } = moved;
            match is_index {
                true => format!("`{name}` has moved: stability index {figure:.3} ({})", since(*level)),
                false => {
                    let percent = figure * 100.0;
                    format!(
                        "`{name}`: {percent:.1} % of the entries have one that the model never saw ({})",
                        since(*level)
                    )
                }
            }
        };
        let all = self.features.iter().map(|moved| (moved, true));
        let all = all.chain(self.unseen.iter().map(|moved| (moved, false)));
        let mut told: Vec<(&Moved, bool)> = all.filter(|(moved, _)| moved.level > Level::Calm).collect();
        told.sort_by(|one, other| other.0.figure.total_cmp(&one.0.figure));
        words.extend(told.into_iter().map(sentence));
        words
    }
}

/// The highest of all populations; calm where there are none.
pub fn highest(populations: &[Drift]) -> Level {
    populations.iter().map(|drift| drift.level).max().unwrap_or(Level::Calm)
}

fn group(number: u64) -> String {
    crate::amount::group(&number.to_string())
}

/// Of the counts of the same bins, half an entry added to each: an empty bin is no certainty.
fn stability_index(expected: &[u64], observed: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
    let (all_expected, all_observed) = (total(expected), total(observed));
    if observed.iter().all(|&count| count == 0) {
        return 0.0;
    }
    let bins = expected.iter().zip(observed).map(|(&expected, &observed)| {
        let expected = (expected as f64 + 0.5) / all_expected;
        let observed = (observed as f64 + 0.5) / all_observed;
        (observed - expected) * libm::log(observed / expected)
    });
    bins.sum()
}

#[cfg(test)]
mod tests;
