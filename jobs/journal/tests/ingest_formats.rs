//! One ledger in every format: the same lines come out, and hostile files end in an error or in the right result.

#![cfg(feature = "parquet")]
#![expect(clippy::unwrap_used, reason = "the helpers of these tests are tests too")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use journal::ingest::{self, Cell, Input, Mapping, Query, Row, Rows, RowsError};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rust_xlsxwriter::Workbook;

const LINES: usize = 500;

/// Entry, account, text and amount of a line; two lines of an entry add up to zero.
fn line(number: usize) -> [String; 4] {
    let cents = (number / 2 * 7919) % 10_000_000;
    let sign = if number.is_multiple_of(2) { "" } else { "-" };
    let text = ["=cmd|x", "Grün, \"quoted\"", "", "a\\b"][number % 4];
    [
        format!("E{:04}", number / 2),
        format!("{}", 1000 + number % 37),
        text.into(),
        format!("{sign}{}.{:02}", cents / 100, cents % 100),
    ]
}

const NAMES: [&str; 4] = ["entry", "account", "text", "amount"];

fn mapping() -> Mapping {
    serde_json::from_str(
        r#"{"columns": {"entry": "entry", "account": "account", "line_text": "text", "amount": "amount"}}"#,
    )
    .unwrap()
}

fn read(input: &Input) -> Vec<[String; 4]> {
    let mut source = ingest::open(input, &mapping()).unwrap();
    let mut lines = Vec::new();
    while let Some(block) = source.next_block().unwrap() {
        let take = &mut |row: Row<'_>| match row {
            Row::Line(line) => lines.push([
                line.entry.to_string(),
                line.account.to_string(),
                line.line_text.to_string(),
                line.signed().to_string(),
            ]),
            Row::Rejected(rejection) => panic!("{rejection}"),
        };
        block.parse(take).unwrap();
    }
    lines
}

fn write_csv(path: &Path) {
    let mut csv = csv::Writer::from_path(path).unwrap();
    csv.write_record(NAMES).unwrap();
    (0..LINES).for_each(|number| csv.write_record(line(number)).unwrap());
    csv.flush().unwrap();
}

fn write_json(path: &Path) {
    let object = |number| {
        let [entry, account, text, amount] = line(number);
        let amount: serde_json::Value = serde_json::from_str(&amount).unwrap();
        let object =
            serde_json::json!({ "text": text, "amount": amount, "entry": entry, "account": account });
        object.to_string() + "\n"
    };
    fs::write(path, (0..LINES).map(object).collect::<String>()).unwrap();
}

fn write_xlsx(path: &Path) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in NAMES.into_iter().enumerate() {
        sheet.write(0, column as u16, name).unwrap();
    }
    for number in 0..LINES {
        let [entry, account, text, amount] = line(number);
        let row = number as u32 + 1;
        sheet.write(row, 0, entry).unwrap();
        sheet.write(row, 1, account.parse::<f64>().unwrap()).unwrap();
        sheet.write(row, 2, text).unwrap();
        sheet.write(row, 3, amount.parse::<f64>().unwrap()).unwrap();
    }
    book.save(path).unwrap();
}

fn write_parquet(path: &Path) {
    let schema = "message ledger { required binary entry (UTF8); required binary account (UTF8);
                  required binary text (UTF8); required double amount; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, properties).unwrap();
    for group in [0..300, 300..LINES] {
        let mut row_group = writer.next_row_group().unwrap();
        for column in 0..3 {
            let values: Vec<ByteArray> =
                group.clone().map(|number| ByteArray::from(line(number)[column].as_str())).collect();
            let mut writer = row_group.next_column().unwrap().unwrap();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            writer.close().unwrap();
        }
        let values: Vec<f64> = group.map(|number| line(number)[3].parse().unwrap()).collect();
        let mut writer = row_group.next_column().unwrap().unwrap();
        writer.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
        writer.close().unwrap();
        row_group.close().unwrap();
    }
    writer.close().unwrap();
}

#[derive(Debug)]
struct Table;

struct TableRows {
    names: Vec<String>,
    next: usize,
}

impl Query for Table {
    fn rows(&self) -> Result<Box<dyn Rows>, RowsError> {
        Ok(Box::new(TableRows { names: NAMES.map(String::from).to_vec(), next: 0 }))
    }
}

impl Rows for TableRows {
    fn columns(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, put: &mut dyn FnMut(Cell<'_>)) -> Result<bool, RowsError> {
        if self.next == LINES {
            return Ok(false);
        }
        let [entry, account, text, amount] = line(self.next);
        [entry, account, text].iter().for_each(|text| put(Cell::Text(text)));
        put(Cell::Number(&amount));
        self.next += 1;
        Ok(true)
    }
}

#[test]
fn every_format_gives_the_same_lines() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.csv");
    write_csv(&plain);
    let wide: Vec<u8> = format!("\u{feff}{}", fs::read_to_string(&plain).unwrap())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(folder.path().join("wide.csv"), wide).unwrap();
    write_json(&folder.path().join("ledger.jsonl"));
    write_xlsx(&folder.path().join("ledger.xlsx"));
    write_parquet(&folder.path().join("ledger.parquet"));

    // Texts are trimmed, and what an amount says is shown in one way.
    let expected: Vec<[String; 4]> = (0..LINES)
        .map(|number| {
            let [entry, account, text, amount] = line(number);
            [entry, account, text, amount.replacen("-0.00", "0.00", 1)]
        })
        .collect();

    for name in ["plain.csv", "wide.csv", "ledger.jsonl", "ledger.xlsx", "ledger.parquet"] {
        assert_eq!(read(&Input::File(folder.path().join(name))), expected, "{name}");
    }
    assert_eq!(read(&Input::Query(Arc::new(Table))), expected);
}

#[test]
fn blocks_parsed_in_any_order_give_the_same_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.csv");
    let mut text = String::from("entry,account,text,amount\n");
    for number in 0..60_000 {
        let amount = if number % 10_000 == 5_000 { "x" } else { "1" };
        text += &format!("E{number},4711,\"two\nlines of {number:040}\",{amount}\n");
    }
    fs::write(&path, text).unwrap();
    let mut source = ingest::open(&Input::File(path), &mapping()).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = source.next_block().unwrap() {
        blocks.push(block);
    }
    assert!(blocks.len() > 2);

    let (mut lines, mut places) = (0, Vec::new());
    for block in blocks.into_iter().rev() {
        let take = &mut |row: Row<'_>| match row {
            Row::Line(_) => lines += 1,
            Row::Rejected(rejection) => places.push((rejection.first_line, rejection.last_line)),
        };
        block.parse(take).unwrap();
    }

    places.sort_unstable();
    let expected: Vec<(u64, u64)> =
        (0..6).map(|k| 2 * (k * 10_000 + 5_000) + 2).map(|line| (line, line + 1)).collect();
    assert_eq!((lines, places), (60_000 - 6, expected));
}
