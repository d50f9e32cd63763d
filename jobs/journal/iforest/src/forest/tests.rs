use linfa::traits::Predict;
use ndarray::{array, concatenate};

use super::*;

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
    let forest = fit(&table, &IsolationForestParams::new());

    let explained = forest.explain(&table).unwrap();

    assert_eq!(explained.depths, forest.mean_depths(&table).unwrap());
    for (row, depth) in explained.contributions.rows().into_iter().zip(&explained.depths) {
        assert!((row.sum() - (depth - explained.expected_depth)).abs() <= 1e-9);
    }
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
fn a_sample_draws_each_row_at_most_once() {
    let table = Array2::from_shape_fn((20, 1), |(row, _)| row as f64);
    for seed in 0..50 {
        let mut values = draw_sample(&table.view(), 15, &mut TreeRng::new(seed, 0)).values;
        values.dedup();

        assert_eq!(values.len(), 15);
    }
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
