//! The fifth pass: what the detectors say of each entry. It reads the measures alone.

use std::path::{Path, PathBuf};

use iforest::IsolationForest;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

use super::PassError;
use super::measure::{Measured, MeasuresOfPart};
use super::parts::Crew;
use super::spill::{SpillReader, SpillWriter, broken, put_f64, take_f64};
use crate::scoring::combine::{Combiner, Detected, DetectedCounts, SignalRanks};
use crate::scoring::measures::Measures;

/// How forests are grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    pub trees: usize,
    pub sample: usize,
    pub seed: u64,
}

/// What says how unusual an entry of a population is.
pub struct Detectors {
    pub values: IsolationForest,
    pub pairs: IsolationForest,
    pub signals: SignalRanks,
    pub has_amounts: bool,
}

impl Detectors {
    /// None for a population without entries.
    pub fn grow(measured: Measured, growth: Growth, has_amounts: bool) -> Result<Option<Self>, PassError> {
        let Measured { signals, fitted } = measured;
        if fitted.is_empty() {
            return Ok(None);
        }
        let grow = |table: Array2<f64>, seed| {
            let params = IsolationForest::params().trees(growth.trees).sample_size(growth.sample).seed(seed);
            params.fit(&DatasetBase::from(table))
        };
        let rows: Vec<&Measures> = fitted.iter().collect();
        let values = grow(value_table(&rows, has_amounts), growth.seed)?;
        let pairs = grow(pair_table(&rows), growth.seed.wrapping_add(1))?;
        Ok(Some(Self { values, pairs, signals, has_amounts }))
    }

    /// In the order of the rows.
    pub fn detect(&self, rows: &[&Measures]) -> Result<Vec<Detected>, iforest::Error> {
        let values = self.values.score_samples(&value_table(rows, self.has_amounts))?;
        let pairs = self.pairs.score_samples(&pair_table(rows))?;
        let detected =
            rows.iter().zip(values.iter().zip(&pairs)).map(|(measures, (&value_forest, &pair_forest))| {
                let (values, pairs) = self.signals.sums(measures, self.has_amounts);
                Detected { values, pairs, value_forest, pair_forest }
            });
        Ok(detected.collect())
    }
}

pub fn value_table(rows: &[&Measures], has_amounts: bool) -> Array2<f64> {
    let columns = rows.first().map_or(0, |measures| measures.value_row(has_amounts).count());
    let cells: Vec<f64> = rows.iter().flat_map(|measures| measures.value_row(has_amounts)).collect();
    // As many cells as rows of one width make.
    Array2::from_shape_vec((rows.len(), columns), cells).unwrap_or_default()
}

pub fn pair_table(rows: &[&Measures]) -> Array2<f64> {
    let cells: Vec<f64> = rows.iter().flat_map(|measures| measures.pair_row()).collect();
    Array2::from_shape_vec((rows.len(), 5), cells).unwrap_or_default()
}

/// The detectors of each population with entries, with what joins their words.
pub type Scorers = Vec<Option<(Detectors, Combiner)>>;

pub fn detect(
    crew: Crew<'_>,
    folder: &Path,
    parts: usize,
    detectors: Vec<Option<Detectors>>,
) -> Result<Scorers, PassError> {
    let failed = PassError::put_aside(folder);
    let begin = |_| Ok(vec![DetectedCounts::default(); detectors.len()]);
    let work = |counts: &mut Vec<DetectedCounts>, part: usize| {
        let mut measures = Vec::new();
        let mut file = MeasuresOfPart::open(folder, part).map_err(failed)?;
        while let Some(((population, _), measured)) = file.read().map_err(failed)? {
            measures.push((population, measured));
        }
        let detected = detect_part(&detectors, &measures)?;
        let mut out = SpillWriter::create(&detected_file(folder, part)).map_err(failed)?;
        for ((population, _), detected) in measures.iter().zip(&detected) {
            counts[*population].add(detected);
            out.push(|out| put(detected, out)).map_err(failed)?;
        }
        out.finish().map_err(failed)
    };
    let mut all = crew.over(parts, begin, work)?.into_iter();
    let mut counts = all.next().unwrap_or_default();
    for more in all {
        counts.iter_mut().zip(&more).for_each(|(counts, more)| counts.merge(more));
    }
    let scorers = detectors.into_iter().zip(counts).map(|(detectors, counts)| {
        detectors.map(|detectors| {
            let combiner = Combiner::new(counts, detectors.signals.clone(), detectors.has_amounts);
            (detectors, combiner)
        })
    });
    Ok(scorers.collect())
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

fn put(detected: &Detected, out: &mut Vec<u8>) {
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
