use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::{Fit, FitWith, Predict};
use ndarray::{array, concatenate, s};

use super::*;
use crate::rng::TreeRng;

/// Numbers without pattern, the same everywhere.
fn noise(rows: usize, columns: usize) -> Array2<f64> {
    let mut rng = TreeRng::new(99, 0);
    Array2::from_shape_fn((rows, columns), |_| rng.unit() + rng.unit() + rng.unit())
}

fn fit(table: &Array2<f64>, params: &IsolationForestParams) -> IsolationForest {
    params.fit(&DatasetBase::from(table.view())).unwrap()
}

fn bits(scores: &Array1<f64>) -> Vec<u64> {
    scores.iter().map(|score| score.to_bits()).collect()
}

#[test]
fn scores_are_bit_identical_for_any_number_of_threads() {
    let mut table = noise(5_003, 7);
    table[[17, 3]] = f64::NAN;
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let forest = fit(&table, &IsolationForestParams::new().seed(7));
            (bits(&forest.score_samples(&table).unwrap()), forest.explain(&table).unwrap().contributions)
        })
    };

    let (one_scores, one_reasons) = with_threads(1);

    for threads in [2, 7] {
        let (scores, reasons) = with_threads(threads);
        assert!(one_scores == scores, "{threads} threads");
        assert!(
            one_reasons.iter().zip(&reasons).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{threads} threads"
        );
    }
}

/// Every set of instructions that this processor has.
#[test]
fn scores_are_bit_identical_for_any_block_and_any_instructions() {
    let mut table = noise(1_237, 7);
    for row in (0..1_237).step_by(5) {
        table[[row, row % 7]] = f64::NAN;
    }
    for (sample, extension) in [(3, 0), (8, 0), (20, 0), (40, 0), (256, 0), (256, 3)] {
        let forest =
            fit(&table, &IsolationForestParams::new().sample_size(sample).extension(extension).seed(7));
        let scalar = Scoring { block_rows: 128, instructions: Instructions::Scalar };
        let expected = bits(&forest.score_samples_with(&table, scalar).unwrap());

        for instructions in Instructions::ALL {
            for block_rows in [0, 1, 64, 512, 5_000] {
                let scores = forest.score_samples_with(&table, Scoring { block_rows, instructions }).unwrap();
                assert!(
                    expected == bits(&scores),
                    "{instructions:?}, blocks of {block_rows}, samples of {sample}"
                );
            }
        }
    }
}

/// FNV-1a of all score bits. A change here means that scores filed as evidence can no longer be reproduced: do it
/// knowingly, with a new version of the model format.
#[test]
fn scores_are_the_same_on_every_machine_and_in_every_version() {
    let table = noise(2_000, 5);
    let scores = fit(&table, &IsolationForestParams::new().seed(7)).score_samples(&table).unwrap();

    let hash = bits(&scores)
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });

    assert_eq!(hash, 0x4672_d26f_7ec8_77db, "hash {hash:#018x}");
}

#[test]
fn the_outlier_ranks_first() {
    let table = concatenate![ndarray::Axis(0), noise(1_000, 4), array![[9.0, 9.0, -6.0, 1.5]]];
    for seed in 0..10 {
        let scores = fit(&table, &IsolationForestParams::new().seed(seed)).score_samples(&table).unwrap();

        let outlier = scores[1_000];
        assert!(scores.iter().take(1_000).all(|&score| score < outlier), "seed {seed}");
    }
}

#[test]
fn the_outlier_is_explained_by_its_column() {
    let table = concatenate![ndarray::Axis(0), noise(1_000, 4), array![[1.5, 1.5, 9.0, 1.5]]];
    let forest = fit(&table, &IsolationForestParams::new().seed(7));

    let reasons = forest.explain(&table.slice(s![1_000.., ..])).unwrap().contributions;

    assert!([0, 1, 3].iter().all(|&other| reasons[[0, 2]] < reasons[[0, other]]), "{reasons}");
}

