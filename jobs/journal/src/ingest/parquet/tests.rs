use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{
    ByteArray, ByteArrayType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use crate::ingest::testing::{read, rows};
use crate::ingest::{Mapping, Row};

const SCHEMA: &str = "message ledger {
    required binary id (UTF8);
    optional binary account (UTF8);
    optional int64 dec (DECIMAL(18,2));
    optional fixed_len_byte_array(5) wide (DECIMAL(11,4));
    optional double amount;
    optional int32 day (DATE);
    required int64 entered (TIMESTAMP_MILLIS);
    required int32 number (UINT_32);
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
}";

/// As many rows as asked: `id`s `e0`, `e1` …; row 1 has no optional value, row 2 has values of its own.
fn file(rows: usize, compression: Compression, amount: f64) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(rows.max(1)))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let there: Vec<usize> = (0..rows).filter(|&row| row != 1).collect();
    let levels: Vec<i16> = (0..rows).map(|row| i16::from(row != 1)).collect();
    let texts =
        |texts: Vec<String>| texts.iter().map(|text| ByteArray::from(text.as_str())).collect::<Vec<_>>();

    let mut column = group.next_column().unwrap().unwrap();
    let ids = texts((0..rows).map(|row| format!("e{row}")).collect());
    column.typed::<ByteArrayType>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let accounts = texts(there.iter().map(|row| format!("4{}", row % 3)).collect());
    column.typed::<ByteArrayType>().write_batch(&accounts, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let cents: Vec<i64> = there.iter().map(|&row| if row == 2 { -5 } else { 123_456 }).collect();
    column.typed::<Int64Type>().write_batch(&cents, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let wide = |row: &usize| if *row == 2 { (-12_345_i64).to_be_bytes() } else { 12_345_i64.to_be_bytes() };
    let wide: Vec<_> = there.iter().map(|row| ByteArray::from(wide(row)[3..].to_vec()).into()).collect();
    column.typed::<FixedLenByteArrayType>().write_batch(&wide, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let amounts: Vec<f64> = there.iter().map(|&row| if row == 2 { amount } else { 582_241.76 }).collect();
    column.typed::<DoubleType>().write_batch(&amounts, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let days: Vec<i32> = there.iter().map(|_| 20_119).collect();
    column.typed::<Int32Type>().write_batch(&days, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let entered = vec![1_738_314_507_999_i64; rows];
    column.typed::<Int64Type>().write_batch(&entered, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let numbers: Vec<i32> = (0..rows).map(|row| if row == 2 { -1 } else { row as i32 }).collect();
    column.typed::<Int32Type>().write_batch(&numbers, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![0; rows]), Some(&vec![0; rows])).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn mapping(amount: &str) -> Mapping {
    serde_json::from_str(&format!(
        r#"{{"decimal": "comma", "columns": {{"entry": "id", "account": ["account", "id"], "amount": "{amount}",
            "effective": "day", "entered": "entered", "entered_time": "entered", "number": "number"}}}}"#
    ))
    .unwrap()
}

fn shown(file: &[u8], amount: &str) -> Vec<Result<String, String>> {
    read(file, &mapping(amount), |line| {
        let day = line.effective.map_or("-".into(), |day| day.to_string());
        let entered = line.entered.unwrap();
        format!("{} {} {} {day} {entered} {:?}", line.entry, line.account, line.amount, line.entered_time)
    })
}

#[test]
fn decimals_floats_dates_and_times_are_read_exactly_under_every_codec() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(Default::default()),
    ] {
        let file = file(3, compression, -0.5);
        let entered = "2025-01-31 2025-01-31 Some(32907)";

        for (amount, first, third) in
            [("dec", "1234.56", "-0.05"), ("wide", "1.2345", "-1.2345"), ("amount", "582241.76", "-0.50")]
        {
            let shown = shown(&file, amount);

            assert_eq!(shown[0], Ok(format!("e0 40 {first} {entered}")), "{compression} {amount}");
            assert_eq!(shown[2], Ok(format!("e2 42 {third} {entered}")), "{compression} {amount}");
            assert!(
                shown[1]
                    .as_ref()
                    .is_err_and(|error| error.starts_with(&format!("line 2: {amount}: is empty")))
            );
        }
    }
}

#[test]
fn floats_that_are_no_numbers_are_rejected_in_their_row() {
    for (amount, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let shown = shown(&file(4, Compression::SNAPPY, amount), "amount");

        let expected =
            format!("line 3: amount: `{text}` cannot be read; correct it where the ledger was computed");
        assert!(shown[2].as_ref().is_err_and(|error| error.starts_with(&expected)), "{shown:?}");
        assert!(shown[3].is_ok());
    }
}

#[test]
fn unsigned_numbers_and_many_pages_keep_their_rows_together() {
    let file = file(10_000, Compression::SNAPPY, 1.0);
    let mut numbers = Vec::new();

    let origin = rows(&file, &mapping("dec"), &mut |row| {
        if let Row::Line(line) = row {
            assert_eq!(line.account, format!("4{}", line.entry[1..].parse::<u64>().unwrap() % 3));
            numbers.push((line.entry.to_string(), line.number));
        }
    });

    assert_eq!(numbers.len(), 9_999);
    assert_eq!(numbers[1], ("e2".into(), Some(u64::from(u32::MAX))));
    assert_eq!(numbers[9_998], ("e9999".into(), Some(9_999)));
    assert_eq!(origin.unwrap().format, "parquet");
}

#[test]
fn a_column_of_lists_and_a_damaged_file_are_refused() {
    let file = file(3, Compression::SNAPPY, 1.0);
    let mut damaged = file.clone();
    let middle = damaged.len() - 12;
    damaged[middle..].fill(7);

    assert!(rows(&damaged[..damaged.len() - 4], &mapping("dec"), &mut |_| ()).is_err());
    assert!(rows(&damaged, &mapping("dec"), &mut |_| ()).is_err());
    let missing = rows(&file, &mapping("none"), &mut |_| ()).unwrap_err().to_string();
    assert!(
        missing.starts_with("column `none` for amount is missing; the source has id, account, dec"),
        "{missing}"
    );
}

/// Found while reading the code again: in a block without any value, the deepest level that occurs is not the value's.
#[test]
fn a_value_within_a_group_that_is_there_may_be_missing_in_every_row() {
    let schema = "message l { required binary id (UTF8); required double amount;
                  optional group more { optional binary text (UTF8); } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&["a".into(), "b".into()], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[1.0, 2.0], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[], Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let mapping: Mapping = serde_json::from_str(
        r#"{"columns": {"entry": "id", "account": "id", "amount": "amount", "line_text": "more.text"}}"#,
    )
    .unwrap();

    let read =
        read(writer.into_inner().unwrap(), &mapping, |line| format!("{} {:?}", line.amount, line.line_text));

    assert_eq!(read, ["1.00 \"\"", "2.00 \"\""].map(|text| Ok(text.to_string())));
}

#[test]
fn no_damaged_byte_makes_the_reader_panic() {
    let file = file(3, Compression::SNAPPY, 1.0);
    for index in (0..file.len()).step_by(3) {
        let mut damaged = file.clone();
        damaged[index] ^= 0x5a;
        // What is found may be right, rejected or refused.
        let _ = rows(&damaged, &mapping("dec"), &mut |_| ());
    }
}
