//! The sheet on completeness.

use super::cover::roll_forward;
use super::sheet::{Cell, Column, Sheet, column, number};
use super::{Book, Plan, WorkpaperError};
use crate::result::{Listed, Results, RollForward};

const WIDTHS: [u8; 8] = [16, 22, 30, 22, 20, 20, 20, 16];
const ELSEWHERE: &str = "`results.json` has the count, the ledger has the rest";

pub(super) fn write(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(&plan.completeness)?;
    let found = &results.completeness;
    sheet.widths(&WIDTHS)?;
    sheet.title("Completeness")?;

    list(
        &mut sheet,
        "Incomplete entries",
        &[column("Entry", 0), column("What is missing", 0)],
        &found.incomplete,
        |one| vec![Cell::text(&*one.entry), Cell::text(&*one.words)],
    )?;
    list(
        &mut sheet,
        "Entries that do not balance",
        &[column("Entry", 0), column("Currency", 0), number("Difference", 0)],
        &found.unbalanced,
        |one| vec![Cell::text(&*one.entry), Cell::text(&*one.currency), Cell::Money(one.difference)],
    )?;
    list(
        &mut sheet,
        "Control totals",
        &[column("Total", 0), column("Expected", 0), column("Found", 0), column("", 0)],
        &Listed::of(found.control_totals.iter().collect(), 0),
        |one| {
            let verdict = if one.agrees { "agrees" } else { "differs" };
            vec![
                Cell::text(&*one.name),
                Cell::text(&*one.expected),
                Cell::text(&*one.found),
                Cell::text(verdict),
            ]
        },
    )?;
    list(
        &mut sheet,
        "Gaps in the numbers of entries",
        &[column("After", 0), column("Before", 0), number("Missing", 0)],
        &found.gaps,
        |one| vec![Cell::text(&*one.after), Cell::text(&*one.before), Cell::Count(one.missing)],
    )?;
    list(
        &mut sheet,
        "Ids used more than once",
        &[column("Id", 0), number("Times", 0)],
        &found.duplicates,
        |one| vec![Cell::text(&*one.id), Cell::Count(one.times)],
    )?;
    list(
        &mut sheet,
        "Lines with odd dates",
        &[column("Entry", 0), column("What is odd", 0)],
        &found.misdated,
        |one| vec![Cell::text(&*one.entry), Cell::text(&*one.words)],
    )?;
    for input in &results.inputs {
        list(
            &mut sheet,
            &format!("Lines rejected of {}", input.path.display()),
            &[number("Line", 0), column("Field", 0), column("Problem", 0), column("Remedy", 0)],
            &input.rejected,
            |one| {
                vec![
                    Cell::Count(one.first_line),
                    Cell::text(&*one.field),
                    Cell::text(&*one.problem),
                    Cell::text(&*one.remedy),
                ]
            },
        )?;
    }
    sheet.heading("Roll-forward: opening balance, all lines, closing balance")?;
    sheet.note(&roll_forward(&found.roll_forward))?;
    let RollForward::Done { accounts, .. } = &found.roll_forward else { return Ok(()) };
    sheet.header(&[
        column("Entity", 0),
        column("Account", 0),
        column("Name", 0),
        column("Currency", 0),
        number("Opening", 0),
        number("Movement", 0),
        number("Closing", 0),
        number("Difference", 0),
    ])?;
    for one in accounts.listed() {
        sheet.cells(&[
            Cell::text(&*one.entity),
            Cell::text(&*one.account),
            Cell::text(&*one.name),
            Cell::text(&*one.currency),
            Cell::Money(one.opening),
            Cell::Money(one.movement),
            Cell::Money(one.closing),
            Cell::Money(one.difference),
        ])?;
    }
    sheet.omitted(accounts.omitted(), "those that differ come first")
}

fn list<T>(
    sheet: &mut Sheet<'_>,
    heading: &str,
    columns: &[Column],
    list: &Listed<T>,
    cells: impl Fn(&T) -> Vec<Cell<'_>>,
) -> Result<(), WorkpaperError> {
    sheet.heading(&format!("{heading}: {}", list.total()))?;
    if list.listed().is_empty() {
        return Ok(());
    }
    sheet.header(columns)?;
    list.listed().iter().try_for_each(|one| sheet.cells(&cells(one)))?;
    sheet.omitted(list.omitted(), ELSEWHERE)
}
