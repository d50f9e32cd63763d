//! How headings, tables, figures and entries are set on pages.

use super::font::Font;
use super::layout::{Layout, MARGIN, Type, WIDTH};
use crate::report::document::{Block, Column, Entry, Figure, Table};
use crate::report::draw::{Anchor, Ink};
use crate::result::Band;

const BODY: Type = Type::new(Font::Regular, 9.0, Ink::Text);
const MUTED: Type = Type::new(Font::Regular, 8.5, Ink::Muted);
const CELL: Type = Type::new(Font::Regular, 7.5, Ink::Text);
const HEAD: Type = Type::new(Font::Bold, 7.5, Ink::Text);
const H2: Type = Type::new(Font::Bold, 15.0, Ink::Accent);
const H3: Type = Type::new(Font::Bold, 10.0, Ink::Text);
const LABEL: f32 = 118.0;
/// Above and below the text of a row, together.
const PAD: f32 = 3.0;
/// On either side of the text of a cell.
const GUTTER: f32 = 4.5;
/// A cell of more is cut: no row is higher than a page.
const MOST_CELL_LINES: usize = 12;

pub(super) fn section(layout: &mut Layout, title: &str) {
    layout.y += 14.0;
    layout.need(110.0);
    layout.mark(title);
    layout.rule((MARGIN, layout.y), (MARGIN + WIDTH, layout.y), 1.2, Ink::Accent);
    layout.y += 8.0;
    layout.paragraph(MARGIN, WIDTH, H2, title);
    layout.y += 2.0;
}

pub(super) fn block(layout: &mut Layout, block: &Block) {
    match block {
        Block::Text(text) => {
            layout.paragraph(MARGIN, WIDTH, BODY, text);
            layout.y += 6.0;
        }
        Block::Facts(pairs) => facts(layout, pairs, Font::Regular),
        Block::Table(table) => self::table(layout, table),
        Block::Figure(figure) => self::figure(layout, figure),
        Block::Entry(entry) => self::entry(layout, entry),
    }
}

pub(super) fn facts(layout: &mut Layout, pairs: &[(String, String)], font: Font) {
    for (label, value) in pairs {
        layout.need(BODY.leading());
        layout.text((MARGIN, layout.y + BODY.size), MUTED, Anchor::Start, label);
        let ink = if value.starts_with("FAILED") { Ink::High } else { Ink::Text };
        let look = Type::new(font, if font == Font::Mono { 7.6 } else { BODY.size }, ink);
        // Letters of two sizes stand on one line.
        layout.y += BODY.size - look.size;
        layout.paragraph(MARGIN + LABEL, WIDTH - LABEL, look, value);
        layout.y += 2.0;
    }
    layout.y += 6.0;
}

pub(super) fn table(layout: &mut Layout, table: &Table) {
    table_at(layout, table, MARGIN, WIDTH);
}

