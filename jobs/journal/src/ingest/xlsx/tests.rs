use std::io::Write;
use std::path::PathBuf;

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::ingest::testing::rows_of;
use crate::ingest::{Mapping, Row};

fn mapping(more: &str) -> Mapping {
    serde_json::from_str(&format!(
        r#"{{{more} "columns": {{"entry": "Id", "account": "Account", "amount": "Amount", "effective": "Day",
            "entered_time": "Time", "line_text": "Text"}}}}"#
    ))
    .unwrap()
}

fn shown(path: &std::path::Path, mapping: &Mapping) -> Result<Vec<String>, String> {
    let mut shown = Vec::new();
    rows_of(path, mapping, &mut |row| {
        shown.push(match row {
            Row::Line(line) => {
                let day = line.effective.map_or("-".into(), |day| day.to_string());
                let crate::line::Line { entry, account, amount, entered_time, line_text, .. } = line;
                format!("{entry} {account} {amount} {day} {entered_time:?} {line_text}")
            }
            Row::Rejected(rejection) => rejection.to_string(),
        });
    })
    .map(|_| shown)
    .map_err(|error| error.to_string())
}

/// A workbook as Excel writes it, with another sheet before the ledger's.
fn workbook(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("ledger.xlsx");
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Notes").unwrap().write(0, 0, "not the ledger").unwrap();
    let sheet = book.add_worksheet().set_name("GL & more").unwrap();
    for (column, name) in ["Id", "Account", "Amount", "Day", "Time", "Text"].into_iter().enumerate() {
        sheet.write(1, column as u16, name).unwrap();
    }
    let (day, time) = (Format::new().set_num_format("dd/mm/yyyy"), Format::new().set_num_format("hh:mm:ss"));
    let at = |text| ExcelDateTime::parse_from_str(text).unwrap();
    sheet.write(2, 0, "a").unwrap();
    sheet.write(2, 1, 4711).unwrap();
    sheet.write(2, 2, 582_241.76).unwrap();
    sheet.write_with_format(2, 3, at("2025-01-31"), &day).unwrap();
    sheet.write_with_format(2, 4, at("09:08:27"), &time).unwrap();
    sheet.write(2, 5, " =cmd & <b> \u{e4} ").unwrap();
    // A row without a cell that says something, then a formula's result and an error.
    sheet.write(4, 0, "b").unwrap();
    sheet.write(4, 1, "0815").unwrap();
    sheet.write_formula(4, 2, Formula::new("=0.1+0.2").set_result("0.30000000000000004")).unwrap();
    sheet.write(4, 3, "2025-02-01").unwrap();
    sheet.write(5, 0, "c").unwrap();
    sheet.write(5, 1, 1).unwrap();
    sheet.write_formula(5, 2, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    sheet.write(6, 0, "d").unwrap();
    sheet.write(6, 8, "beside the table").unwrap();
    book.save(&path).unwrap();
    path
}

#[test]
fn a_sheet_is_read_by_its_name_with_dates_times_and_exact_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = workbook(&folder);

    assert_eq!(
        shown(&path, &mapping(r#""sheet": "GL & more", "decimal": "comma","#)).unwrap(),
        [
            "a 4711 582241.76 2025-01-31 Some(32907) =cmd & <b> \u{e4}",
            "b 0815 0.30 2025-02-01 None ",
            "line 6: Amount: `#DIV/0!` cannot be read; correct it where the ledger was computed; it is no amount",
            "line 7: (all): 9 cells, but the first row names 6; name every column in the first row",
        ]
    );
}

#[test]
fn a_sheet_that_is_not_there_is_refused_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = workbook(&folder);

    assert_eq!(
        shown(&path, &mapping(r#""sheet": "GL","#)).unwrap_err(),
        "the workbook has no sheet `GL`; it has Notes, GL & more"
    );
    // The first sheet is not the ledger's.
    assert_eq!(
        shown(&path, &mapping("")).unwrap_err(),
        "column `Id` for entry is missing; the source has not the ledger"
    );
}

/// A workbook by hand, of the parts given.
fn archive(folder: &TempDir, sheet: &[u8], shared: &[u8]) -> PathBuf {
    let path = folder.path().join("made.xlsx");
    let mut zip = ZipWriter::new(std::fs::File::create(&path).unwrap());
    let mut part = |name: &str, bytes: &[u8]| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    };
    part(
        "xl/workbook.xml",
        br#"<workbook xmlns:r="r"><sheets><sheet name="S" r:id="rId7"/></sheets></workbook>"#,
    );
    part(
        "xl/_rels/workbook.xml.rels",
        br#"<Relationships><Relationship Id="rId7" Target="/xl/worksheets/s.xml"/></Relationships>"#,
    );
    part("xl/sharedStrings.xml", shared);
    part("xl/worksheets/s.xml", sheet);
    zip.finish().unwrap();
    path
}

const HEADER: &str = r#"<worksheet><sheetData><row><c t="inlineStr"><is><t>Id</t></is></c><c t="s"><v>0</v></c>
    <c t="inlineStr"><is><r><t>Am</t></r><r><t>ount</t></r></is></c></row>"#;
const SHARED: &[u8] =
    b"<sst><si><t>Account</t></si><si><r><t>4</t></r><r><t>2</t></r><rPh><t>no</t></rPh></si></sst>";

fn made(rows: &str, shared: &[u8]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = archive(&folder, format!("{HEADER}{rows}</sheetData></worksheet>").as_bytes(), shared);
    let mapping: Mapping =
        serde_json::from_str(r#"{"columns": {"entry": "Id", "account": "Account", "amount": "Amount"}}"#)
            .unwrap();
    shown(&path, &mapping)
}

#[test]
fn cells_in_place_rich_texts_and_missing_references_are_read() {
    let rows = r#"<row r="9"><c r="A9" t="str"><f>x</f><v>e</v></c><c t="s"><v>1</v></c><c><v>1E+2</v></c></row>
        <row><c r="C10"><v>5</v></c></row>"#;

    assert_eq!(
        made(rows, SHARED).unwrap(),
        ["e 42 100.00 - None ", "line 10: Id: is empty; every line needs one; export it again"]
    );
}

#[test]
fn hostile_workbooks_are_refused_before_they_fill_memory() {
    let row = |cell: &str| format!("<row><c t=\"str\"><v>e</v></c>{cell}</row>");
    let far = row("<c r=\"XFE1\"><v>1</v></c>");
    let long = row(&format!("<c t=\"str\"><v>{}</v></c>", "x".repeat(300_000)));
    let bomb = format!("{}{}", row(""), " ".repeat(20 << 20));
    for (rows, shared, error) in [
        (far.as_str(), SHARED, "has a cell in column 16385 of row 2"),
        (&long, SHARED, "has a cell in row 2 that is longer than a cell can be"),
        (&bomb, SHARED, "has a part `xl/worksheets/s.xml` of "),
        (&row("<c t=\"s\"><v>9</v></c>"), SHARED, "has no shared text 9"),
        ("", b"<!DOCTYPE sst [<!ENTITY a \"b\">]><sst><si><t>&a;</t></si></sst>", "declares a document type"),
    ] {
        let found = made(rows, shared).unwrap_err();

        assert!(found.contains(error), "{found}");
    }
}

#[test]
fn a_part_that_is_not_what_its_directory_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let row =
        r#"<row><c t="str"><v>e</v></c><c t="s"><v>1</v></c><c><v>5</v></c></row></sheetData></worksheet>"#;
    let path = archive(&folder, format!("{HEADER}{row}").as_bytes(), SHARED);
    let mapping: Mapping =
        serde_json::from_str(r#"{"columns": {"entry": "Id", "account": "Account", "amount": "Amount"}}"#)
            .unwrap();
    let good = std::fs::read(&path).unwrap();
    assert_eq!(shown(&path, &mapping).unwrap(), ["e 42 5.00 - None "]);
    for index in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[index] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        // What the damage did not touch is the same; anything else is an error, and never a panic.
        if let Ok(lines) = shown(&path, &mapping) {
            assert_eq!(lines, ["e 42 5.00 - None "], "byte {index}");
        }
    }
    std::fs::write(&path, b"PK\x03\x04 and no more").unwrap();
    assert!(shown(&path, &mapping).unwrap_err().starts_with("the workbook cannot be unpacked"));
}
