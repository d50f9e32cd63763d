//! Rules that flag nearly what the scores flag, from a sample of the entries, and what they cover of all.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::PassError;
use super::count::Terms;
use super::detect::{DetectedOfPart, Scorers};
use super::judge::IdsOfPart;
use super::measure::MeasuresOfPart;
use super::parts::Crew;
use crate::result::Surrogate;
use crate::selection::least::Least;
use crate::surrogate::{Rules, Sample, Tally, columns, row};

/// Flagged entries that rules are grown from, and as many others.
const MOST_SAMPLED: usize = 10_000;
/// Another sample than that of the forests.
const SEED: u64 = 0x5355_5252;

/// What entries are flagged by.
#[derive(Clone, Copy)]
pub struct Flagging<'a> {
    pub scorers: &'a Scorers,
    /// Entries with this score and above are flagged.
    pub from: f64,
    pub seed: u64,
}

struct Sampled {
    flagged: Least<Vec<f64>>,
    others: Least<Vec<f64>>,
    /// How many there are in all.
    all: [u64; 2],
}

impl Sampled {
    fn new() -> Self {
        Self { flagged: Least::new(MOST_SAMPLED), others: Least::new(MOST_SAMPLED), all: [0; 2] }
    }
}

pub fn surrogate(
    crew: Crew<'_>,
    terms: Terms<'_>,
    folder: &Path,
    by: Flagging<'_>,
) -> Result<Surrogate, PassError> {
    let parts = terms.spool.parts();
    let sampled = crew.over(
        parts,
        |_| Ok(Sampled::new()),
        |sampled: &mut Sampled, part| {
            each(terms, folder, part, by, |id, row, is_flagged| {
                let key = xxh3_64_with_seed(id.as_bytes(), by.seed ^ SEED).into();
                let side = if is_flagged { &mut sampled.flagged } else { &mut sampled.others };
                side.offer(key, id, || row.to_vec());
                sampled.all[usize::from(is_flagged)] += 1;
            })
        },
    )?;
    let mut whole = Sampled::new();
    for more in sampled {
        whole.flagged.merge(more.flagged);
        whole.others.merge(more.others);
        whole.all.iter_mut().zip(more.all).for_each(|(all, more)| *all += more);
    }
    let [all_others, all_flagged] = whole.all;
    let sample = Sample {
        flagged: whole.flagged.into_values(),
        others: whole.others.into_values(),
        all_flagged,
        all_others,
    };
    let rules = Rules::grow(columns(terms.dims, terms.has_amounts, terms.extra), &sample)?;
    let tallies = crew.over(
        parts,
        |_| Ok(Tally::default()),
        |tally: &mut Tally, part| {
            each(terms, folder, part, by, |_, row, is_flagged| tally.add(&rules, row, is_flagged))
        },
    )?;
    let mut tally = Tally::default();
    tallies.iter().for_each(|more| tally.merge(more));
    Ok(tally.finish(&rules))
}

/// Calls with each entry's id, its row, and whether it is flagged.
fn each(
    terms: Terms<'_>,
    folder: &Path,
    part: usize,
    by: Flagging<'_>,
    mut take: impl FnMut(&str, &[f64], bool),
) -> Result<(), PassError> {
    let failed = PassError::put_aside(folder);
    let mut measures = MeasuresOfPart::open(folder, part).map_err(failed)?;
    let mut detected = DetectedOfPart::open(folder, part).map_err(failed)?;
    let mut ids = IdsOfPart::open(folder, part).map_err(failed)?;
    while let Some(((population, _), measures)) = measures.read().map_err(failed)? {
        let detected = detected.expect().map_err(failed)?;
        let Some((_, combiner)) = &by.scorers[population] else { continue };
        let is_flagged = combiner.score(&detected, &measures).score >= by.from;
        take(ids.expect().map_err(failed)?, &row(&measures, terms.has_amounts), is_flagged);
    }
    Ok(())
}
