//! Properties that hold for any table and any parameters, searched with random ones.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy does not know helpers for tests")]

use iforest::{IsolationForest, IsolationForestParams};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, Axis, s};
use proptest::prelude::*;

/// Finite values of all sizes, repeated values, and missing ones.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -1e3..1e3_f64,
        3 => (-3..3_i32).prop_map(f64::from),
        1 => -1e38..1e38_f64,
        1 => Just(f64::NAN),
    ]
}

fn table() -> impl Strategy<Value = Array2<f64>> {
    (1..80_usize, 1..6_usize).prop_flat_map(|(rows, columns)| {
        prop::collection::vec(value(), rows * columns)
            .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).unwrap())
    })
}

fn params() -> impl Strategy<Value = IsolationForestParams> {
    (1..20_usize, 2..70_usize, any::<u64>()).prop_map(|(trees, sample, seed)| {
        IsolationForestParams::new().trees(trees).sample_size(sample).seed(seed)
    })
}

fn fit(table: &Array2<f64>, params: &IsolationForestParams) -> IsolationForest {
    params.fit(&DatasetBase::from(table.view())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scores_lie_between_nought_and_one((table, params) in (table(), params())) {
        let scores = fit(&table, &params).score_samples(&table).unwrap();

        prop_assert!(scores.iter().all(|&score| score > 0.0 && score <= 1.0), "{scores}");
    }

    #[test]
    fn a_row_scores_the_same_alone_as_among_others((table, params) in (table(), params())) {
        let forest = fit(&table, &params);
        let scores = forest.score_samples(&table).unwrap();

        for (index, &score) in scores.iter().enumerate() {
            let alone = forest.score_samples(&table.slice(s![index..=index, ..])).unwrap();
            prop_assert_eq!(alone[0].to_bits(), score.to_bits());
        }
    }

    #[test]
    fn contributions_add_up_and_agree_with_the_depth((table, params) in (table(), params())) {
        let forest = fit(&table, &params);
        let explained = forest.explain(&table).unwrap();

        prop_assert_eq!(&explained.depths, &forest.mean_depths(&table).unwrap());
        for (row, depth) in explained.contributions.rows().into_iter().zip(&explained.depths) {
            prop_assert!((row.sum() - (depth - explained.expected_depth)).abs() <= 1e-9);
        }
    }

    #[test]
    fn a_constant_column_has_no_say((table, params, constant) in (table(), params(), -1e3..1e3_f64)) {
        let mut wider = table;
        wider.push_column(Array2::from_elem((wider.nrows(), 1), constant).column(0)).unwrap();
        let forest = fit(&wider, &params);
        let last = wider.ncols() - 1;
        let scores = forest.score_samples(&wider).unwrap();
        let reasons = forest.explain(&wider).unwrap().contributions;

        prop_assert!(reasons.index_axis(Axis(1), last).iter().all(|&change| change == 0.0));
        wider.column_mut(last).fill(1e30);
        prop_assert_eq!(forest.score_samples(&wider).unwrap(), scores);
    }
}
