//! The report: one HTML file and one PDF for people, with the same content.
//!
//! [`document`] says what is in it, as headings, tables and figures; [`chart`] draws figures out of rectangles, lines
//! and texts; [`html`] and [`pdf`] only set what they are given. Neither knows the time: the same results give the same
//! bytes. The HTML needs no script and no other file; the PDF uses the fonts that every reader has.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::output::{Pending, RunTag};
use crate::result::Results;

mod chart;
mod document;
mod draw;
mod html;
mod pdf;

pub const REPORT_HTML: &str = "report.html";
pub const REPORT_PDF: &str = "report.pdf";

pub fn write_html(folder: &Path, tag: &RunTag, results: &Results) -> io::Result<PathBuf> {
    write(folder, REPORT_HTML, tag, html::page(&document::of(results)).as_bytes())
}

pub fn write_pdf(folder: &Path, tag: &RunTag, results: &Results) -> io::Result<PathBuf> {
    write(folder, REPORT_PDF, tag, &pdf::file(&document::of(results)))
}

fn write(folder: &Path, name: &str, tag: &RunTag, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut file = Pending::create(folder, name, tag)?;
    file.write_all(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests;
