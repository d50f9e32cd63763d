//! The fifth pass: what the detectors say of each entry. It reads the measures alone.

use std::path::{Path, PathBuf};

use super::PassError;
use super::measure::{Measured, MeasuresOfPart};
use super::parts::Crew;
use super::spill::{SpillReader, SpillWriter, broken, put_f64, take_f64};
use super::sums::{Sum, all};
use crate::scoring::combine::{Combiner, Detected, DetectedCounts};
use crate::scoring::detectors::{Detectors, Growth};
use crate::scoring::measures::Measures;
use crate::stored::{Broken, Reader, Stored};

/// None for a population without entries.
pub fn grow(measured: Measured, growth: Growth, has_amounts: bool) -> Result<Option<Detectors>, PassError> {
    let Measured { signals, fitted } = measured;
    if fitted.is_empty() {
        return Ok(None);
    }
    let rows: Vec<&Measures> = fitted.iter().collect();
    Ok(Some(Detectors::grow(&rows, signals, growth, has_amounts)?))
}

/// What the detectors said in each population.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts(Vec<DetectedCounts>);

/// The detectors of each population with entries, with what joins their words.
pub type Scorers = Vec<Option<(Detectors, Combiner)>>;

pub fn detect(
    crew: Crew<'_>,
    folder: &Path,
    parts: usize,
    detectors: &[Option<Detectors>],
) -> Result<Counts, PassError> {
    let failed = PassError::put_aside(folder);
    let begin = |_| Ok(vec![DetectedCounts::default(); detectors.len()]);
    let work = |counts: &mut Vec<DetectedCounts>, part: usize| {
        let mut measures = Vec::new();
        let mut file = MeasuresOfPart::open(folder, part).map_err(failed)?;
        while let Some(((population, _), measured)) = file.read().map_err(failed)? {
            measures.push((population, measured));
        }
        let detected = detect_part(detectors, &measures)?;
        let mut out = SpillWriter::create(&detected_file(crew.share.into, part)).map_err(failed)?;
        for ((population, _), detected) in measures.iter().zip(&detected) {
            counts[*population].add(detected);
            out.push(|out| put(detected, out)).map_err(failed)?;
        }
        out.finish().map_err(failed)
    };
    let counts = crew.over(parts, begin, work)?.into_iter().map(Counts);
    Ok(all(counts.collect()).unwrap_or(Counts(Vec::new())))
}

impl Counts {
    /// With the detectors that they are of.
    pub fn finish(self, detectors: Vec<Option<Detectors>>) -> Scorers {
        let scorers = detectors.into_iter().zip(self.0).map(|(detectors, counts)| {
            detectors.map(|detectors| {
                let combiner = Combiner::new(counts, detectors.signals.clone(), detectors.has_amounts);
                (detectors, combiner)
            })
        });
        scorers.collect()
    }
}

impl Sum for Counts {
    type Of<'a> = ();

    fn merge(&mut self, more: Self) {
        self.0.iter_mut().zip(&more.0).for_each(|(counts, more)| counts.merge(more));
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Reader<'_>, (): ()) -> Result<Self, Broken> {
        Stored::take(from).map(Self)
    }
}

/// In the order of the measures, whatever populations they are of.
fn detect_part(
    detectors: &[Option<Detectors>],
    measures: &[(usize, Measures)],
) -> Result<Vec<Detected>, iforest::Error> {
    let nothing = Detected { values: 0.0, pairs: 0.0, value_forest: 0.0, pair_forest: 0.0 };
    let mut all = vec![nothing; measures.len()];
    for (place, detectors) in detectors.iter().enumerate() {
        let Some(detectors) = detectors else { continue };
        let own: Vec<usize> = (0..measures.len()).filter(|&at| measures[at].0 == place).collect();
        let rows: Vec<&Measures> = own.iter().map(|&at| &measures[at].1).collect();
        for (at, detected) in own.into_iter().zip(detectors.detect(&rows)?) {
            all[at] = detected;
        }
    }
    Ok(all)
}

/// What the detectors said of a part's entries, in their order.
pub struct DetectedOfPart(SpillReader);

impl DetectedOfPart {
    pub fn open(folder: &Path, part: usize) -> std::io::Result<Self> {
        SpillReader::open(&detected_file(folder, part)).map(Self)
    }

    pub fn expect(&mut self) -> std::io::Result<Detected> {
        self.0.next_with(take)?.ok_or_else(broken)
    }
}

fn detected_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("detected-{part}"))
}

pub(super) fn put(detected: &Detected, out: &mut Vec<u8>) {
    let Detected { values, pairs, value_forest, pair_forest } = *detected;
    [values, pairs, value_forest, pair_forest].into_iter().for_each(|number| put_f64(number, out));
}

fn take(bytes: &mut &[u8]) -> Option<Detected> {
    Some(Detected {
        values: take_f64(bytes)?,
        pairs: take_f64(bytes)?,
        value_forest: take_f64(bytes)?,
        pair_forest: take_f64(bytes)?,
    })
}
