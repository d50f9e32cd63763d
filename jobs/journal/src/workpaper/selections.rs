//! A sheet per selection, with columns for what the auditor finds.

use super::sheet::{Cell, Column, column, number};
use super::{Book, Plan, WorkpaperError};
use crate::result::{Method, Results, Selection};

const CHOSEN: [Column; 12] = [
    number("No.", 6),
    column("Entry", 18),
    column("Date", 12),
    column("User", 16),
    column("Text", 36),
    number("Amount", 20),
    number("Risk", 9),
    column("Band", 10),
    column("Why chosen", 40),
    column("Support obtained", 30),
    column("Conclusion", 30),
    column("Initials", 10),
];

pub(super) fn write(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    for (name, selection) in plan.selections.iter().zip(&results.selections) {
        sheet(book, name, selection)?;
    }
    Ok(())
}

fn sheet(book: &mut Book, name: &str, selection: &Selection) -> Result<(), WorkpaperError> {
    let mut sheet = book.long_sheet(name)?;
    sheet.title(&format!("Selection: {}", selection.method.title().to_lowercase()))?;
    sheet.note(&format!("How: {}.", selection.method.in_words()))?;
    sheet.note(&format!(
        "From {} entries with {} in all; {} chosen.",
        selection.population_entries,
        selection.population_amount.grouped(),
        selection.chosen.total(),
    ))?;
    if let Method::Stratified { strata, .. } = &selection.method {
        for (number, stratum) in strata.iter().enumerate() {
            sheet.note(&format!(
                "Stratum {}: amounts from {}, {} entries with {} in all, {} asked for.",
                number + 1,
                stratum.from.grouped(),
                stratum.population_entries,
                stratum.population_amount.grouped(),
                stratum.size,
            ))?;
        }
    }
    if !selection.left_out.is_empty() {
        sheet.note(&format!("Left out: {}.", selection.left_out))?;
    }
    sheet.skip(1);
    sheet.table_header(&CHOSEN, selection.chosen.listed().len())?;
    for (number, chosen) in (1..).zip(selection.chosen.listed()) {
        sheet.cells(&[
            Cell::Count(number),
            Cell::text(&*chosen.entry),
            Cell::Date(chosen.date),
            Cell::text(&*chosen.user),
            Cell::text(&*chosen.text),
            Cell::Money(chosen.amount),
            Cell::Share(chosen.risk),
            Cell::Band(chosen.band),
            Cell::text(&*chosen.why),
            Cell::ToFill,
            Cell::ToFill,
            Cell::ToFill,
        ])?;
    }
    sheet.omitted(selection.chosen.omitted(), "the file of all scores has every entry of the band")
}
