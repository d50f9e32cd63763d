use std::fs;

use jiff::civil::date;

use super::*;
use crate::result::sample::TEXTS;

const TESTS: [&str; 2] = ["W1", "T1"];

fn row<'a>(rank: u64, entry: &'a str, user: &'a str) -> ScoreRow<'a> {
    ScoreRow {
        entry,
        population: "1000 manual",
        rank,
        // One third has no short decimal form; the next float is another score.
        score: f64::from_bits((1.0_f64 / 3.0).to_bits() + rank),
        risk: 0.1 + 0.2,
        band: Band::Medium,
        detector: Detector::CombinationSum,
        detector_ranks: [0.25, 0.5, 0.75, 1.0 / 7.0],
        tests: if rank.is_multiple_of(2) { &TESTS } else { &[] },
        amount: "-12345678901234.5678".parse().unwrap(),
        date: (rank != 2).then_some(date(2025, 12, 31)),
        user,
        model_id: "m1",
    }
}

fn tag() -> RunTag {
    RunTag { run: "r".into(), claim: 1 }
}

/// A row for every text that has broken something, as id and as user.
fn rows() -> Vec<ScoreRow<'static>> {
    TEXTS
        .iter()
        .enumerate()
        .map(|(place, text)| row(place as u64 + 1, text, TEXTS[TEXTS.len() - 1 - place]))
        .collect()
}

fn written(format: Format, folder: &Path) -> PathBuf {
    let mut file = ScoresFile::create(format, folder, &tag()).unwrap();
    rows().iter().for_each(|row| file.write(row).unwrap());
    file.commit().unwrap()
}

#[test]
fn csv_reads_back_with_the_same_bits_and_without_a_formula() {
    let folder = tempfile::tempdir().unwrap();

    let path = written(Format::Csv, folder.path());

    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("entry,population,rank,score,risk,band,detector,rank_value_forest,"));
    assert_eq!(text.lines().next().unwrap().split(',').count(), 16);
    assert!(text.contains("\r\n"));
    let mut reader = csv::Reader::from_path(&path).unwrap();
    for (record, row) in reader.records().map(|record| record.unwrap()).zip(rows()) {
        assert_eq!(record[0].trim_start_matches('\''), row.entry);
        for cell in [&record[0], &record[14]] {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
        assert_eq!(record[3].parse::<f64>().unwrap().to_bits(), row.score.to_bits());
        assert_eq!(record[10].parse::<f64>().unwrap().to_bits(), row.detector_ranks[3].to_bits());
        assert_eq!(record[11], row.tests.join(" "));
        assert_eq!(record[12].parse::<Amount>().unwrap(), row.amount);
        assert_eq!(&record[13], row.date.map(|date| date.to_string()).unwrap_or_default());
    }
}

#[test]
fn json_lines_read_back_with_the_same_bits_and_texts() {
    let folder = tempfile::tempdir().unwrap();

    let path = written(Format::JsonLines, folder.path());

    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), TEXTS.len());
    for (line, row) in text.lines().zip(rows()) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["entry"], row.entry);
        assert_eq!(value["user"], row.user);
        assert_eq!(value["score"].as_f64().unwrap().to_bits(), row.score.to_bits());
        assert_eq!(value["tests"].as_array().unwrap().len(), row.tests.len());
        assert_eq!(value["amount"], "-12345678901234.5678");
        assert_eq!(value["date"].as_str().is_none(), row.rank == 2);
        assert_eq!(value["detector"], row.detector.id());
    }
}

#[test]
fn the_same_rows_give_the_same_bytes_in_every_format() {
    for &format in ALL {
        let [first, second] = [0, 1].map(|_| {
            let folder = tempfile::tempdir().unwrap();
            fs::read(written(format, folder.path())).unwrap()
        });
        assert_eq!(first, second, "{format:?}");
    }
}

#[test]
fn a_file_that_is_given_up_never_appears() {
    for &format in ALL {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ScoresFile::create(format, folder.path(), &tag()).unwrap();
        file.write(&row(1, "a", "b")).unwrap();

        drop(file);

        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{format:?}");
    }
}

const ALL: &[Format] = &[
    Format::Csv,
    Format::JsonLines,
    #[cfg(feature = "parquet")]
    Format::Parquet,
];

#[cfg(feature = "parquet")]
#[test]
fn parquet_reads_back_with_the_same_bits_and_texts() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};

    let folder = tempfile::tempdir().unwrap();

    let path = written(Format::Parquet, folder.path());

    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let read: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
    assert_eq!(read.len(), TEXTS.len());
    for (read, row) in read.iter().zip(rows()) {
        assert_eq!(read.get_string(0).unwrap(), row.entry);
        assert_eq!(read.get_long(2).unwrap(), row.rank as i64);
        assert_eq!(read.get_double(3).unwrap().to_bits(), row.score.to_bits());
        assert_eq!(read.get_double(10).unwrap().to_bits(), row.detector_ranks[3].to_bits());
        assert_eq!(read.get_list(11).unwrap().len(), row.tests.len());
        let amount = read.get_decimal(12).unwrap();
        assert_eq!(i128::from_be_bytes(amount.data().try_into().unwrap()), -123_456_789_012_345_678);
        assert_eq!((amount.precision(), amount.scale()), (38, 4));
        let date = row.date.map_or(Field::Null, |_| Field::Date(20_453));
        assert_eq!(read.get_column_iter().nth(13).unwrap().1, &date);
        assert_eq!(read.get_string(14).unwrap(), row.user);
    }
}

#[cfg(feature = "parquet")]
#[test]
fn a_row_group_that_is_full_is_written_and_the_next_begins() {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let folder = tempfile::tempdir().unwrap();
    let mut file = ScoresFile::create(Format::Parquet, folder.path(), &tag()).unwrap();

    (1..=65_537).for_each(|rank| file.write(&row(rank, "a", "b")).unwrap());
    let path = file.commit().unwrap();

    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows: Vec<_> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [65_536, 1]);
}

#[test]
fn the_reference_page_has_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let page = include_str!("../../../../docs/reference/journal.md");
    let (_, table) = page.split_once("**Columns of all scores**").unwrap();
    let (table, _) = table.split_once("\n\n**").unwrap();

    let file = fs::read_to_string(written(Format::Csv, folder.path())).unwrap();

    for column in file.lines().next().unwrap().split(',') {
        assert!(table.contains(&format!("`{column}`")), "{column}");
    }
}