#[test]
fn contributions_add_up_to_the_depth() {
    let mut table = noise(700, 6);
    table.slice_mut(s![..;5, 2]).fill(f64::NAN);
    for extension in [0, 1, 5] {
        let forest = fit(&table, &IsolationForestParams::new().extension(extension));

        let explained = forest.explain(&table).unwrap();

        assert_eq!(explained.depths, forest.mean_depths(&table).unwrap());
        for (row, depth) in explained.contributions.rows().into_iter().zip(&explained.depths) {
            assert!((row.sum() - (depth - explained.expected_depth)).abs() <= 1e-9, "extension {extension}");
        }
    }
}

/// Two clouds on a diagonal, and a row beside both that no single column tells from them.
#[test]
fn planes_find_what_single_columns_hide() {
    let mut table = noise(1_000, 2);
    for (index, mut row) in table.rows_mut().into_iter().enumerate() {
        row += if index % 2 == 0 { 10.0 } else { 0.0 };
    }
    table.push_row(array![1.5, 11.5].view()).unwrap();
    let rank = |extension| {
        let params = IsolationForestParams::new().seed(7).extension(extension);
        let scores = fit(&table, &params).score_samples(&table).unwrap();
        scores.iter().filter(|&&score| score > scores[1_000]).count()
    };

    assert_eq!(rank(1), 0);
    assert!(rank(0) > 0, "{}", rank(0));
}

#[test]
fn trees_that_are_added_are_those_of_a_larger_forest() {
    let table = noise(600, 4);
    let dataset = DatasetBase::from(table.view());
    for extension in [0, 1] {
        let params =
            |trees| IsolationForestParams::new().trees(trees).seed(7).extension(extension).check().unwrap();

        let grown = params(20).fit_with(Some(params(30).fit(&dataset).unwrap()), &dataset).unwrap();

        assert!(grown == params(50).fit(&dataset).unwrap(), "extension {extension}");
    }
}

#[test]
fn trees_that_do_not_compare_are_not_added() {
    let table = noise(600, 4);
    let dataset = DatasetBase::from(table.view());
    let params = |sample, extension| {
        IsolationForestParams::new().sample_size(sample).extension(extension).check().unwrap()
    };
    let forest = params(256, 0).fit(&dataset).unwrap();

    let error = |params: crate::IsolationForestValidParams| {
        params.fit_with(Some(forest.clone()), &dataset).unwrap_err()
    };

    assert!(matches!(error(params(200, 0)), Error::OtherSample { grown: 256, asked: 200 }));
    assert!(matches!(error(params(256, 1)), Error::OtherExtension { grown: 0, asked: 1 }));
}

#[test]
fn weighted_rows_alone_make_the_forest() {
    let table = concatenate![ndarray::Axis(0), noise(300, 2), noise(300, 2) + 100.0];
    let weights = Array1::from_shape_fn(600, |row| if row < 300 { 1.0_f32 } else { 0.0 });

    let weighted =
        IsolationForestParams::new().fit(&DatasetBase::from(table.view()).with_weights(weights)).unwrap();

    // Rows that were never drawn are all outside of what the forest knows.
    let scores = weighted.score_samples(&table).unwrap();
    let least = scores.iter().skip(300).copied().fold(1.0, f64::min);
    let usual = scores.iter().take(300).sum::<f64>() / 300.0;
    assert!(least > usual + 0.1, "{least} {usual}");
}

#[test]
fn contamination_is_the_share_of_the_training_rows_above_the_threshold() {
    let table = noise(1_000, 3);
    for (share, above) in [(0.1, 100), (0.035, 35), (0.5, 500)] {
        let params = IsolationForestParams::new().threshold(Threshold::Contamination(share));
        let outliers = fit(&table, &params).outliers(&table).unwrap();

        assert_eq!(outliers.iter().filter(|&&outlier| outlier).count(), above, "{share}");
    }
}

