use super::*;
use crate::ingest::testing;

fn guessed(content: impl AsRef<[u8]>) -> Guess {
    testing::with_file(content.as_ref(), |path| {
        guess(&Input::File(path.into()), &Mapping::default()).unwrap()
    })
}

fn value<'a>(guess: &'a Guess, key: &str) -> Option<&'a str> {
    guess.findings.iter().find(|finding| finding.key == key).map(|finding| finding.value.as_str())
}

#[test]
fn a_german_export_is_proposed_with_the_reason_of_each_guess() {
    let file = "Belegnummer;Konto;Soll;Haben;Buchungsdatum;Benutzer;Zweck\n\
                1;4711;1.234,50;0,00;31/01/2025;meier;x\n1;1200;;1.234,50;01/02/2025;meier;x\n";

    let guess = guessed(file);

    assert_eq!(
        guess.to_string(),
        "format = csv: seen from the first bytes\n\
         delimiter = ';': occurs most in the first line\n\
         columns.entry = Belegnummer: is called like entry\n\
         columns.account = Konto: is called like account\n\
         columns.debit = Soll: is called like debit\n\
         columns.credit = Haben: is called like credit\n\
         columns.user = Benutzer: is called like user\n\
         columns.effective = Buchungsdatum: is called like effective\n\
         decimal = comma: reads all 3 amounts of the sample, such as `1.234,50`\n\
         grouping = point: reads all 3 amounts of the sample, such as `1.234,50`\n\
         dates = day_first: `31/01/2025` has no such month\n\
         not used: Zweck\n"
    );
    let read = testing::read(file, &guess.mapping, |line| format!("{} {:?}", line.signed(), line.effective));
    assert_eq!(
        read,
        ["1234.50 Some(2025-01-31)", "-1234.50 Some(2025-02-01)"].map(|text| Ok(text.to_string()))
    );
}

#[test]
fn what_the_sample_leaves_open_is_asked_and_not_chosen() {
    for (file, question) in [
        (
            "id,account,amount,date\n1,a,5,01/02/2025\n1,b,-5,03/04/2025\n",
            "all 2 dates such as `01/02/2025` could begin with the day or the month; set dates to day_first or month_first",
        ),
        (
            "id,account,amount\n1,a,1.234\n1,b,-1.234\n",
            "`-1.234` may be thousands or decimals; set decimal to point or comma",
        ),
        (
            "id;account;amount\n1;a;1,234\n1;b;-1,234\n",
            "`-1,234` may be thousands or decimals; set decimal to point or comma",
        ),
        ("id,account,amount\n1,a,x\n", "no way of writing numbers fits all amounts; `x` is one of them"),
        (
            "id,account,amount\n1,a,1.23456\n1,b,2\n",
            "1 of 2 amounts have more than 4 decimals, such as `1.23456`; set round_to to keep those lines",
        ),
        (
            "id,account,amount,dc\n1,a,1,40\n1,b,1,50\n",
            "`40`, `50` say debit or credit; set debit_values and credit_values",
        ),
        (
            "id,account,amount,manual\n1,a,1,hand\n1,b,1,auto\n",
            "which of `auto`, `hand` is by hand; set manual_values",
        ),
        (
            "x,account,amount\n1,a,1\n",
            "no column is called like entry; set columns.entry, or lines_are_entries = true if each line is one",
        ),
        (
            "1,4711,5.00\n2,4711,5.00\n",
            "the first line looks like data (1, 4711, 5.00); if it is, set headless = true and map columns by number",
        ),
        (
            "id,account,amount,date\n1,a,5,2025-13-01\n",
            "no order of day and month fits all dates; `2025-13-01` is one of them",
        ),
    ] {
        let guess = guessed(file);

        assert!(guess.questions.iter().any(|asked| asked == question), "{file}: {:?}", guess.questions);
        assert_eq!((guess.mapping.dates, guess.mapping.decimal), (None, None), "{file}");
    }
}

#[test]
fn known_layouts_are_recognised_by_their_columns() {
    for (file, preset) in [
        ("Journal_ID,GL_Account_Number,Amount\n1,2,3\n", "ads"),
        ("JournalCode|EcritureNum|EcritureDate|CompteNum|Debit|Credit\nVE|1|20240101|411|1,00|0,00\n", "fec"),
        ("BUKRS,BELNR,GJAHR,HKONT,DMBTR,SHKZG\n1000,1,2024,4711,5.00,S\n", "sap"),
        ("<AuditFile/>", "saft"),
    ] {
        let guess = guessed(file);

        assert_eq!((value(&guess, "preset"), guess.questions.as_slice()), (Some(preset), &[][..]), "{file}");
    }
}

#[test]
fn the_meaning_of_signs_is_seen_from_the_entries_that_balance() {
    let signed = "id,account,amount,dc\n1,a,5,D\n1,b,-5,C\n2,a,7,D\n2,b,-7,C\n";
    let by_side = "id,account,amount,dc\n1,a,5,D\n1,b,5,C\n2,a,-7,D\n2,b,-7,C\n";

    assert_eq!(value(&guessed(signed), "sign"), Some("debit_positive"));
    assert_eq!(value(&guessed(by_side), "sign"), None);
}

#[test]
fn keys_of_json_and_numbers_of_it_are_taken_as_they_are() {
    let guess = guessed("{\"id\": 1, \"line\": {\"account\": \"a\", \"amount\": 1.234}, \"x\": [1]}\n");

    assert_eq!((value(&guess, "format"), value(&guess, "columns.entry")), (Some("json_lines"), Some("id")));
    assert_eq!((value(&guess, "columns.amount"), guess.questions.len()), (Some("line.amount"), 0));
}

#[test]
fn what_is_known_is_kept_and_days_of_spreadsheets_are_seen() {
    let known: Mapping = serde_json::from_str(r#"{"columns": {"entry": "z"}, "decimal": "comma"}"#).unwrap();
    let file = b"id,account,amount,date,z\n1,a,5,45688,9\n".as_slice();

    let guess = testing::with_file(file, |path| guess(&Input::File(path.into()), &known).unwrap());

    assert_eq!(guess.mapping.columns[&Field::Entry], Columns::One("z".into()));
    assert_eq!(guess.mapping.decimal, Some(DecimalSign::Comma));
    assert_eq!(value(&guess, "dates"), Some("serial"));
}
