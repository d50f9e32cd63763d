use proptest::prelude::*;

use super::*;

const HEADER: &str = "Journal_ID,Journal_ID_Line_Number,GL_Account_Number,Amount,Amount_Credit_Debit_Indicator,\
                      Effective_Date,Entered_Date,Entered_Time,Entered_By";

/// What becomes of each line: the line as the function shows it, or the rejection.
fn read<T>(lines: impl AsRef<[u8]>, show: impl Fn(&AdsLine<'_>) -> T) -> Vec<Result<T, String>> {
    let file = [HEADER.as_bytes(), b"\n", lines.as_ref()].concat();
    let mut reader = AdsReader::new(file.as_slice()).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        rows.push(match row {
            Row::Line(line) => Ok(show(&line)),
            Row::Rejected(rejection) => Err(rejection.to_string()),
        });
    }
    rows
}

#[test]
fn debits_count_up_and_credits_down_in_both_languages() {
    let lines = "1,1,4711,5.00,S,,,,\n1,2,4711,5.00,h,,,,\n1,3,4711,5.00,D,,,,\n1,4,4711,5.00,credit,,,,\n\
                 1,5,4711,-5.00,H,,,,\n";

    let signed = read(lines, |line| line.signed().to_string());

    assert_eq!(signed, ["5.00", "-5.00", "5.00", "-5.00", "5.00"].map(|text| Ok(text.to_string())));
}

#[test]
fn without_a_side_column_the_sign_decides() {
    let file = b"Journal_ID,GL_Account_Number,Amount\n1,4711,-5.00\n";
    let mut reader = AdsReader::new(&file[..]).unwrap();

    let Some(Row::Line(line)) = reader.next_row().unwrap() else { panic!("no line") };

    assert_eq!((line.signed().to_string().as_str(), line.number), ("-5.00", None));
}

#[test]
fn dates_and_times_are_read_in_the_usual_forms() {
    let lines = "1,1,4,1,S,20250131,2025-02-01,090807,\n1,1,4,1,S,2025-01-31T00:00:00,20250201,90807,\n\
                 1,1,4,1,S,19000101,00000000,09:08,\n";

    let read = read(lines, |line| {
        let day = |date: Option<Date>| date.map_or("-".into(), |date| date.to_string());
        format!("{} {} {:?}", day(line.effective), day(line.entered), line.entered_time)
    });

    assert_eq!(
        read,
        ["2025-01-31 2025-02-01 Some(32887)", "2025-01-31 2025-02-01 Some(32887)", "- - Some(32880)"]
            .map(|text| Ok(text.to_string()))
    );
}

#[test]
fn every_rejected_line_tells_its_place_the_reason_and_the_remedy() {
    let cases = [
        (",1,4,1,S,,,,", "Journal_ID: is empty; every line needs one; export it again"),
        ("1,1,,1,S,,,,", "GL_Account_Number: is empty; every line needs one; export it again"),
        ("1,x,4,1,S,,,,", "Journal_ID_Line_Number: `x` cannot be read; write a whole number"),
        (
            "1,1,4,\"1,50\",S,,,,",
            "Amount: `1,50` cannot be read; write digits with a decimal point, no thousands separators, at most 4 \
             decimals",
        ),
        (
            "1,1,4,1,X,,,,",
            "Amount_Credit_Debit_Indicator: `X` cannot be read; write D or S for debit, C or H for credit",
        ),
        (
            "1,1,4,1,S,20250231,,,",
            "Effective_Date: `20250231` cannot be read; write YYYYMMDD or YYYY-MM-DD, or leave it empty",
        ),
        (
            "1,1,4,1,S,,+2025-1-1,,",
            "Entered_Date: `+2025-1-1` cannot be read; write YYYYMMDD or YYYY-MM-DD, or leave it empty",
        ),
        ("1,1,4,1,S,,,250000,", "Entered_Time: `250000` cannot be read; write HHMMSS or HH:MM:SS"),
        ("1,1,4", "(all): 3 fields, but the header names 9; quote fields that contain the delimiter"),
        ("1,1,4,\0,S,,,,", "(all): contains a NUL byte; export the file again as UTF-8 text"),
    ];
    for (line, expected) in cases {
        let rows = read(format!("1,1,4,1,S,,,,\n{line}\n1,2,4,1,H,,,,\n"), |_| ());

        assert_eq!(rows, [Ok(()), Err(format!("line 3: {expected}")), Ok(())], "{line}");
    }
}

#[test]
fn a_long_value_is_shortened_in_the_rejection() {
    let rows = read(format!("1,1,4,{},S,,,,\n", "9".repeat(5_000)), |_| ());

    assert!(rows[0].as_ref().is_err_and(|text| text.len() < 250 && text.contains("9…`")), "{rows:?}");
}

#[test]
fn lines_that_are_not_utf8_are_read_as_latin1() {
    let lines = [b"1,1,4,1,S,,,,J\xfcrgen\n".as_slice(), "1,2,4,1,H,,,,Jürgen\n".as_bytes()].concat();

    assert_eq!(read(lines, |line| line.user.to_string()), [Ok("Jürgen".into()), Ok("Jürgen".into())]);
}

/// Found by thinking, not by luck: two fields of one byte each, which together are one character of UTF-8.
#[test]
fn halves_of_a_character_in_neighbouring_fields_stay_apart() {
    let lines = b"1,1,\xc3,1,S,,,,\xbc\n\xc3,\xbc,4,1,S,,,,\n";

    let accounts = read(lines, |line| line.account.to_string());

    assert_eq!(accounts[0], Ok("\u{c3}".into()));
    assert!(accounts[1].as_ref().is_err_and(|text| text.contains("Journal_ID_Line_Number")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic_or_lose_count(
        lines in prop::collection::vec(prop::collection::vec(
            prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), b'0'..=b'9', Just(b'-'), Just(b':'), any::<u8>()], 0..60), 0..20)
    ) {
        let bytes = lines.join(&b'\n');
        let file = [HEADER.as_bytes(), b"\n", &bytes].concat();
        let mut reader = AdsReader::new(file.as_slice()).unwrap();
        let mut last = 1;
        while let Some(row) = reader.next_row().unwrap() {
            if let Row::Rejected(rejection) = row {
                prop_assert!(rejection.first_line > last && rejection.last_line >= rejection.first_line);
                last = rejection.last_line;
            }
        }
        prop_assert!(last <= 2 + bytes.iter().filter(|&&byte| byte == b'\n').count() as u64);
    }
}
