use proptest::prelude::*;

use super::testing::{read, rows};
use super::*;
use crate::line::Side;

const HEADER: &str = "Journal_ID,Journal_ID_Line_Number,GL_Account_Number,Amount,Amount_Credit_Debit_Indicator,\
                      Effective_Date,Entered_Date,Entered_Time,Entered_By";

fn read_ads<T>(lines: impl AsRef<[u8]>, show: impl Fn(&Line<'_>) -> T) -> Vec<Result<T, String>> {
    let file = [HEADER.as_bytes(), b"\n", lines.as_ref()].concat();
    read(file, &Mapping::of(Preset::Ads), show)
}

fn mapping(toml: &str) -> Mapping {
    serde_json::from_str(toml).unwrap()
}

fn refused(content: &[u8], mapping: &Mapping) -> String {
    rows(content, mapping, &mut |_| ()).unwrap_err().to_string()
}

fn ok<const N: usize>(shown: [&str; N]) -> [Result<String, String>; N] {
    shown.map(|text| Ok(text.to_string()))
}

#[test]
fn debits_count_up_and_credits_down_in_both_languages() {
    let lines = "1,1,4711,5.00,S,,,,\n1,2,4711,5.00,h,,,,\n1,3,4711,5.00,D,,,,\n1,4,4711,5.00,credit,,,,\n\
                 1,5,4711,-5.00,H,,,,\n";

    let signed = read_ads(lines, |line| line.signed().to_string());

    assert_eq!(signed, ok(["5.00", "-5.00", "5.00", "-5.00", "5.00"]));
}

#[test]
fn without_a_side_column_the_sign_decides() {
    let file = "Journal_ID,GL_Account_Number,Amount\n1,4711,-5.00\n";

    let read = read(file, &Mapping::of(Preset::Ads), |line| (line.signed().to_string(), line.number));

    assert_eq!(read, [Ok(("-5.00".to_string(), None))]);
}

#[test]
fn every_rejected_line_tells_its_place_the_reason_and_the_remedy() {
    let cases = [
        (",1,4,1,S,,,,", "Journal_ID: is empty; every line needs one; export it again"),
        ("1,1,,1,S,,,,", "GL_Account_Number: is empty; every line needs one; export it again"),
        ("1,x,4,1,S,,,,", "Journal_ID_Line_Number: `x` cannot be read; write a whole number"),
        ("1,+1,4,1,S,,,,", "Journal_ID_Line_Number: `+1` cannot be read; write a whole number"),
        (
            "1,1,4,\"1,50\",S,,,,",
            "Amount: `1,50` cannot be read; write digits with a decimal point, no thousands separators, at most 4 \
             decimals, or set `decimal` and `grouping` of the mapping",
        ),
        (
            "1,1,4,NaN,S,,,,",
            "Amount: `NaN` cannot be read; correct it where the ledger was computed; it is no amount",
        ),
        (
            "1,1,4,1.00001,S,,,,",
            "Amount: `1.00001` cannot be read; write at most 4 decimals, or set `round_to` of the mapping",
        ),
        (
            "1,1,4,1,X,,,,",
            "Amount_Credit_Debit_Indicator: `X` cannot be read; write D or S for debit, C or H for credit, or set \
             debit_values and credit_values",
        ),
        (
            "1,1,4,1,S,20250231,,,",
            "Effective_Date: `20250231` cannot be read; write YYYYMMDD or YYYY-MM-DD, or leave it empty",
        ),
        (
            "1,1,4,1,S,01/02/2025,,,",
            "Effective_Date: `01/02/2025` may begin with the day or the month; set `dates` of the mapping to day_first \
             or month_first",
        ),
        ("1,1,4,1,S,,,250000,", "Entered_Time: `250000` cannot be read; write HHMMSS or HH:MM:SS"),
        ("1,1,4", "(all): 3 fields, but the header names 9; quote fields that contain the delimiter"),
        ("1,1,4,\0,S,,,,", "(all): contains a NUL byte; export the file again as UTF-8 text"),
    ];
    for (line, expected) in cases {
        let rows = read_ads(format!("1,1,4,1,S,,,,\n{line}\n1,2,4,1,H,,,,\n"), |_| ());

        assert_eq!(rows, [Ok(()), Err(format!("line 3: {expected}")), Ok(())], "{line}");
    }
}

#[test]
fn a_long_value_is_shortened_in_the_rejection() {
    let rows = read_ads(format!("1,1,4,{},S,,,,\n", "9".repeat(5_000)), |_| ());

    assert!(rows[0].as_ref().is_err_and(|text| text.len() < 250 && text.contains("9…`")), "{rows:?}");
}

#[test]
fn lines_that_are_not_utf8_are_read_as_windows_1252_and_counted() {
    let lines = [b"1,1,4,1,S,,,,J\xfcrgen \x80\n".as_slice(), "1,2,4,1,H,,,,Jürgen\n".as_bytes()].concat();
    let file = [HEADER.as_bytes(), b"\n", &lines].concat();

    assert_eq!(read_ads(lines, |line| line.user.to_string()), ok(["Jürgen €", "Jürgen"]));
    assert_eq!(rows(&file, &Mapping::of(Preset::Ads), &mut |_| ()).unwrap().not_utf8, 1);

    let strict = Mapping { encoding: mapping::Encoding::Utf8, ..Mapping::of(Preset::Ads) };
    let read = read(&file, &strict, |line| line.user.to_string());
    assert!(read[0].as_ref().is_err_and(|text| text.contains("is not UTF-8; set `encoding`")), "{read:?}");
}

/// Found by thinking, not by luck: two fields of one byte each, which together are one character of UTF-8.
#[test]
fn halves_of_a_character_in_neighbouring_fields_stay_apart() {
    let lines = b"1,1,\xc3,1,S,,,,\xbc\n\xc3,\xbc,4,1,S,,,,\n";

    let accounts = read_ads(lines, |line| line.account.to_string());

    assert_eq!(accounts[0], Ok("\u{c3}".into()));
    assert!(accounts[1].as_ref().is_err_and(|text| text.contains("Journal_ID_Line_Number")));
}

#[test]
fn every_encoding_gives_the_same_line() {
    let text = "Journal_ID,GL_Account_Number,Amount,Entered_By\n1,4711,5,Zoë €\n2,\"47\"\"11\",6,𝄞\n";
    let wide = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
    };
    for file in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        wide(b"\xff\xfe", u16::to_le_bytes),
        wide(b"\xfe\xff", u16::to_be_bytes),
    ] {
        let read = read(&file, &Mapping::of(Preset::Ads), |line| format!("{} {}", line.account, line.user));

        assert_eq!(read, ok(["4711 Zoë €", "47\"11 𝄞"]), "{:?}", &file[..4]);
    }
}

