//! One sheet, written from top to bottom.

use std::borrow::Cow;

use jiff::civil::Date;
use rust_xlsxwriter::{ExcelDateTime, Format, Url, Worksheet, XlsxError};

use super::style::Styles;
use super::{Book, WorkpaperError};
use crate::amount::{Amount, group};
use crate::result::Band;

/// Of a row, in points; more a spreadsheet does not take.
const MOST_HEIGHT: f64 = 409.0;
const LINE_HEIGHT: f64 = 13.0;
const PAPER_A4: u8 = 9;
/// Of a cell, in UTF-16 units.
const MOST_CHARS: usize = 32_767;
/// A number of a spreadsheet holds this many digits; a longer amount is written as text rather than rounded.
const EXACT_DIGITS: usize = 15;

pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Count(u64),
    Money(Amount),
    Share(f64),
    /// With four decimals.
    Decimal(f64),
    /// As it is.
    Plain(f64),
    Date(Option<Date>),
    Band(Band),
    /// For a person.
    ToFill,
    Empty,
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn some_money(amount: Option<Amount>) -> Self {
        amount.map_or(Self::Empty, Self::Money)
    }
}

pub(super) struct Column {
    pub(super) title: &'static str,
    /// In characters.
    pub(super) width: u8,
    is_number: bool,
}

pub(super) const fn column(title: &'static str, width: u8) -> Column {
    Column { title, width, is_number: false }
}

pub(super) const fn number(title: &'static str, width: u8) -> Column {
    Column { title, width, is_number: true }
}

pub(super) struct Sheet<'a> {
    name: &'a str,
    sheet: &'a mut Worksheet,
    styles: &'a Styles,
    widths: Vec<u8>,
    row: u32,
}

impl Book {
    /// A sheet of any length, which is written past memory and row by row.
    pub(super) fn long_sheet<'a>(&'a mut self, name: &'a str) -> Result<Sheet<'a>, WorkpaperError> {
        let sheet = self.workbook.add_worksheet_with_constant_memory();
        let sheet = sheet.map_err(|cause| WorkpaperError::Sheet { sheet: name.into(), cause })?;
        Sheet::new(name, sheet, &self.styles)
    }

    /// A short one that stays in memory, where its charts find their numbers.
    pub(super) fn short_sheet<'a>(&'a mut self, name: &'a str) -> Result<Sheet<'a>, WorkpaperError> {
        Sheet::new(name, self.workbook.add_worksheet(), &self.styles)
    }
}

impl<'a> Sheet<'a> {
    fn new(name: &'a str, sheet: &'a mut Worksheet, styles: &'a Styles) -> Result<Self, WorkpaperError> {
        let mut made = Self { name, sheet, styles, widths: Vec::new(), row: 0 };
        made.act(|sheet, _, _| {
            sheet.set_name(name)?.set_landscape().set_paper_size(PAPER_A4).set_print_fit_to_pages(1, 0);
            sheet.set_screen_gridlines(false).set_footer("&L&A&RPage &P of &N");
            Ok(())
        })?;
        Ok(made)
    }

