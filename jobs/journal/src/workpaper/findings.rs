//! The sheets of what was found: all tests, one sheet per test, the entries at the top and their lines.

use super::sheet::{Cell, Column, column, number};
use super::{Book, Plan, WorkpaperError};
use crate::result::{ControlTest, Results, TopEntry};

const TESTS: [Column; 9] = [
    column("Test", 8),
    column("Title", 40),
    column("Level", 12),
    number("Weight", 9),
    column("Source", 30),
    number("Entries hit", 12),
    number("Lines hit", 12),
    number("Amount", 20),
    column("Parameters", 50),
];
const HITS: [Column; 8] = [
    column("Entry", 18),
    column("Date", 12),
    column("User", 16),
    number("Amount", 20),
    column("Currency", 10),
    number("Risk", 9),
    column("Band", 10),
    column("Why", 90),
];
const TOP: [Column; 14] = [
    number("Rank", 7),
    column("Entry", 16),
    column("Population", 14),
    column("Date", 12),
    column("User", 14),
    number("Amount", 17),
    column("Currency", 9),
    number("Score", 9),
    number("Risk", 9),
    column("Band", 10),
    column("Detector", 18),
    column("Text", 28),
    column("Control tests hit", 42),
    column("Reasons of the score", 60),
];
const LINES: [Column; 7] = [
    number("Rank", 7),
    column("Entry", 18),
    column("Account", 16),
    column("Account name", 30),
    number("Debit", 20),
    number("Credit", 20),
    column("Text", 60),
];

pub(super) fn write(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    overview(book, results, plan)?;
    for (name, test) in plan.test.iter().zip(&results.tests) {
        hits(book, name, test)?;
    }
    top(book, results, plan)?;
    lines(book, results, plan)
}

fn overview(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(&plan.tests)?;
    sheet.title("Control tests")?;
    sheet.table_header(&TESTS, results.tests.len())?;
    for test in &results.tests {
        sheet.cells(&[
            Cell::text(&*test.id),
            Cell::text(&*test.title),
            Cell::text(&*test.level),
            Cell::Plain(test.weight),
            Cell::text(&*test.source),
            Cell::Count(test.hits.total()),
            Cell::Count(test.lines_hit),
            Cell::Money(test.amount),
            Cell::text(test.parameters.join("; ")),
        ])?;
    }
    Ok(())
}

fn hits(book: &mut Book, name: &str, test: &ControlTest) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(name)?;
    sheet.title(&format!("{} {}", test.id, test.title))?;
    sheet.note(&format!("Source: {}. Level: {}. Weight: {}.", test.source, test.level, test.weight))?;
    sheet.note(&format!("Parameters: {}", test.parameters.join("; ")))?;
    sheet.note(&format!(
        "{} entries with {} lines hit, {} in all; {} are listed, the riskiest first.",
        test.hits.total(),
        test.lines_hit,
        test.amount.grouped(),
        test.hits.listed().len(),
    ))?;
    sheet.skip(1);
    sheet.table_header(&HITS, test.hits.listed().len())?;
    for hit in test.hits.listed() {
        sheet.cells(&[
            Cell::text(&*hit.entry),
            Cell::Date(hit.date),
            Cell::text(&*hit.user),
            Cell::Money(hit.amount),
            Cell::text(&*hit.currency),
            Cell::Share(hit.risk),
            Cell::Band(hit.band),
            Cell::text(&*hit.words),
        ])?;
    }
    sheet.omitted(test.hits.omitted(), "the file of all scores names the tests of every entry")
}

fn top(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(&plan.top)?;
    sheet.title("Top entries")?;
    sheet.note(
        "Score: 4.6 is as rare as the first of a hundred by its strongest reason, 6.9 as the first of a thousand. \
         Risk: the score joined with the control tests. The number before a reason says how many splits earlier than expected the feature set the entry apart.",
    )?;
    let bands: Vec<_> = results
        .bands
        .iter()
        .map(|band| format!("{} {} entries from {:.0} %", band.band.name(), band.entries, band.from * 100.0))
        .collect();
    sheet.note(&format!("Bands by risk: {}.", bands.join(", ")))?;
    sheet.skip(1);
    sheet.table_header(&TOP, results.top.listed().len())?;
    results.top.listed().iter().try_for_each(|entry| sheet.cells(&top_cells(entry)))?;
    sheet.omitted(results.top.omitted(), "the file of all scores has them")
}

fn top_cells(entry: &TopEntry) -> [Cell<'_>; 14] {
    let hits: Vec<_> = entry.hits.iter().map(|hit| format!("{}: {}", hit.test, hit.words)).collect();
    let reasons: Vec<_> =
        entry.reasons.iter().map(|reason| format!("{:.2}: {}", reason.contribution, reason.words)).collect();
    [
        Cell::Count(entry.rank),
        Cell::text(&*entry.entry),
        Cell::text(&*entry.population),
        Cell::Date(entry.date),
        Cell::text(&*entry.user),
        Cell::Money(entry.amount),
        Cell::text(&*entry.currency),
        Cell::Decimal(entry.score),
        Cell::Share(entry.risk),
        Cell::Band(entry.band),
        Cell::text(entry.detector.in_words()),
        Cell::text(&*entry.text),
        Cell::text(hits.join("\n")),
        Cell::text(reasons.join("\n")),
    ]
}

fn lines(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(&plan.lines)?;
    let rows = results.top.listed().iter().map(|entry| entry.lines.listed().len()).sum();
    sheet.title("Lines of the top entries")?;
    sheet.table_header(&LINES, rows)?;
    for entry in results.top.listed() {
        for line in entry.lines.listed() {
            sheet.cells(&[
                Cell::Count(entry.rank),
                Cell::text(&*entry.entry),
                Cell::text(&*line.account),
                Cell::text(&*line.account_name),
                Cell::some_money(line.debit),
                Cell::some_money(line.credit),
                Cell::text(&*line.text),
            ])?;
        }
        sheet.omitted(entry.lines.omitted(), "the ledger has the other lines of this entry")?;
    }
    Ok(())
}
