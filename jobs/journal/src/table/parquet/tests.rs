use std::fs;
use std::sync::Arc;

use ::parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type,
};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;

use super::super::{IsolationForest, Request, Summary, score};
use super::*;

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of the schema, with a row group for each of these.
fn file(schema: &str, groups: &[&dyn Fn(&mut Group<'_>)]) -> Vec<u8> {
    let end = if schema.ends_with('}') { "" } else { ";" };
    let schema = Arc::new(parse_message_type(&format!("message table {{ {schema}{end} }}")).unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
    for fill in groups {
        let mut group = writer.next_row_group().unwrap();
        fill(&mut group);
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// The next column, of a value in each row.
fn required<T: DataType>(group: &mut Group<'_>, values: &[T::T]) {
    write::<T>(group, values, None);
}

/// The next column, of a value in some rows.
fn optional<T: DataType>(group: &mut Group<'_>, cells: &[Option<T::T>]) {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    write::<T>(group, &cells.iter().flatten().cloned().collect::<Vec<_>>(), Some(&levels));
}

fn write<T: DataType>(group: &mut Group<'_>, values: &[T::T], levels: Option<&[i16]>) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

fn scored(table: &[u8], drop: &[&str]) -> Result<(Summary, String), TableError> {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("table"), folder.path().join("out.csv"));
    fs::write(&input, table).unwrap();
    let summary = score(&Request {
        input,
        drop: drop.iter().map(|name| (*name).into()).collect(),
        forest: IsolationForest::params().seed(7),
        outliers: false,
        trees: None,
        threads: Some(1),
        out: out.clone(),
        reasons: None,
    });
    match summary {
        Ok(summary) => Ok((summary, fs::read_to_string(out).unwrap())),
        Err(error) => {
            assert!(!out.exists(), "nothing is written");
            Err(error)
        }
    }
}

/// The error with its causes, as the command line tells it.
fn refused(table: &[u8], drop: &[&str]) -> String {
    let error = scored(table, drop).unwrap_err();
    let mut told = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        told = format!("{told}: {cause}");
        next = cause.source();
    }
    told
}

fn bytes_of(value: i64, length: usize) -> ByteArray {
    ByteArray::from(value.to_be_bytes()[8 - length..].to_vec())
}

#[test]
fn a_table_scores_the_same_as_parquet_and_as_csv() {
    let schema = "required int64 id; optional double x; required int32 n; optional int64 d (DECIMAL(18,2));
                  optional fixed_len_byte_array(5) w (DECIMAL(11,4)); optional binary v (DECIMAL(20,3));
                  required boolean b; optional float f; required int64 u (UINT_64); required int32 i (DECIMAL(9,0));
                  optional binary text (UTF8)";
    let rows: Vec<i64> = (0..5_000).collect();
    let x = |row: i64| (row % 7 != 0).then_some(row as f64 * 0.1 - 3.7e5);
    let cents = |row: i64| (row % 5 != 1).then_some(row * row % 100_003 - 50_000);
    let f = |row: i64| (row % 11 != 3).then_some((row % 13) as f32 / 3.0);
    let all = |rows: &[i64], group: &mut Group<'_>| {
        let each = |cell: &dyn Fn(i64) -> i64| -> Vec<i64> { rows.iter().map(|&row| cell(row)).collect() };
        let some = |cell: &dyn Fn(i64) -> Option<ByteArray>| -> Vec<_> {
            rows.iter().map(|&row| cell(row)).collect()
        };
        required::<Int64Type>(group, rows);
        optional::<DoubleType>(group, &rows.iter().map(|&row| x(row)).collect::<Vec<_>>());
        required::<Int32Type>(group, &rows.iter().map(|&row| (row % 17 - 8) as i32).collect::<Vec<_>>());
        optional::<Int64Type>(group, &rows.iter().map(|&row| cents(row)).collect::<Vec<_>>());
        let wide = some(&|row| cents(row).map(|value| bytes_of(value, 5)));
        optional::<FixedLenByteArrayType>(
            group,
            &wide.into_iter().map(|cell| cell.map(Into::into)).collect::<Vec<_>>(),
        );
        optional::<ByteArrayType>(group, &some(&|row| cents(row).map(|value| bytes_of(value * 1_001, 8))));
        required::<BoolType>(group, &rows.iter().map(|row| row % 3 == 0).collect::<Vec<_>>());
        optional::<FloatType>(group, &rows.iter().map(|&row| f(row)).collect::<Vec<_>>());
        required::<Int64Type>(group, &each(&|row| -1 - row));
        required::<Int32Type>(group, &rows.iter().map(|&row| row as i32 * 7).collect::<Vec<_>>());
        optional::<ByteArrayType>(group, &some(&|row| (row > 9).then(|| "memo".into())));
    };
    let parquet = file(schema, &[&|group| all(&rows[..4_500], group), &|group| all(&rows[4_500..], group)]);
    let told = |value: Option<String>| value.unwrap_or_default();
    let lines = rows.iter().map(|&row| {
        let decimal =
            |scale: i32, times: i64| told(cents(row).map(|value| format!("{}e-{scale}", value * times)));
        let cells = [
            row.to_string(),
            told(x(row).map(|value| value.to_string())),
            (row % 17 - 8).to_string(),
            decimal(2, 1),
            decimal(4, 1),
            decimal(3, 1_001),
            u8::from(row % 3 == 0).to_string(),
            told(f(row).map(|value| value.to_string())),
            (-1 - row).cast_unsigned().to_string(),
            (row * 7).to_string(),
            "memo".into(),
        ];
        cells.join(",") + "\n"
    });
    let csv = format!("id,x,n,d,w,v,b,f,u,i,text\n{}", lines.collect::<String>());

    let (summary, scores) = scored(&parquet, &["id", "text"]).unwrap();

    let (of_csv, scores_of_csv) = scored(csv.as_bytes(), &["id", "text"]).unwrap();
    assert_eq!((summary.rows, &summary.columns), (5_000, &of_csv.columns));
    assert!(scores == scores_of_csv && scores.lines().count() == 5_001);
}

#[test]
fn a_decimal_is_the_float_that_is_nearest() {
    for (unscaled, scale, text) in [
        (-12_345, 4, "-1.2345"),
        (1, 0, "1"),
        (30_305_745_489_635_633, 1, "3030574548963563.3"),
        (7, 25, "7e-25"),
        (i128::from(u64::MAX) * 1_000_000_007, 12, "18446744202843.082017990"),
    ] {
        let expected: f64 = format!("{unscaled}e-{scale}").parse().unwrap();

        assert_eq!(decimal(unscaled, scale), expected, "{text}");
    }
    assert_eq!(decimal(-12_345, 4), -1.2345);
}

#[test]
fn what_is_missing_is_missing_and_not_zero() {
    let optional_column = file(
        "optional double x",
        &[&|group| {
            optional::<DoubleType>(group, &[Some(1.0), None, Some(f64::NAN), Some(0.0)]);
        }],
    );

    let (_, scores) = scored(&optional_column, &[]).unwrap();

    assert_eq!(scores, scored(b"x\n1\n \nNaN\n0\n", &[]).unwrap().1);
    let scores: Vec<&str> = scores.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
    assert!(scores[1] == scores[2] && scores[1] != scores[3], "{scores:?}");
}

#[test]
fn a_column_that_holds_no_numbers_is_refused_by_its_name_unless_it_is_dropped() {
    for (schema, column, what) in [
        ("optional binary memo (UTF8)", "memo", "texts"),
        ("optional binary memo", "memo", "texts"),
        ("optional int32 day (DATE)", "day", "dates"),
        ("optional int64 at (TIMESTAMP_MILLIS)", "at", "times"),
        ("optional int32 at (TIME_MILLIS)", "at", "times"),
        ("optional int96 at", "at", "times"),
        ("optional fixed_len_byte_array(16) key", "key", "bytes"),
        (
            "optional group tags (LIST) { repeated group list { optional int32 element; } }",
            "tags.list.element",
            "lists",
        ),
    ] {
        let fill = |group: &mut Group<'_>| {
            required::<DoubleType>(group, &[1.0, 2.0]);
            let mut column = group.next_column().unwrap().unwrap();
            // No value in any row, whatever the type is.
            match schema {
                _ if schema.contains("int96") => {
                    column.typed::<::parquet::data_type::Int96Type>().write_batch(&[], Some(&[0, 0]), None)
                }
                _ if schema.contains("fixed") => {
                    column.typed::<FixedLenByteArrayType>().write_batch(&[], Some(&[0, 0]), None)
                }
                _ if schema.contains("binary") => {
                    column.typed::<ByteArrayType>().write_batch(&[], Some(&[0, 0]), None)
                }
                _ if schema.contains("int64") => {
                    column.typed::<Int64Type>().write_batch(&[], Some(&[0, 0]), None)
                }
                _ if schema.contains("group") => {
                    column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0]), Some(&[0, 0]))
                }
                _ => column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0]), None),
            }
            .unwrap();
            column.close().unwrap();
        };
        let table = file(&format!("required double x; {schema}"), &[&fill]);

        let told = refused(&table, &[]);

        let expected = format!("column `{column}` holds {what}, which are no numbers; drop it with --drop");
        assert!(told.ends_with(&expected), "{told}");
        assert_eq!(scored(&table, &[column]).unwrap().0.columns, ["x"]);
    }
}