#[test]
fn half_a_character_of_utf16_breaks_its_line_only() {
    let mut file: Vec<u8> = "\u{feff}Journal_ID,GL_Account_Number,Amount\n1,x,5\n2,y,6\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let x = file.iter().position(|&byte| byte == b'x').unwrap();
    file[x + 1] = 0xd8;

    let read = read(&file, &Mapping::of(Preset::Ads), |line| line.account.to_string());

    assert!(read[0].as_ref().is_err_and(|text| text.contains("not UTF-8")), "{read:?}");
    assert_eq!(read[1], Ok("y".into()));
}

#[test]
fn names_are_found_whatever_their_case_blanks_and_underscores() {
    let file =
        b"\xef\xbb\xbfjournal id;\"GL Account-Number\";AMOUNT;JE_Header_ Description\r\n1;4711;5;why\r\n";

    let read = read(file, &Mapping::of(Preset::Ads), |line| format!("{} {}", line.account, line.header_text));

    assert_eq!(read, ok(["4711 why"]));
}

#[test]
fn a_header_that_cannot_be_used_is_refused_with_the_remedy() {
    let ads = Mapping::of(Preset::Ads);
    let none = Mapping::default();
    for (file, mapping, error) in [
        (
            &b"Journal_ID,Amount\n"[..],
            &ads,
            "column `GL_Account_Number` for account is missing; the source has Journal_ID, Amount",
        ),
        (
            b"Journal_ID,Amount,GL_Account_Number,amount,Amount\n",
            &ads,
            "column `Amount` appears twice in the first line; rename one",
        ),
        (b"\r\n", &ads, "the file is empty; it should begin with a line of column names"),
        (b"", &ads, "the file is empty; it should begin with a line of column names"),
        (b"a,b\n", &none, "no column is mapped to entry; set columns.entry of the mapping to one of a, b"),
        // A file without a header: its first line is shown as what it was taken for.
        (
            b"1,4711,5.00\n2,4711,5.00\n",
            &ads,
            "column `Journal_ID` for entry is missing; the source has 1, 4711, 5.00",
        ),
    ] {
        assert_eq!(refused(file, mapping), error);
    }
    assert_eq!(
        refused(&vec![b'x'; 3 << 20], &ads),
        "the first line is longer than 1 MiB; it should hold the column names"
    );
}