    /// Does something to the sheet, with the current row at hand; an error names the sheet.
    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut Worksheet, &Styles, u32) -> Result<(), XlsxError>,
    ) -> Result<(), WorkpaperError> {
        act(self.sheet, self.styles, self.row)
            .map_err(|cause| WorkpaperError::Sheet { sheet: self.name.into(), cause })
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// Where the next row goes.
    pub(super) fn next_row(&self) -> u32 {
        self.row
    }

    pub(super) fn skip(&mut self, rows: u32) {
        self.row += rows;
    }

    pub(super) fn widths(&mut self, widths: &[u8]) -> Result<(), WorkpaperError> {
        self.widths = widths.into();
        self.act(|sheet, _, _| {
            for (column, width) in (0..).zip(widths) {
                sheet.set_column_width(column, f64::from(*width))?;
            }
            Ok(())
        })
    }

    pub(super) fn title(&mut self, text: &str) -> Result<(), WorkpaperError> {
        self.line(text, |styles| &styles.title)
    }

    pub(super) fn heading(&mut self, text: &str) -> Result<(), WorkpaperError> {
        self.row += 1;
        self.line(text, |styles| &styles.heading)
    }

    pub(super) fn note(&mut self, text: &str) -> Result<(), WorkpaperError> {
        self.line(text, |styles| &styles.note)
    }

    fn line(&mut self, text: &str, style: fn(&Styles) -> &Format) -> Result<(), WorkpaperError> {
        self.act(|sheet, styles, row| {
            sheet.write_string_with_format(row, 0, cell_text(text), style(styles))?;
            Ok(())
        })?;
        self.row += 1;
        Ok(())
    }

    /// A name and what it is.
    pub(super) fn fact(&mut self, label: &str, value: &Cell<'_>) -> Result<(), WorkpaperError> {
        let height = height(self.widths.get(1..).unwrap_or_default(), std::slice::from_ref(value));
        self.act(|sheet, styles, row| {
            sheet.set_row_height(row, height)?;
            sheet.write_string_with_format(row, 0, cell_text(label), &styles.label)?;
            match value {
                // Beside its label, where it is looked for.
                Cell::Count(count) => {
                    sheet.write_number_with_format(row, 1, *count as f64, &styles.count_of_fact).map(|_| ())
                }
                value => write(sheet, styles, row, 1, value),
            }
        })?;
        self.row += 1;
        Ok(())
    }

    /// A line that leads to another sheet, and says what is there.
    pub(super) fn link(&mut self, to: &str, what: &str) -> Result<(), WorkpaperError> {
        self.act(|sheet, styles, row| {
            let place = format!("internal:'{}'!A1", to.replace('\'', "''"));
            let url = Url::new(place).set_text(cell_text(to));
            sheet.write_url_with_format(row, 0, url, &styles.link)?;
            write(sheet, styles, row, 1, &Cell::text(what))
        })?;
        self.row += 1;
        Ok(())
    }

    pub(super) fn header(&mut self, columns: &[Column]) -> Result<(), WorkpaperError> {
        self.act(|sheet, styles, row| {
            for (place, column) in (0..).zip(columns) {
                let style = if column.is_number { &styles.number_header } else { &styles.header };
                sheet.write_string_with_format(row, place, column.title, style)?;
            }
            Ok(())
        })?;
        self.row += 1;
        Ok(())
    }

    /// The header of the sheet's only table: it stays in sight, is printed on every page, and filters.
    pub(super) fn table_header(&mut self, columns: &[Column], rows: usize) -> Result<(), WorkpaperError> {
        self.widths(&columns.iter().map(|column| column.width).collect::<Vec<_>>())?;
        self.act(|sheet, _, row| {
            sheet.set_freeze_panes(row + 1, 0)?.set_repeat_rows(row, row)?;
            let last = row.saturating_add(rows.try_into().unwrap_or(u32::MAX));
            sheet.autofilter(row, 0, last, (columns.len() as u16).saturating_sub(1))?;
            Ok(())
        })?;
        self.header(columns)
    }

    pub(super) fn cells(&mut self, cells: &[Cell<'_>]) -> Result<(), WorkpaperError> {
        let height = height(&self.widths, cells);
        self.act(|sheet, styles, row| {
            sheet.set_row_height(row, height)?;
            (0..).zip(cells).try_for_each(|(column, cell)| write(sheet, styles, row, column, cell))
        })?;
        self.row += 1;
        Ok(())
    }

    /// Says how many are not listed, if any.
    pub(super) fn omitted(&mut self, omitted: u64, where_else: &str) -> Result<(), WorkpaperError> {
        match omitted {
            0 => Ok(()),
            _ => self.note(&format!(
                "{} more are counted and not listed; {where_else}",
                group(&omitted.to_string())
            )),
        }
    }
}

fn write(
    sheet: &mut Worksheet,
    styles: &Styles,
    row: u32,
    column: u16,
    cell: &Cell<'_>,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) => sheet.write_string_with_format(row, column, cell_text(text), &styles.text),
        Cell::Count(count) => sheet.write_number_with_format(row, column, *count as f64, &styles.count),
        Cell::Money(amount) => match exact(*amount) {
            Some(number) => sheet.write_number_with_format(row, column, number, &styles.money),
            None => sheet.write_string_with_format(row, column, amount.grouped(), &styles.money_as_text),
        },
        Cell::Share(share) => sheet.write_number_with_format(row, column, *share, &styles.share),
        Cell::Decimal(number) => sheet.write_number_with_format(row, column, *number, &styles.decimal),
        Cell::Plain(number) => sheet.write_number_with_format(row, column, *number, &styles.plain),
        Cell::Date(None) | Cell::Empty => sheet.write_blank(row, column, &styles.text),
        Cell::Date(Some(date)) => match excel_date(*date) {
            Some(excel) => sheet.write_datetime_with_format(row, column, excel, &styles.date),
            None => sheet.write_string_with_format(row, column, date.to_string(), &styles.text),
        },
        Cell::Band(band) => sheet.write_string_with_format(row, column, band.name(), styles.band(*band)),
        Cell::ToFill => sheet.write_blank(row, column, &styles.to_fill),
    }
    .map(|_| ())
}

