use super::*;
use crate::path_length::UNITS_PER_EDGE;

fn grow(columns: &[&[f32]], height: u32, seed: u64) -> Tree {
    let sample = Sample { values: columns.concat(), rows: columns[0].len() };
    Tree::grow(&sample, height, TreeRng::new(seed, 0))
}

#[test]
fn two_different_rows_are_one_edge_deep() {
    let tree = grow(&[&[1.0, 2.0]], 1, 7);

    assert_eq!([tree.depth(&[1.0]), tree.depth(&[2.0])], [UNITS_PER_EDGE; 2]);
}

#[test]
fn equal_rows_stay_together_and_are_credited_with_an_unbuilt_subtree() {
    let tree = grow(&[&[5.0; 4], &[9.0; 4]], 2, 7);

    assert_eq!(tree.depth(&[5.0, 9.0]), leaf_depth(0, 4));
    assert_eq!(tree.depth(&[-100.0, 100.0]), leaf_depth(0, 4));
}

#[test]
fn constant_columns_are_never_split() {
    for seed in 0..50 {
        let tree = grow(&[&[5.0; 8], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[0.0; 8]], 3, seed);

        // Padding names column 0, but its threshold stops nobody.
        let split: Vec<u32> = (0..7)
            .filter(|&node| tree.thresholds[node].is_finite())
            .map(|node| tree.splits[node] & !MISSING_LEFT)
            .collect();
        assert!(split.iter().all(|&column| column == 1), "seed {seed}: {split:?}");
        assert!(!split.is_empty());
    }
}

#[test]
fn thresholds_leave_no_side_empty_even_between_neighbouring_floats() {
    let below = 1.0_f32;
    let above = f32::from_bits(below.to_bits() + 1);
    for seed in 0..50 {
        let tree = grow(&[&[below, above]], 1, seed);

        assert_eq!(tree.thresholds[0], below);
    }
}

#[test]
fn the_widest_range_of_floats_still_has_a_finite_threshold() {
    for seed in 0..50 {
        let tree = grow(&[&[f32::MIN, f32::MAX]], 1, seed);

        assert!(tree.thresholds[0].is_finite());
    }
}

#[test]
fn a_missing_value_is_told_from_an_otherwise_constant_column() {
    let tree = grow(&[&[f32::NAN, 3.0, 3.0, 3.0]], 2, 7);

    assert_eq!(tree.depth(&[f32::NAN]), UNITS_PER_EDGE);
    assert_eq!(tree.depth(&[3.0]), leaf_depth(1, 3));
}

#[test]
fn a_missing_value_never_seen_follows_the_larger_child() {
    let many = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0];
    for seed in 0..50 {
        let tree = grow(&[&many], 3, seed);

        assert_eq!(tree.depth(&[f32::NAN]), tree.depth(&[1.0]), "seed {seed}");
    }
}

#[test]
fn a_column_of_missing_values_only_is_constant() {
    let tree = grow(&[&[f32::NAN; 4]], 2, 7);

    assert_eq!(tree.depth(&[f32::NAN]), leaf_depth(0, 4));
}

#[test]
fn the_expected_depth_is_the_mean_over_the_sample() {
    let values: Vec<f32> = (0..256).map(|row| ((row * 37) % 101) as f32).collect();
    let tree = grow(&[&values], 8, 7);

    let sum: u64 = values.iter().map(|&value| u64::from(tree.depth(&[value]))).sum();

    assert_eq!(u64::from(tree.expected_depth()), (sum + 128) / 256);
}

#[test]
fn rows_side_by_side_are_as_deep_as_alone() {
    let values: Vec<f32> = (0..64).map(|row| ((row * 37) % 64) as f32).collect();
    let tree = grow(&[&values], 6, 7);
    let rows = [-1.0, 5.0, f32::NAN, 63.0];

    let mut sums = [1_000_u64; 4];
    tree.add_depths(&rows, 1, &mut sums);

    assert_eq!(sums, rows.map(|value| 1_000 + u64::from(tree.depth(&[value]))));
}
