//! The report as one page that needs nothing else: no script, no font, no picture from elsewhere.
//!
//! Every text passes [`escape`]; markup comes only from this file. A policy in the page forbids scripts and requests
//! even if a reader's machine adds some.

use std::fmt::Write as _;

use super::document::{Block, Document, Entry, Figure, Section, Table};
use super::draw::HEAT_LEVELS;
use crate::result::Band;

mod svg;

const STYLE: &str = include_str!("html/style.css");

pub(super) fn page(document: &Document) -> String {
    let mut page = String::with_capacity(1 << 20);
    let title = escape(&document.title);
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}: {}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&document.subtitle),
        heat(),
    );
    cover(&mut page, document);
    for (number, section) in document.sections.iter().enumerate() {
        let _ = writeln!(page, "<section id=\"s{number}\">\n<h2>{}</h2>", escape(&section.title));
        section.blocks.iter().for_each(|block| write_block(&mut page, block));
        page.push_str("</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The colours of the levels, which the style sheet would otherwise have to repeat.
fn heat() -> String {
    let mut css = String::new();
    for level in 0..HEAT_LEVELS {
        let _ = writeln!(css, "{}", svg::heat_rule(level));
    }
    css
}

fn cover(page: &mut String, document: &Document) {
    let _ = writeln!(
        page,
        "<header>\n<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n<ul class=\"figures\">",
        escape(&document.title),
        escape(&document.subtitle)
    );
    for (number, what) in &document.figures {
        let _ = writeln!(page, "<li><strong>{}</strong> {}</li>", escape(number), escape(what));
    }
    page.push_str("</ul>\n<div class=\"provenance\">\n<p>Every number here follows from these values.</p>\n");
    facts(page, &document.provenance);
    page.push_str("</div>\n<table class=\"signoff\">\n<caption>Sign-off</caption>\n<thead><tr><th scope=\"col\">Role</th><th scope=\"col\">Name</th><th scope=\"col\">Date</th></tr></thead>\n<tbody>\n");
    for role in super::document::ROLES {
        let _ = writeln!(page, "<tr><th scope=\"row\">{role}</th><td></td><td></td></tr>");
    }
    page.push_str("</tbody>\n</table>\n<nav aria-label=\"Contents\">\n<ol>\n");
    for (number, Section { title, .. }) in document.sections.iter().enumerate() {
        let _ = writeln!(page, "<li><a href=\"#s{number}\">{}</a></li>", escape(title));
    }
    page.push_str("</ol>\n</nav>\n</header>\n");
}

fn write_block(page: &mut String, block: &Block) {
    match block {
        Block::Text(text) => {
            let _ = writeln!(page, "<p>{}</p>", escape(text));
        }
        Block::Facts(pairs) => facts(page, pairs),
        Block::Table(table) => write_table(page, table),
        Block::Figure(figure) => write_figure(page, figure),
        Block::Entry(entry) => write_entry(page, entry),
    }
}

fn facts(page: &mut String, pairs: &[(String, String)]) {
    page.push_str("<dl>\n");
    for (label, value) in pairs {
        let class = if value.starts_with("FAILED") { " class=\"failed\"" } else { "" };
        let _ = writeln!(page, "<dt>{}</dt><dd{class}>{}</dd>", escape(label), escape(value));
    }
    page.push_str("</dl>\n");
}

fn write_table(page: &mut String, table: &Table) {
    page.push_str("<div class=\"wide\"><table>\n");
    if !table.caption.is_empty() {
        let _ = writeln!(page, "<caption>{}</caption>", escape(&table.caption));
    }
    page.push_str("<thead><tr>");
    let class = |is_number| if is_number { " class=\"n\"" } else { "" };
    for column in &table.columns {
        let _ = write!(page, "<th scope=\"col\"{}>{}</th>", class(column.is_number), escape(column.title));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.push_str("<tr>");
        for (cell, column) in row.iter().zip(&table.columns) {
            let _ = write!(page, "<td{}>{}</td>", class(column.is_number), escape(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
    if !table.note.is_empty() {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&table.note));
    }
}

fn write_figure(page: &mut String, figure: &Figure) {
    let _ = writeln!(page, "<figure>\n<h3>{}</h3>", escape(&figure.title));
    page.push_str(&svg::svg(&figure.drawing, &figure.title));
    let _ = writeln!(page, "<figcaption>{}</figcaption>", escape(&figure.caption));
    page.push_str("<details><summary>The numbers behind this chart</summary>\n");
    write_table(page, &figure.table);
    page.push_str("</details>\n</figure>\n");
}

fn write_entry(page: &mut String, entry: &Entry) {
    let band = match entry.band {
        Band::Low => "low",
        Band::Medium => "medium",
        Band::High => "high",
    };
    let _ = writeln!(
        page,
        "<article class=\"{band}\">\n<h3>{} <span class=\"risk\">{} {band}</span></h3>\n<p class=\"facts\">{}</p>",
        escape(&entry.heading),
        escape(&entry.risk),
        escape(&entry.facts)
    );
    for (title, items) in [("Why its score", &entry.reasons), ("Control tests hit", &entry.hits)] {
        if items.is_empty() {
            continue;
        }
        let _ = writeln!(page, "<h4>{title}</h4>\n<ul>");
        for item in items {
            let _ = writeln!(page, "<li>{}</li>", escape(item));
        }
        page.push_str("</ul>\n");
    }
    write_table(page, &entry.lines);
    page.push_str("</article>\n");
}

/// Text that markup cannot be made of, in an element or an attribute. Characters that a page cannot have, and those
/// that turn the direction of the text around them, become visible.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
