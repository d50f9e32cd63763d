use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use calamine::{Data, Range, Reader, Xlsx, open_workbook};

use super::*;
use crate::result::sample::{self, TEXTS};
use crate::result::{Listed, TestedEntry};

fn tag() -> RunTag {
    RunTag { run: "r".into(), claim: 1 }
}

fn write_at(results: &Results, second: i64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let created = Timestamp::from_second(second).unwrap();
    let path = write(folder.path(), &tag(), results, created).unwrap();
    (folder, path)
}

/// The file opened again by a reader that is not ours.
fn opened(results: &Results) -> Vec<(String, Range<Data>)> {
    let (_folder, path) = write_at(results, 1_767_225_600);
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    book.sheet_names().into_iter().map(|name| (name.clone(), book.worksheet_range(&name).unwrap())).collect()
}

fn text(range: &Range<Data>) -> String {
    range.rows().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|") + "\n").collect()
}

/// Of the sample, opened once: that takes longer than all tests together.
static BOOK: LazyLock<Vec<(String, Range<Data>)>> = LazyLock::new(|| opened(&sample::results(1)));

/// Every row below the row that begins with the header's first title.
fn table(range: &Range<Data>, first_title: &str) -> Vec<BTreeMap<String, Data>> {
    let mut rows = range.rows().skip_while(|row| row[0] != Data::String(first_title.into()));
    let header: Vec<_> = rows.next().unwrap().iter().map(ToString::to_string).collect();
    rows.map(|row| header.iter().cloned().zip(row.iter().cloned()).collect()).collect()
}

fn sheet<'a>(book: &'a [(String, Range<Data>)], name: &str) -> &'a Range<Data> {
    &book.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name}")).1
}

#[test]
fn the_cover_says_from_what_every_number_follows_and_leaves_room_to_sign() {
    let results = sample::results(1);
    let book = &*BOOK;

    let cover = text(sheet(book, "Cover"));
    for needed in [
        &*results.inputs[0].sha256,
        &results.parameters_sha256,
        &results.model.id,
        &results.model.sha256,
        "Seed|20260101",
        &results.command,
        &results.scores_sha256,
        "Prepared by",
        "Reviewed by",
        "1 of 40 accounts differ; overridden by m.meier: one cent of rounding",
        "2025-01-01 to 2025-12-31",
        "Entries|15400",
        "materiality|250000.00",
    ] {
        assert!(cover.contains(needed), "{needed} is not in\n{cover}");
    }
    for (name, _) in &book[1..] {
        assert!(cover.contains(&**name), "{name}");
    }
}

#[test]
fn every_test_has_a_sheet_with_its_entries_parameters_source_and_true_count() {
    let results = sample::results(1);
    let book = &*BOOK;

    let weekend = sheet(book, "T1 Weekend or holiday");
    let words = text(weekend);
    assert!(words.contains("Source: AU-C 240.A49(c)."), "{words}");
    assert!(words.contains("Parameters: limit = 10;"));
    assert!(words.contains("1100 entries with 2200 lines hit"));
    assert!(words.contains("100 more are counted and not listed"));
    let test = results.tests.iter().find(|test| test.id == "T1").unwrap();
    let rows = table(weekend, "Entry");
    assert_eq!(rows.len(), test.hits.listed().len() + 1);
    for (row, hit) in rows.iter().zip(test.hits.listed()) {
        assert_eq!(row["Entry"], Data::String(hit.entry.clone()));
        assert_eq!(row["Amount"], Data::Float(hit.amount.to_f64()));
        assert_eq!(row["Band"], Data::String(hit.band.name().into()));
    }
    let all = table(sheet(book, "Tests"), "Test");
    let hits: Vec<_> =
        all.iter().map(|row| (row["Test"].to_string(), row["Entries hit"].to_string())).collect();
    let expected: Vec<_> = results.tests.iter().map(|t| (t.id.clone(), t.hits.total().to_string())).collect();
    assert_eq!(hits, expected);
}

#[test]
fn every_selection_has_a_sheet_with_columns_to_fill() {
    let results = sample::results(1);
    let book = &*BOOK;

    for (name, selection) in [
        ("Select all high", &results.selections[0]),
        ("Select monetary unit", &results.selections[1]),
        ("Select stratified", &results.selections[2]),
        ("Select random", &results.selections[3]),
    ] {
        let rows = table(sheet(book, name), "No.");
        let entries: Vec<_> = rows.iter().map(|row| row["Entry"].to_string()).collect();
        let expected: Vec<_> = selection.chosen.listed().iter().map(|one| one.entry.clone()).collect();
        assert_eq!(entries, expected, "{name}");
        for column in ["Support obtained", "Conclusion", "Initials"] {
            assert!(rows.iter().all(|row| row[column] == Data::Empty), "{name}: {column}");
        }
        assert!(text(sheet(book, name)).contains(&selection.method.in_words()), "{name}");
    }
}

