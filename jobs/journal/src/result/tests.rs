use super::*;
use crate::output::RunTag;

#[test]
fn results_that_are_written_read_back_the_same_and_have_the_same_bytes_again() {
    let folder = tempfile::tempdir().unwrap();
    let results = sample::results(7);
    let write = |claim| results.write(folder.path(), &RunTag { run: "r".into(), claim }).unwrap();

    let path = write(1);
    let first = std::fs::read(&path).unwrap();
    write(2);

    assert_eq!(Results::parse(&first).unwrap(), results);
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

#[test]
fn results_of_another_form_are_refused_by_their_number() {
    let json = br#"{ "schema": 99, "what": "a later program wrote" }"#;

    let refused = Results::parse(json).unwrap_err();

    assert_eq!(
        refused.to_string(),
        "these results have the form 99, and this program reads the form 1; make them again"
    );
}

#[test]
fn what_is_no_result_is_refused() {
    for json in ["", "[]", "{}", r#"{ "schema": 1 }"#] {
        assert!(matches!(Results::parse(json.as_bytes()), Err(ResultsError::NotResults(_))), "{json}");
    }
}

#[test]
fn a_long_list_keeps_its_first_and_its_true_count() {
    let mut list = Listed::default();

    (0..10).for_each(|number| list.push(number, 3));

    assert_eq!((list.listed(), list.total(), list.omitted()), (&[0, 1, 2][..], 10, 7));
}

#[test]
fn the_hash_of_several_inputs_depends_on_each_and_on_their_order() {
    let mut results = sample::results(7);
    let one = results.inputs_sha256();
    results.inputs.push(Input { sha256: "ab".repeat(32), ..results.inputs[0].clone() });
    let two = results.inputs_sha256();
    results.inputs.reverse();
    let reversed = results.inputs_sha256();

    assert_eq!(one, results.inputs[1].sha256);
    assert!(one != two && two != reversed);
}
