use std::fs;

use super::*;

fn request(folder: &Path, table: &str) -> Request {
    let input = folder.join("in.csv");
    fs::write(&input, table).unwrap();
    let forest = IsolationForest::params().seed(7);
    Request {
        input,
        drop: Vec::new(),
        forest,
        outliers: false,
        trees: None,
        threads: Some(2),
        out: folder.join("out.csv"),
        reasons: None,
    }
}

/// Fifty ordinary rows and one far from them.
fn table() -> String {
    let rows = (0..50).map(|row| format!("a{row},{},{}\n", row % 7, row % 5));
    format!("id,x,y\n{}b,99,-99\n", rows.collect::<String>())
}

#[test]
fn every_row_is_scored_in_the_order_of_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let request = Request { drop: vec!["id".into()], ..request(folder.path(), &table()) };

    let summary = score(&request).unwrap();

    let written = fs::read_to_string(&request.out).unwrap();
    let scores: Vec<(usize, f64)> = written
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(row, score)| (row.parse().unwrap(), score.parse().unwrap()))
        .collect();
    assert_eq!((summary.rows, summary.columns), (51, vec!["x".to_string(), "y".into()]));
    assert!(scores.iter().enumerate().all(|(index, (row, _))| index == *row));
    assert!(scores[..50].iter().all(|(_, score)| *score < scores[50].1));
    assert!(written.starts_with("row,score\n"));
}

#[test]
fn contamination_names_the_outliers() {
    let folder = tempfile::tempdir().unwrap();
    let forest = IsolationForest::params().threshold(Threshold::Contamination(0.02));
    let request =
        Request { drop: vec!["id".into()], outliers: true, forest, ..request(folder.path(), &table()) };

    assert_eq!(score(&request).unwrap().outliers, 1);

    let written = fs::read_to_string(&request.out).unwrap();
    let told: Vec<&str> = written.lines().filter(|line| line.ends_with(",1")).collect();
    assert!(matches!(told[..], [line] if line.starts_with("50,")), "{told:?}");
}

#[test]
fn empty_cells_and_what_people_write_for_them_are_missing_values() {
    let folder = tempfile::tempdir().unwrap();
    let request = request(folder.path(), "x,y\n1,2\n,3\nNaN,4\nn/a,5\n 7 ,6\n");

    assert_eq!(score(&request).unwrap().rows, 5);
}

#[test]
fn what_is_no_table_of_numbers_is_refused_with_its_place_and_nothing_is_written() {
    for (table, drop, problem) in [
        ("x,y\n1,2\n3,four\n", "", "line 3, column `y`: `four` is not a finite number"),
        ("x,y\n1,inf\n", "", "line 2, column `y`: `inf` is not a finite number"),
        ("x,y\n1,1e39\n", "", "line 2, column `y`: `1e39` is not a finite number"),
        ("x,y\n1,2\n", "z", "there is no column `z` to drop; it has x, y"),
        ("x\n1\n", "x", "all columns are dropped"),
        ("x,y\n", "", "has no rows"),
        ("", "", "has no rows"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let drop = if drop.is_empty() { Vec::new() } else { vec![drop.into()] };
        let request = Request { drop, ..request(folder.path(), table) };

        let error = score(&request).unwrap_err().to_string();

        assert!(error.contains(problem), "{error}");
        assert!(!request.out.exists());
    }
    let folder = tempfile::tempdir().unwrap();
    let uneven = score(&request(folder.path(), "x,y\n1,2\n3\n")).unwrap_err();
    assert!(matches!(uneven, TableError::Read { .. }), "{uneven}");
}

#[test]
fn trees_of_another_library_score_instead_of_a_fitted_forest() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = ForeignNode::Leaf { rows: 1 };
    let root = ForeignNode::Split { column: 0, threshold: 1.0, missing_left: true, left: 1, right: 2 };
    let trees = Some(ForeignForest { sample_size: 2, trees: vec![vec![root, leaf, leaf]] });
    let request = Request { trees, ..request(folder.path(), "x\n1\n2\n") };

    score(&request).unwrap();

    assert_eq!(fs::read_to_string(&request.out).unwrap(), "row,score\n0,0.5\n1,0.5\n");
}

#[test]
fn outliers_are_explained_column_by_column_to_their_depth() {
    let folder = tempfile::tempdir().unwrap();
    let reasons = folder.path().join("reasons.csv");
    let forest = IsolationForest::params().threshold(Threshold::Contamination(0.02));
    let request = request(folder.path(), &table());
    let request = Request { drop: vec!["id".into()], forest, reasons: Some(reasons.clone()), ..request };

    score(&request).unwrap();

    let written = fs::read_to_string(reasons).unwrap();
    let (header, line) = written.trim_end().split_once('\n').unwrap();
    let numbers: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
    let [row, depth, expected, x, y] = numbers[..] else { panic!("{written}") };
    assert_eq!((header, row), ("row,depth,expected_depth,x,y", 50.0));
    assert!(((x + y) - (depth - expected)).abs() <= 1e-9 && x < 0.0 && y < 0.0, "{written}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_built_without_parquet_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let request = request(folder.path(), "");
    fs::write(&request.input, b"PAR1\x15\x04").unwrap();

    let error = score(&request).unwrap_err();

    assert!(matches!(error, TableError::Read { cause: ReadError::NoParquet, .. }), "{error}");
    assert!(!request.out.exists());
}
