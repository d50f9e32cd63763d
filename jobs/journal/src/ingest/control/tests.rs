use super::*;
use crate::ingest::testing::with_file;

fn read_balances(file: &str, mapping: &str) -> Result<Vec<String>, String> {
    let mapping: BalanceMapping = serde_json::from_str(mapping).unwrap();
    let mut read = Vec::new();
    let take = &mut |row: Result<Balance<'_>, Rejection>| {
        read.push(match row {
            Ok(Balance { entity, account, opening, debit, credit, closing }) => {
                let shown = [opening, debit, credit, closing]
                    .map(|amount| amount.map_or("-".into(), |amount| amount.to_string()));
                format!("{entity} {account} {}", shown.join(" "))
            }
            Err(rejection) => rejection.to_string(),
        });
    };
    with_file(file.as_bytes(), |path| balances(&Input::File(path.into()), &mapping, take))
        .map(|_| read)
        .map_err(|error| match error {
            ReadError::Mapping(error) => error.to_string(),
            error => error.to_string(),
        })
}

fn read_totals(file: &str, mapping: &str) -> Vec<String> {
    let mapping: TotalMapping = serde_json::from_str(mapping).unwrap();
    let mut read = Vec::new();
    let take = &mut |row: Result<ControlTotal<'_>, Rejection>| {
        read.push(match row {
            Ok(ControlTotal { entry, side, total }) => format!("{entry} {side:?} {total}"),
            Err(rejection) => rejection.to_string(),
        });
    };
    with_file(file.as_bytes(), |path| control_totals(&Input::File(path.into()), &mapping, take)).unwrap();
    read
}

#[test]
fn a_trial_balance_of_the_standard_needs_no_mapping() {
    let file = "GL_Account_Number,Business_Unit_Code,Amount_Beginning,Amount_Ending\n4711,1000,5.00,-7\n,1000,1,1\n4712,,,x\n";

    assert_eq!(
        read_balances(file, "{}").unwrap(),
        [
            "1000 4711 5.00 - - -7.00",
            "line 3: GL_Account_Number: is empty; every line needs one; export it again",
            "line 4: Amount_Ending: `x` cannot be read; write digits with a decimal point, no thousands separators, at \
             most 4 decimals",
        ]
    );
}

#[test]
fn a_trial_balance_of_another_kind_is_mapped_like_a_ledger() {
    let file = "Konto;Firma;Soll;Haben\n4711;A/1;1.234,50;0,00\n1200;A/1;;1.234,50\n";
    let mapping = r#"{"written": {"decimal": "comma", "grouping": "point"}, "account": {"join": ["Firma", "Konto"]},
                      "debit": "Soll", "credit": "Haben"}"#;

    assert_eq!(
        read_balances(file, mapping).unwrap(),
        [r" A\/1/4711 - 1234.50 0.00 -", r" A\/1/1200 - - 1234.50 -"]
    );
}

#[test]
fn a_file_without_accounts_or_amounts_is_refused_with_the_key() {
    for (file, mapping, error) in [
        ("a,closing\n1,2\n", "{}", "account: no column is mapped to it; name one of a, closing"),
        ("account,b\n1,2\n", "{}", "closing: no amount is mapped; map opening, debit, credit or closing"),
        (
            "account,b\n1,2\n",
            r#"{"written": {"columns": {"account": "b"}}}"#,
            "written.columns: says nothing here; name the columns beside `written`",
        ),
        (
            "account,b\n1,2\n",
            r#"{"closing": "c"}"#,
            "column `c` for closing is missing; the source has account, b",
        ),
    ] {
        assert_eq!(read_balances(file, mapping).unwrap_err(), error);
    }
}

#[test]
fn totals_of_each_entry_and_side_are_read_as_the_log_has_them() {
    let file =
        "Journal_ID,Amount_Credit_Debit_Indicator,Total\n1,H,9770.52\n1,S,9770.52\n2,,1\n3,X,1\n4,S,\n";

    assert_eq!(
        read_totals(file, "{}"),
        [
            "1 Some(Credit) 9770.52",
            "1 Some(Debit) 9770.52",
            "line 4: Amount_Credit_Debit_Indicator: is empty; every line needs one; export it again",
            "line 5: Amount_Credit_Debit_Indicator: `X` cannot be read; write D or S for debit, C or H for credit, or \
             set debit_values and credit_values",
            "line 6: Total: is empty; every line needs one; export it again",
        ]
    );
    assert_eq!(
        read_totals("{\"id\": 1, \"sum\": 0.1}\n", r#"{"entry": "id", "total": "sum"}"#),
        ["1 None 0.10"]
    );
}