/// NumPy's percentile of 1, 2, 4, 8 at 75 % is 5.
#[test]
fn the_threshold_lies_between_two_scores_as_numpy_has_it() {
    let threshold = threshold_of(Threshold::Contamination(0.25), || Ok(array![8.0, 1.0, 4.0, 2.0])).unwrap();

    assert_eq!(threshold, 5.0);
}

#[test]
fn another_seed_is_another_forest() {
    let table = noise(500, 3);
    let scores = |seed| fit(&table, &IsolationForestParams::new().seed(seed)).score_samples(&table).unwrap();

    assert_ne!(scores(1), scores(2));
}

#[test]
fn storage_order_and_float_width_do_not_change_a_score() {
    let table = noise(600, 5).mapv(|value| f64::from(value as f32));
    let scores = fit(&table, &IsolationForestParams::new()).score_samples(&table).unwrap();

    let narrow = table.mapv(|value| value as f32);
    let forest = IsolationForestParams::new().fit(&DatasetBase::from(narrow.view())).unwrap();
    assert_eq!(forest.score_samples(&narrow).unwrap(), scores);

    let columns_first = Array2::from_shape_vec((5, 600), table.t().iter().copied().collect()).unwrap();
    assert_eq!(forest.score_samples(&columns_first.t()).unwrap(), scores);
}

#[test]
fn predict_gives_the_scores() {
    let table = noise(100, 3);
    let forest = fit(&table, &IsolationForestParams::new());

    let predicted: Array1<f64> = forest.predict(&table);

    assert_eq!(predicted, forest.score_samples(&table).unwrap());
}

#[test]
fn a_table_smaller_than_the_sample_is_used_whole() {
    let forest = fit(&noise(10, 2), &IsolationForestParams::new());

    assert_eq!(forest.sample_size(), 10);
}

#[test]
fn a_single_row_and_constant_tables_score_one_half() {
    for table in [array![[1.0, 2.0]], Array2::zeros((300, 2))] {
        let scores = fit(&table, &IsolationForestParams::new()).score_samples(&table).unwrap();

        assert!(scores.iter().all(|score| (score - 0.5).abs() < 1e-6), "{scores}");
    }
}

#[test]
fn impossible_tables_are_refused_with_the_place() {
    let refused = |table: Array2<f64>| {
        IsolationForestParams::new().fit(&DatasetBase::from(table)).unwrap_err().to_string()
    };

    assert_eq!(refused(Array2::zeros((0, 3))), "the table has no rows");
    assert_eq!(refused(Array2::zeros((3, 0))), "the table has no columns");
    for infinite in [f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut table = noise(2_000, 3);
        table[[1_200, 1]] = infinite;
        table[[1_900, 0]] = infinite;
        assert_eq!(
            refused(table),
            "the value at row 1200, column 1 (counted from 0) is infinite or beyond the range of f32"
        );
    }
}

#[test]
fn impossible_parameters_are_refused_by_fit() {
    let table = DatasetBase::from(noise(10, 2));

    let error = IsolationForestParams::new().trees(0).fit(&table).unwrap_err();

    assert!(matches!(error, Error::NoTrees));

    let error = IsolationForestParams::new().extension(2).fit(&table).unwrap_err();

    assert_eq!(
        error.to_string(),
        "extension 2 is out of range: a table of 2 columns can be split along 2 at once, which is extension 1"
    );
}

#[test]
fn scoring_names_the_first_infinite_value_and_a_wrong_width() {
    let forest = fit(&noise(300, 3), &IsolationForestParams::new());
    let mut table = noise(3_000, 3);
    table[[700, 2]] = f64::INFINITY;
    table[[2_900, 1]] = f64::INFINITY;

    assert!(matches!(forest.score_samples(&table), Err(Error::Infinite { row: 700, column: 2 })));
    assert!(matches!(forest.score_samples(&noise(3, 4)), Err(Error::Columns { given: 4, fitted: 3 })));
    assert_eq!(forest.score_samples(&noise(0, 3)).unwrap().len(), 0);
}
