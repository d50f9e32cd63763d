//! The cover: what was tested, from what, with what, by whom.

use super::sheet::{Cell, column, number};
use super::{Book, Plan, WorkpaperError, model};
use crate::result::{Results, RollForward, Verdict, Window};

pub(super) fn write(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(&plan.cover)?;
    sheet.widths(&[30, 58, 16, 22, 22])?;
    sheet.title("Journal-entry testing")?;
    sheet.note(
        "Every number in this file follows from the four values below. The command gives them again.",
    )?;

    sheet.heading("Provenance")?;
    for (label, value) in results.provenance() {
        sheet.fact(label, &Cell::text(value))?;
    }
    sheet.fact("SHA-256 of all scores", &Cell::text(&*results.scores_sha256))?;
    sheet.fact("Command", &Cell::text(&*results.command))?;
    sheet.fact("Program", &Cell::text(&*results.program))?;

    sheet.heading("Sign-off")?;
    sheet.header(&[column("", 0), column("Name", 0), column("Date", 0)])?;
    for role in ["Prepared by", "Reviewed by"] {
        sheet.cells(&[Cell::text(role), Cell::ToFill, Cell::ToFill])?;
    }

    sheet.heading("Population")?;
    let population = &results.population;
    sheet.fact("Entries", &Cell::Count(population.entries))?;
    sheet.fact("Lines", &Cell::Count(population.lines))?;
    sheet.fact("Period", &Cell::text(period(population.window)))?;
    for in_part in &results.in_part {
        sheet.fact("Known in part", &Cell::text(&**in_part))?;
    }
    sheet.header(&[
        column("Entity", 0),
        column("Currency", 0),
        number("Lines", 0),
        number("Debit", 0),
        number("Credit", 0),
    ])?;
    for total in &population.totals {
        sheet.cells(&[
            Cell::text(&*total.entity),
            Cell::text(&*total.currency),
            Cell::Count(total.lines),
            Cell::Money(total.debit),
            Cell::Money(total.credit),
        ])?;
    }

    for input in &results.inputs {
        sheet.heading("Input")?;
        sheet.fact("Path", &Cell::text(input.path.to_string_lossy()))?;
        sheet.fact("Format", &Cell::text(&*input.format))?;
        sheet.fact("Bytes", &Cell::Count(input.bytes))?;
        sheet.fact("SHA-256", &Cell::text(&*input.sha256))?;
        sheet.fact("Lines", &Cell::Count(input.lines))?;
        sheet.fact("Rejected lines", &Cell::Count(input.rejected.total()))?;
    }

    sheet.heading("Completeness")?;
    for (label, value) in completeness(results) {
        sheet.fact(label, &Cell::text(value))?;
    }

    sheet.heading("Risk bands")?;
    sheet.header(&[column("Band", 0), number("Entries", 0), number("From", 0), number("To", 0)])?;
    for band in &results.bands {
        sheet.cells(&[
            Cell::Band(band.band),
            Cell::Count(band.entries),
            Cell::Share(band.from),
            Cell::Share(band.to),
        ])?;
    }

    model::write(&mut sheet, results)?;

    sheet.heading("Parameters")?;
    for parameter in &results.parameters {
        sheet.fact(&parameter.name, &Cell::text(&*parameter.value))?;
    }

    sheet.heading("Sheets")?;
    for (name, what) in plan.contents(results) {
        sheet.link(name, &what)?;
    }
    Ok(())
}

pub(super) fn period(window: Option<Window>) -> String {
    window.map_or("no line has a date".into(), |Window { from, to }| format!("{from} to {to}"))
}

/// In a line each; the sheet of its own has the details.
fn completeness(results: &Results) -> [(&'static str, String); 7] {
    let found = &results.completeness;
    let differing = found.control_totals.iter().filter(|total| !total.agrees).count();
    [
        ("Incomplete entries", found.incomplete.total().to_string()),
        ("Roll-forward", roll_forward(&found.roll_forward)),
        ("Unbalanced entries", found.unbalanced.total().to_string()),
        ("Control totals", format!("{} given, {differing} differ", found.control_totals.len())),
        ("Gaps in numbers", found.gaps.total().to_string()),
        ("Ids used twice", found.duplicates.total().to_string()),
        ("Lines with odd dates", found.misdated.total().to_string()),
    ]
}

pub(super) fn roll_forward(roll_forward: &RollForward) -> String {
    match roll_forward {
        RollForward::NotDone { why } => format!("not done: {why}"),
        RollForward::Done { accounts, verdict: Verdict::Agrees, .. } => {
            format!("all {} accounts agree to the cent", accounts.total())
        }
        RollForward::Done { accounts, differing, verdict: Verdict::Overridden { by, why } } => {
            format!("{differing} of {} accounts differ; overridden by {by}: {why}", accounts.total())
        }
    }
}
