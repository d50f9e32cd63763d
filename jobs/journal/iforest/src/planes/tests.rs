use super::*;

fn grown(columns: &[&[f32]], width: usize, height: u32, seed: u64) -> PlaneTrees {
    PlaneTrees::build(1, height, columns.len(), width, |_| {
        (Sample { values: columns.concat(), rows: columns[0].len() }, TreeRng::new(seed, 0))
    })
}

#[test]
fn rows_that_are_alike_are_not_split() {
    let trees = grown(&[&[5.0; 4], &[9.0; 4]], 2, 2, 7);

    assert_eq!(trees.depth(&[5.0, 9.0]), u64::from(leaf_depth(0, 4)));
}

#[test]
fn every_split_has_rows_on_both_sides() {
    let first: Vec<f32> = (0..64).map(|row| ((row * 37) % 64) as f32).collect();
    let second: Vec<f32> = (0..64).map(|row| ((row * 11) % 64) as f32).collect();
    for seed in 0..50 {
        let trees = grown(&[&first, &second], 2, 6, seed);

        // Where both sides have rows, the mean depth of the rows is what the root expects.
        let sum: u64 = first.iter().zip(&second).map(|(&a, &b)| trees.depth(&[a, b])).sum();
        assert_eq!(trees.expected_depth(), (sum + 32) / 64, "seed {seed}");
        assert!(trees.terms[2].slope != 0.0 && trees.terms[3].slope != 0.0);
    }
}

#[test]
fn a_missing_value_has_no_say() {
    let trees = grown(&[&[1.0, 2.0, 3.0, 4.0], &[4.0, 2.0, 8.0, 6.0]], 2, 2, 7);
    let root = &trees.terms[2..4];

    let alone = goes_right(&root[..1], |_| 3.5);
    let column = root[0].column;

    assert_eq!(goes_right(root, |asked| if asked == column { 3.5 } else { f32::NAN }), alone);
}

#[test]
fn a_shared_change_is_given_out_whole() {
    let term = |column, slope| Term { column, slope, point: 0.0 };
    let terms = [term(0, 1.0), term(2, -2.0), term(1, 0.5)];
    for change in [-1_000_003, -1, 0, 1, 7, 999_999] {
        let mut contributions = [0; 3];

        share_out(change, &terms, &[3.0, 1.0, f32::NAN], &mut contributions);

        assert_eq!(contributions.iter().sum::<i64>(), change);
        assert_eq!(contributions[2], 0, "a missing value changed nothing");
    }
}

#[test]
fn the_widest_range_of_floats_is_split_too() {
    for seed in 0..50 {
        let trees = grown(&[&[f32::MIN, f32::MAX], &[f32::MAX, f32::MIN]], 2, 1, seed);

        assert_ne!(trees.terms[2].slope, 0.0, "seed {seed}");
    }
}
