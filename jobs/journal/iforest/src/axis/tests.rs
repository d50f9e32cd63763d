use ndarray::Array2;

use super::grow::grow;
use super::*;
use crate::lanes::Lanes;
use crate::path_length::UNITS_PER_EDGE;
use crate::rng::TreeRng;
use crate::sample::Sample;

fn grown(columns: &[&[f32]], height: u32, seed: u64) -> AxisTrees {
    let sample = Sample { values: columns.concat(), rows: columns[0].len() };
    AxisTrees::build(1, height, columns.len(), |_, tree| {
        grow(tree, &sample, TreeRng::new(seed, 0));
        Ok(())
    })
    .unwrap()
}

fn depth(trees: &AxisTrees, row: &[f32]) -> u32 {
    let mut lanes = Lanes::default();
    lanes.fill(&Array2::from_shape_vec((1, row.len()), row.to_vec()).unwrap().view(), 0, 1).unwrap();
    trees.tree(0).depth(&lanes, 0)
}

#[test]
fn two_different_rows_are_one_edge_deep() {
    let trees = grown(&[&[1.0, 2.0]], 1, 7);

    assert_eq!([depth(&trees, &[1.0]), depth(&trees, &[2.0])], [UNITS_PER_EDGE; 2]);
}

#[test]
fn equal_rows_stay_together_and_are_credited_with_an_unbuilt_subtree() {
    let trees = grown(&[&[5.0; 4], &[9.0; 4]], 2, 7);

    assert_eq!(depth(&trees, &[5.0, 9.0]), leaf_depth(0, 4));
    assert_eq!(depth(&trees, &[-100.0, 100.0]), leaf_depth(0, 4));
}

#[test]
fn constant_columns_are_never_split() {
    for seed in 0..50 {
        let trees = grown(&[&[5.0; 8], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[0.0; 8]], 3, seed);

        let split: Vec<u32> =
            (1..8).filter_map(|node| trees.tree(0).split(node)).map(|split| split.column).collect();
        assert!(split.iter().all(|&column| column == 1), "seed {seed}: {split:?}");
        assert!(!split.is_empty());
    }
}

#[test]
fn thresholds_leave_no_side_empty_even_between_neighbouring_floats() {
    let below = 1.0_f32;
    for seed in 0..50 {
        let trees = grown(&[&[below, below.next_up()]], 1, seed);

        assert_eq!(trees.tree(0).split(1).unwrap().threshold(), below);
    }
}

#[test]
fn the_widest_range_of_floats_still_has_a_finite_threshold() {
    for seed in 0..50 {
        let trees = grown(&[&[f32::MIN, f32::MAX]], 1, seed);

        assert!(trees.tree(0).split(1).unwrap().threshold().is_finite());
    }
}

#[test]
fn a_missing_value_is_told_from_an_otherwise_constant_column() {
    let trees = grown(&[&[f32::NAN, 3.0, 3.0, 3.0]], 2, 7);

    assert_eq!(depth(&trees, &[f32::NAN]), UNITS_PER_EDGE);
    assert_eq!(depth(&trees, &[3.0]), leaf_depth(1, 3));
}

#[test]
fn missing_values_go_to_a_side_that_is_drawn_with_the_split() {
    let values = [f32::NAN, f32::NAN, 1.0, 2.0, 3.0, 4.0];
    let sides: Vec<Missing> =
        (0..50).map(|seed| grown(&[&values], 3, seed).tree(0).split(1).unwrap().missing).collect();

    assert!(sides.contains(&Missing::Left) && sides.contains(&Missing::Right));
}

#[test]
fn a_missing_value_never_seen_follows_the_larger_child() {
    let many = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0];
    for seed in 0..50 {
        let trees = grown(&[&many], 3, seed);

        assert_eq!(depth(&trees, &[f32::NAN]), depth(&trees, &[1.0]), "seed {seed}");
    }
}

#[test]
fn a_column_of_missing_values_only_is_constant() {
    let trees = grown(&[&[f32::NAN; 4]], 2, 7);

    assert_eq!(depth(&trees, &[f32::NAN]), leaf_depth(0, 4));
}