#[test]
fn what_a_csv_file_is_refused_for_a_parquet_file_is_refused_for_too() {
    let table = |y: f64| {
        file(
            "required double x; required double y",
            &[&move |group| {
                required::<DoubleType>(group, &[1.0, 2.0]);
                required::<DoubleType>(group, &[3.0, y]);
            }],
        )
    };

    for (value, told) in [
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (1e39, "1000000000000000000000000000000000000000"),
    ] {
        let expected = format!(
            "row 1 (counted from 0), column `y`: `{told}` is not a finite number; drop the column with --drop"
        );
        assert!(refused(&table(value), &[]).contains(&expected), "{}", refused(&table(value), &[]));
    }
    assert!(refused(&table(4.0), &["z"]).contains("there is no column `z` to drop; it has x, y"));
    assert!(refused(&table(4.0), &["x", "y"]).contains("all columns are dropped"));
    assert!(refused(&file("required double x", &[]), &[]).contains("has no rows"));
    let empty = file("required double x", &[&|group| required::<DoubleType>(group, &[])]);
    assert!(refused(&empty, &[]).contains("has no rows"));
}

#[test]
fn the_row_of_a_bad_value_is_counted_over_blocks_and_row_groups() {
    let ones = vec![1.0; 5_000];
    let table = file(
        "required double x",
        &[&|group| required::<DoubleType>(group, &ones), &|group| {
            required::<DoubleType>(group, &[2.0, f64::INFINITY]);
        }],
    );

    assert!(refused(&table, &[]).contains("row 5001 (counted from 0), column `x`"));
}

#[test]
fn a_broken_file_is_refused_and_no_damaged_byte_makes_the_reader_panic() {
    let whole = file(
        "required double x; optional int32 n",
        &[&|group| {
            required::<DoubleType>(group, &[1.0, 2.0, 4.0]);
            optional::<Int32Type>(group, &[Some(1), None, Some(3)]);
        }],
    );
    for broken in [&whole[..whole.len() - 4], &whole[..40], &whole[..5]] {
        assert!(matches!(scored(broken, &[]), Err(TableError::Read { cause: ReadError::Parquet(_), .. })));
    }

    for index in 5..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x5a;
        // What is found may be right or refused.
        let _ = scored(&damaged, &[]);
    }
}

#[test]
fn a_column_of_a_csv_file_may_be_called_par1() {
    assert_eq!(scored(b"PAR1,PAR2\n1,2\n3,4\n", &[]).unwrap().0.columns, ["PAR1", "PAR2"]);
    assert_eq!(scored(b"PAR1\n1\n3\n", &[]).unwrap().0.rows, 2);
    assert!(refused(b"PAR1", &[]).contains("has no rows"));
}