/// Of a row, in points. Not every spreadsheet makes a row as high as its texts need.
fn height(widths: &[u8], cells: &[Cell<'_>]) -> f64 {
    let lines = |(cell, width): (&Cell<'_>, &u8)| match cell {
        Cell::Text(text) => text
            .split('\n')
            .map(|line| line.chars().count().div_ceil(usize::from(*width).max(1)).max(1))
            .sum(),
        // Room to write by hand.
        Cell::ToFill => 2,
        _ => 1,
    };
    let lines = cells.iter().zip(widths).map(lines).max().unwrap_or(1);
    (lines as f64 * LINE_HEIGHT + 2.0).min(MOST_HEIGHT)
}

/// The number that shows every digit of the amount, if there is one.
fn exact(amount: Amount) -> Option<f64> {
    let units = amount.ten_thousandths().unsigned_abs();
    let digits = if units.is_multiple_of(100) { units / 100 } else { units };
    (digits < 10_u128.pow(EXACT_DIGITS as u32)).then(|| amount.to_f64())
}

/// Spreadsheets know no day before 1900.
fn excel_date(date: Date) -> Option<ExcelDateTime> {
    let (month, day) = (date.month().try_into().ok()?, date.day().try_into().ok()?);
    ExcelDateTime::from_ymd(date.year().try_into().ok()?, month, day).ok()
}

/// What a cell can hold of a text: no control characters but line ends, no character that XML cannot have, not too
/// long.
fn cell_text(text: &str) -> Cow<'_, str> {
    let units: usize = text.chars().map(char::len_utf16).sum();
    if units <= MOST_CHARS && !text.chars().any(is_unfit) {
        return text.into();
    }
    let mut units = 0;
    let mut fits = |c: &char| {
        units += c.len_utf16();
        units < MOST_CHARS
    };
    let cut: String =
        text.chars().map(|c| if is_unfit(c) { ' ' } else { c }).take_while(|c| fits(c)).collect();
    if units >= MOST_CHARS { (cut + "…").into() } else { cut.into() }
}

fn is_unfit(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_and_kind_fits_into_a_cell() {
        let most = "x".repeat(MOST_CHARS);
        let astral = "\u{1d11e}".repeat(MOST_CHARS);

        assert_eq!(cell_text(&most), most);
        assert_eq!(cell_text(&(most + "y")), "x".repeat(MOST_CHARS - 1) + "…");
        assert!(cell_text(&astral).encode_utf16().count() <= MOST_CHARS);
        assert_eq!(cell_text("a\tb\rc\u{1}d\u{ffff}e\nf"), "a b c d e\nf");
    }

    #[test]
    fn a_row_is_as_high_as_its_longest_text_needs() {
        for (text, height_of_it) in [
            ("", 15.0),
            ("1234567890", 15.0),
            ("12345678901", 28.0),
            ("a\nb\nc", 41.0),
            (&"x".repeat(9_999), 409.0),
        ] {
            assert_eq!(height(&[5, 10], &[Cell::Count(1), Cell::text(text)]), height_of_it, "{text}");
        }
    }

    #[test]
    fn an_amount_is_a_number_only_if_a_spreadsheet_can_hold_all_its_digits() {
        for (text, is_number) in [
            ("0", true),
            ("-1234567.89", true),
            ("9999999999999.99", true),
            ("10000000000000.00", false),
            ("99999999999.9999", true),
            ("100000000000.0001", false),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(exact(amount).is_some(), is_number, "{text}");
        }
    }
}
