//! Detection quality on public labelled sets, against what scikit-learn reaches on them.
//!
//! The sets lie outside the repository, in `shared/data/outliers` beside the project; without them the test says so.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy does not know helpers for tests")]

use std::fs::File;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use iforest::IsolationForest;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

const SEEDS: u64 = 10;

/// A set, and the mean and deviation of scikit-learn 1.9.1's AUC over ten seeds, 100 trees of 256.
const REFERENCE: [(&str, f64, f64); 7] = [
    ("breastw", 0.9873, 0.0014),
    ("cardio", 0.9329, 0.0095),
    ("Ionosphere", 0.8461, 0.0064),
    ("mammography", 0.8615, 0.0075),
    ("pendigits", 0.9418, 0.0196),
    ("shuttle", 0.9970, 0.0005),
    ("thyroid", 0.9781, 0.0040),
];

#[test]
fn finds_outliers_as_well_as_scikit_learn() {
    for (name, reference, deviation) in REFERENCE {
        let Some((table, outlier)) = read(name) else {
            println!("skipped: no data set `{name}`");
            continue;
        };
        let mean = (0..SEEDS)
            .map(|seed| {
                let forest =
                    IsolationForest::params().seed(seed).fit(&DatasetBase::from(table.view())).unwrap();
                area_under_curve(forest.score_samples(&table).unwrap().as_slice().unwrap(), &outlier)
            })
            .sum::<f64>()
            / SEEDS as f64;

        println!("{name}: AUC {mean:.4}, scikit-learn {reference:.4} ± {deviation:.4}");
        assert!(mean >= reference - deviation.max(0.01), "{name}: {mean:.4} against {reference:.4}");
    }
}

fn read(name: &str) -> Option<(Array2<f64>, Vec<bool>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/outliers");
    let file = File::open(folder.join(format!("{name}.csv.gz"))).ok()?;
    let mut values = Vec::new();
    let mut outlier = Vec::new();
    for record in csv::Reader::from_reader(GzDecoder::new(file)).records() {
        let mut row: Vec<f64> = record.unwrap().iter().map(|cell| cell.parse().unwrap()).collect();
        outlier.push(row.pop().unwrap() > 0.5);
        values.extend(row);
    }
    let table = Array2::from_shape_vec((outlier.len(), values.len() / outlier.len()), values).unwrap();
    Some((table, outlier))
}

/// The share of (outlier, ordinary) pairs in the right order, ties counting half.
fn area_under_curve(scores: &[f64], outlier: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let outliers = outlier.iter().filter(|&&outlier| outlier).count() as f64;
    let (mut below, mut right_pairs) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let found = tied.iter().filter(|&&row| outlier[row]).count() as f64;
        let ordinary = tied.len() as f64 - found;
        right_pairs += found * (below + ordinary / 2.0);
        below += ordinary;
    }
    right_pairs / (outliers * (scores.len() as f64 - outliers))
}
