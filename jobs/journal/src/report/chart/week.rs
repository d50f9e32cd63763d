//! When entries were made: weekdays and hours, how many and how unusual.

use super::WIDTH;
use crate::report::document::{Column, Figure, Table, count, number, text};
use crate::report::draw::{Anchor, Drawing, HEAT_LEVELS, Ink};
use crate::result::{HourCell, WeekHours};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HOURS: [&str; 24] = [
    "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];
const LEFT: f64 = 32.0;
const CELL: (f64, f64) = (18.4, 17.0);
const PANEL: f64 = 7.0 * CELL.1 + 44.0;

pub(in crate::report) fn week(week: &WeekHours) -> Figure {
    let mut drawing = Drawing::new(WIDTH, 2.0 * PANEL);
    let most = cells(week).map(|cell| cell.entries).max().unwrap_or(0);
    panel(&mut drawing, 0.0, "Entries", week, |cell| {
        let level = level(libm::log1p(cell.entries as f64), libm::log1p(most as f64));
        (Ink::Count(level), Ink::OnHeat(level), short(cell.entries))
    });
    let (least, most) = cells(week)
        .filter(|cell| cell.entries > 0)
        .map(|cell| cell.mean_score)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), score| (least.min(score), most.max(score)));
    panel(&mut drawing, PANEL, "Mean score, in hundredths", week, |cell| {
        let level = level(cell.mean_score - least, most - least);
        (Ink::Heat(level), Ink::OnHeat(level), format!("{:.0}", cell.mean_score * 100.0))
    });
    let mut caption =
        "Above how many entries were made in each hour, below how unusual they are. The last column has \
                       entries with a date and no time."
            .to_string();
    if week.undated > 0 {
        caption += &format!(" {} entries have no date of entry.", count(week.undated));
    }
    Figure { title: "Weekdays and hours of entry".into(), caption, drawing, table: table(week) }
}

/// Of a day, with the column of entries that have no time behind its hours.
fn day(week: &WeekHours, day: usize) -> impl Iterator<Item = &HourCell> {
    week.hours[day].iter().chain([&week.untimed[day]])
}

fn cells(week: &WeekHours) -> impl Iterator<Item = &HourCell> {
    (0..7).flat_map(|number| day(week, number))
}

fn level(value: f64, most: f64) -> u8 {
    if most <= 0.0 {
        return 0;
    }
    ((value / most * f64::from(HEAT_LEVELS)) as u8).min(HEAT_LEVELS - 1)
}

fn panel(
    drawing: &mut Drawing,
    top: f64,
    title: &str,
    week: &WeekHours,
    look: impl Fn(&HourCell) -> (Ink, Ink, String),
) {
    drawing.sized_text((LEFT, top + 10.0), 9.0, Anchor::Start, Ink::Text, title);
    let top = top + 28.0;
    let left = |column: usize| {
        // The column without a time stands apart.
        let gap = if column == HOURS.len() { 5.0 } else { 0.0 };
        LEFT + column as f64 * CELL.0 + gap
    };
    for (column, name) in HOURS.into_iter().chain(["n/a"]).enumerate() {
        let x = left(column) + CELL.0 / 2.0;
        drawing.sized_text((x, top - 4.0), 7.0, Anchor::Middle, Ink::Muted, name);
    }
    for (row, name) in DAYS.into_iter().enumerate() {
        let y = top + row as f64 * CELL.1;
        drawing.text((LEFT - 6.0, y + 11.5), Anchor::End, Ink::Muted, name);
        for (column, cell) in day(week, row).enumerate() {
            let (x, size) = (left(column), (CELL.0 - 1.0, CELL.1 - 1.0));
            if cell.entries == 0 {
                drawing.line((x + 7.0, y + 8.0), (x + 10.4, y + 8.0), Ink::Grid);
                continue;
            }
            let (ink, on, text) = look(cell);
            drawing.rect((x, y), size, ink);
            drawing.sized_text((x + size.0 / 2.0, y + 10.6), 6.5, Anchor::Middle, on, text);
        }
    }
}

/// Four characters fit into a cell.
fn short(entries: u64) -> String {
    match entries {
        0..1_000 => entries.to_string(),
        1_000..10_000 => format!("{:.1}k", entries as f64 / 1e3),
        10_000..1_000_000 => format!("{}k", entries / 1_000),
        1_000_000..10_000_000 => format!("{:.1}m", entries as f64 / 1e6),
        _ => format!("{}m", entries / 1_000_000),
    }
}

/// A row for each hour in which there is anything.
fn table(week: &WeekHours) -> Table {
    let hours = HOURS.into_iter().chain(["no time"]).enumerate();
    let rows = hours
        .filter_map(|(column, hour)| {
            let of_day: Vec<_> = (0..7).filter_map(|number| day(week, number).nth(column)).collect();
            let any = of_day.iter().any(|cell| cell.entries > 0);
            let cell = |cell: &&HourCell| match cell.entries {
                0 => String::new(),
                entries => format!("{} ({:.2})", count(entries), cell.mean_score),
            };
            any.then(|| std::iter::once(hour.to_string()).chain(of_day.iter().map(cell)).collect())
        })
        .collect();
    let columns: Vec<Column> =
        std::iter::once(text("Hour", 9)).chain(DAYS.map(|day| number(day, 13))).collect();
    Table { caption: "Entries and, in brackets, their mean score".into(), columns, rows, note: String::new() }
}
