use super::super::tests::Random;
use super::*;

/// Every row stands for itself.
fn leaves(rows: impl IntoIterator<Item = (Vec<f64>, bool)>) -> Vec<Path> {
    let rows: Vec<(Vec<f64>, bool)> = rows.into_iter().collect();
    let of = |flagged: bool| rows.iter().filter(|(_, is)| *is == flagged).map(|(row, _)| &**row).collect();
    let (flagged, others): (Vec<&[f64]>, Vec<&[f64]>) = (of(true), of(false));
    grow(&flagged, &others, (1.0, 1.0), 2).unwrap()
}

fn turns(path: &Path) -> Vec<(usize, bool)> {
    path.iter().map(|turn| (turn.column, turn.above)).collect()
}

/// Found while reading linfa-trees: its own tree tries the last column below the root only if the last row without it happens to be there, as in one of ten ledgers.
#[test]
fn a_yes_or_no_below_the_root_is_found() {
    for ledger in 0..10 {
        let mut random = Random(ledger * 977);
        let rows = (0..300).map(|_| {
            let (noise, height) = (random.unit(), random.unit());
            let yes = f64::from(u8::from(random.unit() < 0.5));
            (vec![noise, height, yes], height > 0.9 && yes > 0.0)
        });

        let leaves = leaves(rows);

        assert_eq!(leaves.iter().map(turns).collect::<Vec<_>>(), [vec![(1, true), (2, true)]], "{ledger}");
    }
}

#[test]
fn gaps_lie_between_values_of_the_node() {
    // In the upper half of the first column, the second knows 1 and 9 only.
    let rows = (0..80).map(|at| {
        let upper = at % 2 == 1;
        let second = if upper { [1.0, 9.0][at / 2 % 2] } else { f64::from((at % 19) as u8) + 1.5 };
        (vec![f64::from(u8::from(upper)), second], upper && second > 5.0)
    });

    let leaves = leaves(rows);

    let gaps: Vec<(usize, (f64, f64))> = leaves[0].iter().map(|turn| (turn.column, turn.gap)).collect();
    assert_eq!((leaves.len(), gaps), (1, vec![(0, (0.0, 1.0)), (1, (1.0, 9.0))]));
}

#[test]
fn values_closer_than_a_hundred_thousandth_are_told_apart() {
    let rows = (0..40).map(|at| (vec![f64::from(at) * 1e-9], at >= 20));

    let leaves = leaves(rows);

    assert_eq!(leaves[0], [Turn { column: 0, gap: (19.0 * 1e-9, 20.0 * 1e-9), above: true }]);
}

#[test]
fn leaves_that_flag_alike_become_one() {
    // Every fourth of the upper half is flagged for sure, the others of it in four of five cases.
    let mut random = Random(5);
    let rows = (0..800).map(|_| {
        let (first, second) = (random.unit(), random.unit());
        (vec![first, second], first > 0.5 && (second > 0.75 || random.unit() < 0.8))
    });

    let leaves = leaves(rows);

    assert_eq!(leaves.iter().map(turns).collect::<Vec<_>>(), [vec![(0, true)]]);
}

#[test]
fn a_leaf_has_as_many_flagged_rows_as_are_asked_for() {
    let rows = |flagged: usize| (0..100).map(move |at| (vec![f64::from(at as u8)], at >= 100 - flagged));

    assert_eq!([leaves(rows(1)).len(), leaves(rows(2)).len()], [0, 1]);
}

#[test]
fn no_path_is_longer_than_four_turns() {
    let mut random = Random(9);
    let rows = (0..600).map(|_| {
        let row: Vec<f64> = (0..6).map(|_| random.unit()).collect();
        let is_flagged = row.iter().all(|value| *value > 0.2);
        (row, is_flagged)
    });

    let longest = leaves(rows).iter().map(Vec::len).max();

    assert_eq!(longest, Some(4));
}
