use super::*;

#[test]
fn a_mapping_that_contradicts_itself_is_refused_with_the_key() {
    for (mapping, error) in [
        (r#"{"delimiter": "a"}"#, "delimiter: 'a' cannot separate columns; use , ; | or a tab"),
        (r#"{"round_to": 5}"#, "round_to: 5 are too many; at most 4 decimals are kept"),
        (
            r#"{"decimal": "comma", "grouping": "comma"}"#,
            "grouping: is the decimal sign too; set `decimal` to the other one",
        ),
        (r#"{"grouping": "point"}"#, "grouping: is the decimal sign too; set `decimal` to the other one"),
        (r#"{"columns": {"entry": []}}"#, "columns.entry: names no column; name one or remove the key"),
        (r#"{"columns": {"entry": ""}}"#, "columns.entry: names no column; name one or remove the key"),
        (
            r#"{"columns": {"effective": {"join": ["a", "b"]}}}"#,
            "columns.effective: cannot be joined; only texts can",
        ),
        (
            r#"{"columns": {"entity": "a"}, "constants": {"entity": "b"}}"#,
            "columns.entity: constants.entity says it too; keep one of them",
        ),
        (
            r#"{"columns": {"amount": "a", "debit": "b"}}"#,
            "columns.amount: debit and credit are mapped too; keep one way of writing amounts",
        ),
        (
            r#"{"lines_are_entries": true, "columns": {"entry": "a"}}"#,
            "lines_are_entries: an entry's id is mapped too; keep one of them",
        ),
        (
            r#"{"constants": {"amount": "1"}}"#,
            "constants.amount: an amount cannot be the same for every line; map a column",
        ),
        (
            r#"{"debit_values": ["x"], "credit_values": ["X"]}"#,
            "debit_values: `x` is among credit_values too",
        ),
    ] {
        let mapping: Mapping = serde_json::from_str(mapping).unwrap();

        assert_eq!(mapping.check().unwrap_err().to_string(), error);
    }
}

#[test]
fn an_unknown_key_is_refused_and_an_empty_mapping_is_one() {
    assert!(serde_json::from_str::<Mapping>(r#"{"decimals": "comma"}"#).is_err());
    assert!(serde_json::from_str::<Mapping>(r#"{"columns": {"entrie": "a"}}"#).is_err());
    assert_eq!(serde_json::from_str::<Mapping>("{}").unwrap(), Mapping::default());
    assert_eq!(serde_json::to_string(&Mapping::default()).unwrap(), r#"{"preset":null}"#);
}

#[test]
fn every_field_is_at_its_own_place_and_called_as_the_configuration_writes_it() {
    for (index, field) in Field::ALL.into_iter().enumerate() {
        assert_eq!(field as usize, index);
        assert_eq!(serde_json::to_value(field).unwrap(), field.name());
    }
}