fn table_at(layout: &mut Layout, table: &Table, left: f32, width: f32) {
    let places = places(&table.columns, left, width);
    layout.need(54.0);
    if !table.caption.is_empty() {
        layout.paragraph(left, width, MUTED, &table.caption);
        layout.y += 1.0;
    }
    header(layout, &table.columns, &places);
    for cells in &table.rows {
        let cells: Vec<_> =
            cells.iter().zip(&places).map(|(cell, &(_, width))| lines(cell, CELL, width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1) as f32 * CELL.leading() + PAD;
        if layout.need(height) {
            header(layout, &table.columns, &places);
        }
        row(layout, &table.columns, &places, &cells, CELL);
        layout.y += height;
        let end = layout.y - 0.5;
        layout.rule((left, end), (left + width, end), 0.4, Ink::Grid);
    }
    if !table.note.is_empty() {
        layout.y += 2.0;
        layout.paragraph(left, width, MUTED, &table.note);
    }
    layout.y += 8.0;
}

/// Where each column begins, and how wide its text may be.
fn places(columns: &[Column], left: f32, width: f32) -> Vec<(f32, f32)> {
    let whole: u16 = columns.iter().map(|column| column.share).sum();
    let mut x = left;
    columns
        .iter()
        .map(|column| {
            let own = width * f32::from(column.share) / f32::from(whole.max(1));
            let place = (x + GUTTER, own - 2.0 * GUTTER);
            x += own;
            place
        })
        .collect()
}

fn header(layout: &mut Layout, columns: &[Column], places: &[(f32, f32)]) {
    let cells: Vec<_> =
        columns.iter().zip(places).map(|(column, &(_, width))| lines(column.title, HEAD, width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1) as f32 * HEAD.leading() + PAD;
    row(layout, columns, places, &cells, HEAD);
    layout.y += height;
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return };
    let end = layout.y - 0.5;
    layout.rule((first.0 - GUTTER, end), (last.0 + last.1 + GUTTER, end), 0.8, Ink::Muted);
}

fn row(layout: &mut Layout, columns: &[Column], places: &[(f32, f32)], cells: &[Vec<String>], look: Type) {
    for ((column, &(x, width)), lines) in columns.iter().zip(places).zip(cells) {
        let (x, anchor) = if column.is_number { (x + width, Anchor::End) } else { (x, Anchor::Start) };
        for (number, line) in lines.iter().enumerate() {
            let y = layout.y + PAD / 2.0 + look.size + number as f32 * look.leading();
            layout.text((x, y), look, anchor, line);
        }
    }
}

fn lines(text: &str, look: Type, width: f32) -> Vec<String> {
    let mut lines = look.font.wrap(text, look.size, width);
    if lines.len() > MOST_CELL_LINES {
        lines.truncate(MOST_CELL_LINES);
        if let Some(last) = lines.last_mut() {
            last.pop();
            last.push('…');
        }
    }
    lines
}

fn figure(layout: &mut Layout, figure: &Figure) {
    let caption = MUTED.font.wrap(&figure.caption, MUTED.size, WIDTH).len() as f32 * MUTED.leading();
    layout.need(figure.drawing.height as f32 + caption + 30.0);
    layout.paragraph(MARGIN, WIDTH, H3, &figure.title);
    layout.y += 2.0;
    layout.drawing(&figure.drawing);
    layout.paragraph(MARGIN, WIDTH, MUTED, &figure.caption);
    layout.y += 12.0;
}

fn entry(layout: &mut Layout, entry: &Entry) {
    layout.need(120.0);
    let (page, top) = (layout.page(), layout.y);
    let ink = match entry.band {
        Band::Low => Ink::Low,
        Band::Medium => Ink::Medium,
        Band::High => Ink::High,
    };
    let left = MARGIN + 10.0;
    let width = WIDTH - 10.0;
    let risk = format!("{} {}", entry.risk, entry.band.name());
    layout.text((MARGIN + WIDTH, layout.y + H3.size), Type { ink, ..H3 }, Anchor::End, &risk);
    layout.paragraph(left, width - 90.0, H3, &entry.heading);
    layout.paragraph(left, width, MUTED, &entry.facts);
    layout.y += 2.0;
    for (title, items) in [("Why its score", &entry.reasons), ("Control tests hit", &entry.hits)] {
        if items.is_empty() {
            continue;
        }
        layout.need(2.0 * BODY.leading());
        layout.paragraph(left, width, HEAD, title);
        for item in items {
            // The first word is a number or an id: it hangs.
            let (first, rest) = item.split_once("  ").unwrap_or(("", item));
            layout.need(BODY.leading());
            layout.text((left, layout.y + BODY.size), MUTED, Anchor::Start, first);
            layout.paragraph(left + 34.0, width - 34.0, Type { size: 8.5, ..BODY }, rest);
        }
        layout.y += 2.0;
    }
    table_at(layout, &entry.lines, left, width);
    side_bar(layout, page, top, ink);
    layout.y += 4.0;
}

/// Beside all of an entry, also where it goes on on the next page.
fn side_bar(layout: &mut Layout, first: usize, top: f32, ink: Ink) {
    let last = layout.page();
    for page in first..=last {
        let from = if page == first { top } else { Layout::top() };
        let to = if page == last { layout.y - 6.0 } else { Layout::bottom() };
        layout.rect_on(page, (MARGIN, from), (3.0, to - from), ink);
    }
}
