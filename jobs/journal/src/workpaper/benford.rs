//! A sheet per digit test, with a chart that Excel draws from its cells.

use rust_xlsxwriter::{Chart, ChartFormat, ChartLine, ChartSolidFill, ChartType, XlsxError};

use super::sheet::{Cell, Column, Sheet, column, number};
use super::style::{ACCENT, CONTRAST};
use super::{Book, Plan, WorkpaperError};
use crate::result::{Benford, Results};

const DIGITS: [Column; 5] = [
    column("Digits", 10),
    number("Observed", 12),
    number("Observed share", 16),
    number("Expected share", 16),
    number("Difference", 14),
];
const OBSERVED: u16 = 2;
const EXPECTED: u16 = 3;
const CHART_COLUMN: u16 = 6;

pub(super) fn write(book: &mut Book, results: &Results, plan: &Plan) -> Result<(), WorkpaperError> {
    for (name, benford) in plan.benford.iter().zip(&results.distributions.benford) {
        sheet(book, name, benford)?;
    }
    Ok(())
}

fn sheet(book: &mut Book, name: &str, benford: &Benford) -> Result<(), WorkpaperError> {
    let mut sheet = book.short_sheet(name)?;
    sheet.title(&format!("Benford: {}", benford.kind.title().to_lowercase()))?;
    sheet.note(&format!("{} of {}.", benford.amounts, benford.population))?;
    sheet.note(&format!(
        "Mean absolute deviation {:.6}; chi-square {:.2} with {} degrees of freedom: {}.",
        benford.mad, benford.chi_square, benford.degrees, benford.conclusion
    ))?;
    sheet.skip(1);
    sheet.table_header(&DIGITS, benford.digits.len())?;
    let first = sheet.next_row();
    for digit in &benford.digits {
        let share = digit.observed as f64 / benford.amounts.max(1) as f64;
        sheet.cells(&[
            Cell::text(benford.kind.digits(digit.digits)),
            Cell::Count(digit.observed),
            Cell::Share(share),
            Cell::Share(digit.expected),
            Cell::Decimal(share - digit.expected),
        ])?;
    }
    if benford.digits.is_empty() {
        return Ok(());
    }
    let last = sheet.next_row() - 1;
    chart(&mut sheet, benford, first, last)
}

fn chart(sheet: &mut Sheet<'_>, benford: &Benford, first: u32, last: u32) -> Result<(), WorkpaperError> {
    let name = sheet.name();
    sheet.act(|sheet, _, _| {
        let mut line = Chart::new(ChartType::Line);
        line.add_series()
            .set_name("Expected")
            .set_categories((name, first, 0, last, 0))
            .set_values((name, first, EXPECTED, last, EXPECTED))
            .set_format(ChartFormat::new().set_line(ChartLine::new().set_color(CONTRAST).set_width(2)));
        let mut bars = Chart::new(ChartType::Column);
        bars.add_series()
            .set_name("Observed")
            .set_categories((name, first, 0, last, 0))
            .set_values((name, first, OBSERVED, last, OBSERVED))
            .set_format(ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(ACCENT)))
            .set_gap(40);
        bars.title().set_name(benford.kind.title());
        bars.x_axis().set_name("Digits");
        bars.y_axis().set_name("Share of amounts").set_num_format("0%");
        bars.set_width(900).set_height(420).combine(&line);
        bars.set_alt_text(
            "Observed shares as columns, expected shares as a line; the table has the numbers.",
        );
        sheet.insert_chart(first, CHART_COLUMN, &bars)?;
        Ok::<(), XlsxError>(())
    })
}
