use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

use super::*;
use crate::forest::Trees;
use crate::rng::TreeRng;
use crate::{ForeignNode, IsolationForest};

/// What a coalition is worth, by its definition.
fn worth(nodes: &[Node], node: usize, coalition: u32, goes_right: &dyn Fn(u32, u32) -> bool) -> f64 {
    match nodes[node] {
        Node::Leaf(depth) => depth,
        Node::Split { column, place, key, left_share, right } => {
            let of = |child| worth(nodes, child, coalition, goes_right);
            match (coalition >> column & 1 == 1, goes_right(place, key)) {
                (true, false) => of(node + 1),
                (true, true) => of(right),
                (false, _) => left_share * of(node + 1) + (1.0 - left_share) * of(right),
            }
        }
    }
}

/// Shapley's formula, coalition by coalition.
fn by_definition(shapley: &Shapley, rows: &Lanes, row: usize) -> Vec<f64> {
    let columns = shapley.columns;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let goes_right = |place, key| rows.at(row, place) > key;
    let mut values = vec![0.0; columns];
    for nodes in &shapley.trees {
        for coalition in 0..1_u32 << columns {
            let others = coalition.count_ones();
            for column in (0..columns).filter(|column| coalition >> column & 1 == 0) {
                let weight =
                    factorial(others) * factorial(columns as u32 - 1 - others) / factorial(columns as u32);
                let with = worth(nodes, 0, coalition | 1 << column, &goes_right);
                values[column] += weight * (with - worth(nodes, 0, coalition, &goes_right));
            }
        }
    }
    values
}

#[test]
fn the_expected_depth_is_the_mean_over_the_sample() {
    let table = Array2::from_shape_fn((256, 2), |(row, column)| ((row * 37 + column) % 101) as f64);
    let forest = IsolationForest::params().trees(10).seed(7).fit(&DatasetBase::from(table.view())).unwrap();

    let explained = forest.explain(&table).unwrap();

    // Every tree is grown from all rows.
    let mean = explained.depths.sum() / 256.0;
    assert!((explained.expected_depth - mean).abs() < 1e-12, "{} {mean}", explained.expected_depth);
}

fn forest(columns: usize, trees: usize, sample: usize) -> (Shapley, Lanes) {
    let mut rng = TreeRng::new(5, 0);
    let mut table = Array2::from_shape_fn((2_000, columns), |_| rng.unit() + rng.unit());
    for row in (0..2_000).step_by(9) {
        table[[row, row % columns]] = f64::NAN;
    }
    let params = IsolationForest::params().trees(trees).sample_size(sample).seed(7);
    let forest = params.fit(&DatasetBase::from(table.view())).unwrap();
    let Trees::Axis(trees) = &forest.trees else { panic!("planes") };
    let mut lanes = Lanes::default();
    lanes.fill(&table.view(), 0, 20).unwrap();
    (Shapley::of(trees), lanes)
}

#[test]
fn columns_have_their_shapley_values() {
    for (columns, trees, sample) in [(1, 3, 64), (3, 10, 256), (6, 5, 256), (10, 3, 512), (11, 1, 1_500)] {
        let (shapley, lanes) = forest(columns, trees, sample);
        for row in 0..if columns > 6 { 2 } else { 20 } {
            let mut found = vec![0.0; columns];
            shapley.add(&lanes, row, &mut found);

            let expected = by_definition(&shapley, &lanes, row);
            let close = found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-11);
            assert!(close, "{columns} columns, row {row}: {found:?}, expected {expected:?}");
        }
    }
}

/// The integrand has as many factors as a path has columns beside the one in question.
#[test]
fn the_points_integrate_products_of_as_many_columns_as_a_path_can_have() {
    fn integral<const Q: usize>(points: &Points<Q>, power: i32) -> f64 {
        points.at.iter().zip(&points.weights).map(|(at, weight)| weight * at.powi(power)).sum()
    }
    for power in 0..8 {
        assert!((integral(&FEW, power) - 1.0 / f64::from(power + 1)).abs() < 1e-15, "{power}");
    }
    for power in 0..16 {
        assert!((integral(&MANY, power) - 1.0 / f64::from(power + 1)).abs() < 1e-15, "{power}");
    }
}

/// One root of x at 1, and y at 5 on its right: nothing that could not be done by hand.
#[test]
fn a_small_tree_is_explained_as_by_hand() {
    let leaf = |rows| ForeignNode::Leaf { rows };
    let split = |column, threshold, left, right| ForeignNode::Split {
        column,
        threshold,
        missing_left: true,
        left,
        right,
    };
    let tree = vec![split(0, 1.0, 1, 2), leaf(2), split(1, 5.0, 3, 4), leaf(1), leaf(1)];
    let forest = IsolationForest::from_trees(2, 4, &[tree]).unwrap();

    let explained = forest.explain(&ndarray::array![[0.0, 9.0]]).unwrap();

    // Two rows at depth 2 on either side (two left together are credited with one edge more).
    assert_eq!((explained.depths[0], explained.expected_depth), (2.0, 2.0));
    assert!(explained.contributions.iter().all(|contribution| contribution.abs() < 1e-15));
    let tree = vec![split(0, 1.0, 1, 2), leaf(1), split(1, 5.0, 3, 4), leaf(1), leaf(2)];
    let forest = IsolationForest::from_trees(2, 4, &[tree]).unwrap();

    let explained = forest.explain(&ndarray::array![[0.0, 9.0], [2.0, 9.0]]).unwrap();

    // Expected: (1 + 2 + 2 · 3) / 4. Of the first row only x tells: 1 - 9/4, but where y is known x spares more: 1 - (1/4 · 1 + 3/4 · 3).
    let first = [(-1.25 - 1.5) / 2.0, (0.25 + 0.0) / 2.0];
    // Of the second: x known alone 8/3, y alone 1/4 + 3/4 · 3, both 3.
    let second = [(8.0 / 3.0 - 2.25 + 0.5) / 2.0, (0.25 + 1.0 / 3.0) / 2.0];
    for (row, expected) in [first, second].into_iter().enumerate() {
        let found = explained.contributions.row(row);
        assert!(
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12),
            "{found}"
        );
    }
}
