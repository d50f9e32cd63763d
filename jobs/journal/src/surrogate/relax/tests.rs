use super::super::columns;
use super::super::tests::{DEVIATION, USER, WIDTH, dims};
use super::*;

fn row(user: f64, deviation: f64) -> Vec<f64> {
    let mut row = vec![0.0; WIDTH];
    (row[USER], row[DEVIATION]) = (user, deviation);
    row
}

fn times(count: usize, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    std::iter::repeat_n(rows, count).flatten().cloned().collect()
}

fn sample(flagged: Vec<Vec<f64>>, others: Vec<Vec<f64>>) -> Sample {
    Sample { all_flagged: flagged.len() as u64, all_others: others.len() as u64, flagged, others }
}

fn from(column: usize, threshold: f64) -> Condition {
    Condition { column, bound: Bound::From(threshold) }
}

fn below(column: usize, threshold: f64) -> Condition {
    Condition { column, bound: Bound::Below(threshold) }
}

#[test]
fn what_a_rule_only_leaves_to_another_rule_goes() {
    // Far amounts are flagged anyway: that this rule is not about them need not be said.
    let flagged = times(5, &[row(6.0, 1.0), row(6.0, 9.0), row(0.0, 9.0)]);
    let sample = sample(flagged, times(50, &[row(0.0, 1.0), row(1.0, 2.0)]));

    let relaxed = relaxed(
        vec![below(DEVIATION, 5.0), from(USER, libm::log(20.0))],
        &columns(&dims(), true, &[]),
        &sample,
    );

    assert_eq!(relaxed, [from(USER, libm::log(20.0))]);
}

#[test]
fn what_makes_a_rule_precise_stays() {
    let sample = sample(times(9, &[row(6.0, 9.0)]), times(2, &[row(6.0, 1.0), row(0.0, 9.0)]));
    let rule = vec![from(USER, libm::log(20.0)), from(DEVIATION, 5.0)];

    assert_eq!(relaxed(rule.clone(), &columns(&dims(), true, &[]), &sample), rule);
}

#[test]
fn a_threshold_is_rounded_where_that_changes_next_to_nothing() {
    let others: Vec<Vec<f64>> = (0..100).map(|at| row(0.0, 2.0 + f64::from(at) / 1e4)).collect();
    let flagged: Vec<Vec<f64>> = (0..100).map(|at| row(0.0, 2.884 + f64::from(at) / 1e3)).collect();
    let crowded: Vec<Vec<f64>> = (0..100).map(|at| row(0.0, 2.883 - f64::from(at) / 1e5)).collect();
    let rounded = |others| {
        let sample = sample(flagged.clone(), others);
        relaxed(vec![from(DEVIATION, 2.883_5)], &columns(&dims(), true, &[]), &sample)
    };

    // 3 would leave out more than a hundredth of what is flagged, and so would 2.9.
    assert_eq!(rounded(others), [from(DEVIATION, 2.88)]);
    // 2.88 would let in what is not flagged.
    assert_eq!(rounded(crowded), [from(DEVIATION, 2.883_5)]);
}

#[test]
fn a_rule_that_adds_nothing_to_the_others_is_left_out() {
    let flagged = (0..20).map(|at| row(f64::from(at), f64::from(at % 2))).collect();
    let sample = sample(flagged, Vec::new());
    let (most, some, new) = (from(USER, 5.0), from(USER, 12.0), below(USER, 3.0));

    let chosen = cover(vec![vec![new], vec![some], vec![most]], 3, &sample);
    let fewer = cover(vec![vec![new], vec![some], vec![most]], 4, &sample);

    assert_eq!((chosen, fewer), (vec![vec![most], vec![new]], vec![vec![most]]));
}