#[test]
fn a_file_without_a_header_is_read_by_the_numbers_of_its_columns() {
    let mapping = mapping(r#"{"headless": true, "columns": {"entry": "1", "account": "2", "amount": "3"}}"#);

    assert_eq!(
        read("1;4711;5.00\n2;4712;6\n", &mapping, |line| line.account.to_string()),
        ok(["4711", "4712"])
    );
}

#[test]
fn every_way_of_writing_debits_and_credits_gives_the_same_lines() {
    let signed = "e,a,v\n1,x,5\n1,y,-5\n2,x,-7\n2,y,7\n";
    let turned = "e,a,v\n1,x,-5\n1,y,5\n2,x,7\n2,y,-7\n";
    let marked = "e,a,v,s\n1,x,5,40\n1,y,5,50\n2,x,7,50\n2,y,7,40\n";
    let both = "e,a,v,s\n1,x,5,D\n1,y,-5,C\n2,x,-7,C\n2,y,7,D\n";
    let columns = "e,a,d,c\n1,x,5,0\n1,y,,5\n2,x,0.00,7\n2,y,7,\n";
    let base = r#""entry": "e", "account": "a""#;
    for (file, map) in [
        (signed, format!(r#"{{"columns": {{{base}, "amount": "v"}}}}"#)),
        (turned, format!(r#"{{"sign": "credit_positive", "columns": {{{base}, "amount": "v"}}}}"#)),
        (
            marked,
            format!(
                r#"{{"debit_values": ["40"], "credit_values": ["50"],
                    "columns": {{{base}, "amount": "v", "side": "s"}}}}"#
            ),
        ),
        (both, format!(r#"{{"sign": "debit_positive", "columns": {{{base}, "amount": "v", "side": "s"}}}}"#)),
        (columns, format!(r#"{{"columns": {{{base}, "debit": "d", "credit": "c"}}}}"#)),
    ] {
        let read =
            read(file, &mapping(&map), |line| format!("{}{} {}", line.entry, line.account, line.signed()));

        assert_eq!(read, ok(["1x 5.00", "1y -5.00", "2x -7.00", "2y 7.00"]), "{map}");
    }
}

#[test]
fn a_reversed_posting_keeps_its_side_and_two_amounts_are_refused() {
    let map = mapping(r#"{"columns": {"entry": "e", "account": "a", "debit": "d", "credit": "c"}}"#);
    let file = "e,a,d,c\n1,x,-5,0\n1,y,0,-5\n1,z,5,5\n1,z,,\n1,z,0,\n1,z,,0\n";

    let read = read(file, &map, |line| format!("{:?} {}", line.side, line.amount));

    assert_eq!(
        read,
        [
            Ok("Debit -5.00".to_string()),
            Ok("Credit -5.00".into()),
            Err("line 4: d, c: both hold an amount; split the line into a debit and a credit".into()),
            Err("line 5: d, c: neither holds an amount; every line needs one; export it again".into()),
            Ok("Debit 0.00".into()),
            Ok("Credit 0.00".into()),
        ]
    );
}

#[test]
fn columns_are_joined_chosen_and_replaced_by_constants() {
    let map = mapping(
        r#"{"columns": {"entry": {"join": ["company", "no"]}, "account": "a", "amount": "v",
            "business_unit": ["none", "cost", "profit"], "manual": "src", "reversal_of": {"join": ["company", "rev"]}},
            "constants": {"entity": "ACME"}, "manual_values": ["Hand"]}"#,
    );
    let file = "company,no,a,v,cost,profit,src,rev\n1,2,x,5,,P,hand,\n1/2,3,x,5,C,P,auto,1\n,3,x,5,,,,\n";

    let read = read(file, &map, |line| {
        let Line { entry, business_unit, manual, entity, reversal_of, .. } = line;
        format!("{entry} {business_unit} {manual:?} {entity} {reversal_of}")
    });

    assert_eq!(read[..2], ok([r"1/2 P Some(true) ACME ", r"1\/2/3 C Some(false) ACME 1\/2/1"]));
    assert_eq!(read[2], Err("line 4: company+no: is empty; every line needs one; export it again".into()));
}

#[test]
fn a_list_without_entries_has_an_entry_for_each_line() {
    let map = mapping(r#"{"lines_are_entries": true, "columns": {"account": "a", "amount": "v"}}"#);

    assert_eq!(
        read("a,v\nx,5\n\ny,6\n", &map, |line| format!("{} {}", line.entry, line.account)),
        ok(["2 x", "4 y"])
    );
}

#[test]
fn a_french_fec_is_read_in_both_of_its_shapes() {
    let columns = "JournalCode|JournalLib|EcritureNum|EcritureDate|CompteNum|CompteLib|CompAuxNum|CompAuxLib|PieceRef|\
                   PieceDate|EcritureLib|Debit|Credit|EcritureLet|DateLet|ValidDate|Montantdevise|Idevise";
    let two = "VE|Ventes|12|20240131|411000|Clients|C01|Dupont|F-7|20240130|Facture \"A\"|1234,56|0,00|||20240205||";
    let signed = columns.replace("|Debit|Credit|", "|Montant|Sens|").replace('|', "\t");
    let one = two.replace("1234,56|0,00", "1234,56|D").replace('|', "\t");
    for file in [format!("{columns}\r\n{two}\r\n"), format!("{signed}\n{one}\n")] {
        let read = read(file, &Mapping::of(Preset::Fec), |line| {
            let Line { entry, account, partner, currency, line_text, effective, document, entered, .. } =
                line;
            let dates = [effective, document, entered].map(|date| date.unwrap().to_string()).join(" ");
            format!("{entry} {account} {partner} {} {currency} {line_text} {dates}", line.signed())
        });

        assert_eq!(read, ok(["VE/12 411000 C01 1234.56 EUR Facture \"A\" 2024-01-31 2024-01-30 2024-02-05"]));
    }
}

#[test]
fn text_that_a_spreadsheet_would_run_is_text() {
    let lines = "=1+1,1,@SUM(A1),5,S,,,,\"=cmd|' /C calc'!A0\"\n";

    let read = read_ads(lines, |line| format!("{} {} {}", line.entry, line.account, line.user));

    assert_eq!(read, ok(["=1+1 @SUM(A1) =cmd|' /C calc'!A0"]));
}

#[test]
fn rounded_lines_are_counted() {
    let file = "e,a,v\n1,x,5.005\n1,y,-5.01\n1,z,0.333333\n";
    let map = mapping(r#"{"round_to": 2, "columns": {"entry": "e", "account": "a", "amount": "v"}}"#);
    let mut amounts = Vec::new();

    let origin = rows(file.as_bytes(), &map, &mut |row| {
        let Row::Line(line) = row else { panic!("{row:?}") };
        amounts.push((line.side, line.amount.to_string()));
    });

    assert_eq!(
        amounts,
        [(Side::Debit, "5.01".into()), (Side::Debit, "-5.01".into()), (Side::Debit, "0.33".to_string())]
    );
    assert_eq!(origin.unwrap().rounded, 2);
}

#[test]
fn the_hash_is_of_all_bytes_of_the_file() {
    let file = b"Journal_ID,GL_Account_Number,Amount\n1,4711,5\n";

    let origin = rows(file, &Mapping::of(Preset::Ads), &mut |_| ()).unwrap();

    use sha2::{Digest, Sha256};
    let sha256 = crate::output::hex(Sha256::new_with_prefix(file));
    assert_eq!((origin.bytes, origin.sha256, &*origin.format), (file.len() as u64, sha256, "csv"));
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
        let mut last = 1;
        rows(&file, &Mapping::of(Preset::Ads), &mut |row| {
            if let Row::Rejected(rejection) = row {
                assert!(rejection.first_line > last && rejection.last_line >= rejection.first_line);
                last = rejection.last_line;
            }
        }).unwrap();
        prop_assert!(last <= 2 + bytes.iter().filter(|&&byte| byte == b'\n').count() as u64);
    }
}