#[test]
fn the_top_entries_come_with_reasons_tests_and_lines() {
    let results = sample::results(1);
    let book = &*BOOK;

    let rows = table(sheet(book, "Top entries"), "Rank");
    assert_eq!(rows.len(), results.top.listed().len());
    for (row, entry) in rows.iter().zip(results.top.listed()) {
        assert_eq!(row["Entry"], Data::String(entry.entry.clone()));
        assert!(row["Reasons of the score"].to_string().contains(&entry.reasons[1].words));
        assert!(row["Control tests hit"].to_string().contains(&entry.hits[0].words));
        assert_eq!(row["Detector"], Data::String(entry.detector.in_words().into()));
    }
    assert!(text(sheet(book, "Top entries")).contains("high 47 entries from 50 %"));
    let lines = table(sheet(book, "Lines of top entries"), "Rank");
    assert_eq!(lines.iter().filter(|line| line["Rank"] == Data::Float(7.0)).count(), 2);
    assert!(text(sheet(book, "Lines of top entries")).contains("248 more are counted and not listed"));
}

/// In the file itself: a formula is an element `f`, and the type of a text is `inlineStr` or `s`.
#[test]
fn no_text_of_the_ledger_is_a_formula_in_any_sheet() {
    let mut results = sample::results(1);
    results.tests[0].hits = Listed::default();
    for text in TEXTS {
        let entry = TestedEntry {
            entry: text.into(),
            user: text.into(),
            words: text.into(),
            currency: text.into(),
            ..results.tests[1].hits.listed()[0].clone()
        };
        results.tests[0].hits.push(entry, 1_000);
    }
    let (_folder, path) = write_at(&results, 0);

    let mut book: Xlsx<_> = open_workbook(&path).unwrap();
    for name in book.sheet_names() {
        let formulas = book.worksheet_formula(&name).unwrap();
        assert!(formulas.rows().flatten().all(String::is_empty), "{name}");
    }
    let range = book.worksheet_range("C3 Entry does not balance").unwrap();
    let rows = table(&range, "Entry");
    for (row, text) in rows.iter().zip(TEXTS) {
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        for column in ["Entry", "User", "Currency", "Why"] {
            assert_eq!(row[column], Data::String(plain.clone()), "{column}");
        }
    }
}

#[test]
fn the_digits_have_sheets_with_charts() {
    let results = sample::results(1);
    let (_folder, path) = write_at(&results, 0);
    let book = &*BOOK;

    let rows = table(sheet(book, "Benford first"), "Digits");
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[0]["Observed"], Data::Float(results.distributions.benford[0].digits[0].observed as f64));
    assert_eq!(table(sheet(book, "Benford last two"), "Digits")[7]["Digits"], Data::String("07".into()));
    let names = names_in_zip(&path);
    for number in 1..=4 {
        assert!(names.contains(&format!("xl/charts/chart{number}.xml")), "{names:?}");
    }
}

/// The names are in the local headers of the archive: `PK 03 04`, 22 bytes, the length of the name, of the extra
/// field, the name.
fn names_in_zip(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let starts = bytes.windows(4).enumerate().filter(|(_, four)| four == b"PK\x03\x04").map(|(at, _)| at);
    starts
        .map(|at| {
            let length = usize::from(u16::from_le_bytes([bytes[at + 26], bytes[at + 27]]));
            String::from_utf8_lossy(&bytes[at + 30..at + 30 + length]).into()
        })
        .collect()
}

#[test]
fn the_same_results_and_time_give_the_same_bytes() {
    let results = sample::results(1);

    let [first, again, later] = [0, 0, 86_400].map(|second| {
        let (_folder, path) = write_at(&results, second);
        fs::read(path).unwrap()
    });

    assert!(first == again);
    assert!(first != later);
}

#[test]
fn nothing_is_left_beside_the_workpaper() {
    let (folder, _) = write_at(&sample::results(1), 0);

    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();

    assert_eq!(names, [WORKPAPER]);
}

#[test]
fn results_with_nothing_found_make_a_workpaper_too() {
    let mut results = sample::results(1);
    results.tests.iter_mut().for_each(|test| test.hits = Listed::default());
    results.top = Listed::default();
    results.selections.iter_mut().for_each(|selection| selection.chosen = Listed::default());
    results.distributions.benford.iter_mut().for_each(|benford| benford.digits.clear());
    results.population.totals.clear();

    let book = opened(&results);

    assert_eq!(table(sheet(&book, "Select random"), "No.").len(), 0);
}

#[test]
fn the_cover_names_the_model_its_drift_and_what_another_one_would_flag() {
    let book = opened(&sample::by_model(1));

    let cover = text(sheet(&book, "Cover"));

    let completeness = text(sheet(&book, "Completeness"));
    assert!(completeness.contains("100000099|entry 100000099 has one line"), "{completeness}");
    assert!(completeness.contains("is dated 2031-01-01, outside the ledger"), "{completeness}");
    for needed in [
        "Incomplete entries|1",
        "Lines with odd dates|7",
        "Model|acme, version 3: je-2025-eur-7f3a (SHA-256 77e2",
        "All entries|alarm: they differ from those of the model",
        "1000, by hand|`hour` has moved: stability index 0.310 (alarm from 0.25)",
        "Name|acme, version 4, je-2026-eur-0001",
        "of the 154 most unusual entries of each, 152 are the same",
        "100000816||77|1203",
    ] {
        assert!(cover.contains(needed), "{needed}\n{cover}");
    }
    assert!(!text(sheet(&BOOK, "Cover")).contains("Drift|"));
}
