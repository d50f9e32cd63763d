//! `compline forest` as a script meets it: without a store or a configuration.

use std::fs;

use serde_json::json;

use crate::support::binary::Place;

/// Forty ordinary rows and one far from them.
fn table() -> String {
    let rows: String = (0..40).map(|row| format!("{row},{},{}\n", row % 7, row % 5)).collect();
    format!("id,x,y\n{rows}40,99,-99\n")
}

#[test]
fn a_table_is_scored_the_same_with_any_number_of_threads() {
    let place = Place::new().file("in.csv", &table());
    let score = |out: &str, threads: &str| {
        let command =
            ["forest", "score", "in.csv", "--drop", "id", "--seed", "7", "--threads", threads, "--out", out];
        place.run(&[&command[..], &["--json"]].concat()).expect(0).json()
    };

    let told = score("one.csv", "1");
    score("three.csv", "3");

    assert_eq!((&told["rows"], &told["columns"]), (&json!(41), &json!(["x", "y"])));
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    assert_eq!(read("one.csv"), read("three.csv"));
    let scores: Vec<f64> = read("one.csv")
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap().1.parse().unwrap())
        .collect();
    assert!(scores.iter().all(|score| *score <= scores[40]));
    assert!(!place.path().join("compline.db").exists());
}

#[test]
fn a_table_that_cannot_be_read_names_the_place_and_leaves_nothing() {
    let place = Place::new().file("in.csv", "x,y\n1,2\n3,four\n");

    let answer = place.run(&["forest", "score", "in.csv", "--out", "out.csv"]).expect(2);

    answer.says(&["line 3", "column `y`", "`four`", "--drop"]);
    assert!(!place.path().join("out.csv").exists());
    place.run(&["forest", "score", "missing.csv", "--out", "out.csv"]).expect(1).says(&["missing.csv"]);
    place
        .run(&["forest", "score", "in.csv", "--sample", "1", "--out", "out.csv"])
        .expect(2)
        .says(&["sample size 1"]);
}

#[test]
fn trees_of_scikit_learn_are_taken_as_it_has_them() {
    let tree = json!({
        "children_left": [1, -1, -1], "children_right": [2, -1, -1], "feature": [0, -2, -2],
        "threshold": [1.0, -2.0, -2.0], "missing_go_to_left": [1, 0, 0], "n_node_samples": [3, 2, 1],
    });
    let forest = json!({"sample_size": 3, "trees": [tree]});
    let torn = json!({"sample_size": 3, "trees": [{
        "children_left": [1, -1, -1], "children_right": [2], "feature": [], "threshold": [],
        "missing_go_to_left": [], "n_node_samples": [],
    }]});
    let place = Place::new()
        .file("in.csv", "x\n1\n2\n\n")
        .file("trees.json", &forest.to_string())
        .file("torn.json", &torn.to_string());
    let score =
        |trees: &str| place.run(&["forest", "score", "in.csv", "--scikit-learn", trees, "--out", "out.csv"]);

    score("torn.json").expect(2).says(&["torn.json", "the arrays of tree 0 are not of one tree"]);
    score("trees.json").expect(0);

    // One edge and an unbuilt subtree of two rows against one edge: c(2) = 1, c(3) = 1.207….
    let written = fs::read_to_string(place.path().join("out.csv")).unwrap();
    let scores: Vec<f64> =
        written.lines().skip(1).map(|line| line.split_once(',').unwrap().1.parse().unwrap()).collect();
    let usual = 1.207_392_357_589_623_f64;
    assert!((scores[0] - (-2.0 / usual).exp2()).abs() < 1e-6, "{written}");
    assert!((scores[1] - (-1.0 / usual).exp2()).abs() < 1e-6, "{written}");
}
