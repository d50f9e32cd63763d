//! The workpaper: one XLSX file that an auditor opens, tests from, signs and files.
//!
//! Everything in it comes from [`Results`]. Sheets whose length follows the ledger are written row by row past memory.
//! Every text is a text cell with the quote prefix, so that no text of the ledger becomes a formula, neither when it
//! is opened nor when someone edits the cell. The same results and time of creation give the same bytes.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use crate::output::{Pending, RunTag};
use crate::result::Results;

mod benford;
mod completeness;
mod cover;
mod findings;
mod model;
mod names;
mod selections;
mod sheet;
mod style;

use names::SheetNames;
use style::Styles;

pub const WORKPAPER: &str = "workpaper.xlsx";

#[derive(Debug, thiserror::Error)]
pub enum WorkpaperError {
    #[error("writing the workpaper into {folder}")]
    Write {
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("making the sheet `{sheet}` of the workpaper")]
    Sheet {
        sheet: String,
        #[source]
        cause: XlsxError,
    },
    #[error("putting the workpaper together")]
    Assemble(#[source] XlsxError),
}

/// `created` is what the file says of itself; take the time at which the job was enqueued, and a retry writes the
/// same bytes.
pub fn write(
    folder: &Path,
    tag: &RunTag,
    results: &Results,
    created: Timestamp,
) -> Result<PathBuf, WorkpaperError> {
    let failed = |cause| WorkpaperError::Write { folder: folder.into(), cause };
    let mut file = Pending::create(folder, WORKPAPER, tag).map_err(failed)?;
    let mut book = Book::new(folder, created).map_err(WorkpaperError::Assemble)?;
    // The cover comes first and names all sheets, so their names are given before any is made.
    let plan = Plan::new(results);
    cover::write(&mut book, results, &plan)?;
    completeness::write(&mut book, results, &plan)?;
    findings::write(&mut book, results, &plan)?;
    selections::write(&mut book, results, &plan)?;
    benford::write(&mut book, results, &plan)?;
    match book.workbook.save_to_writer(&mut file) {
        Err(XlsxError::IoError(cause)) => return Err(failed(cause)),
        saved => saved.map_err(WorkpaperError::Assemble)?,
    }
    file.flush().map_err(failed)?;
    file.commit().map_err(failed)
}

struct Book {
    workbook: Workbook,
    styles: Styles,
}

impl Book {
    fn new(folder: &Path, created: Timestamp) -> Result<Self, XlsxError> {
        let mut workbook = Workbook::new();
        // Lines of the ledger do not belong into a folder that others read.
        workbook.set_tempdir(folder)?;
        let created = ExcelDateTime::from_timestamp(created.as_second())?;
        let properties =
            DocProperties::new().set_title("Journal-entry testing").set_creation_datetime(&created);
        workbook.set_properties(&properties);
        Ok(Self { workbook, styles: Styles::new() })
    }
}

/// The names of all sheets, in their order.
struct Plan {
    cover: String,
    completeness: String,
    tests: String,
    /// One for each test, in their order.
    test: Vec<String>,
    top: String,
    lines: String,
    selections: Vec<String>,
    benford: Vec<String>,
}

impl Plan {
    fn new(results: &Results) -> Self {
        let mut names = SheetNames::default();
        Self {
            cover: names.claim("Cover"),
            completeness: names.claim("Completeness"),
            tests: names.claim("Tests"),
            test: results
                .tests
                .iter()
                .map(|test| names.claim(&format!("{} {}", test.id, test.title)))
                .collect(),
            top: names.claim("Top entries"),
            lines: names.claim("Lines of top entries"),
            selections: results
                .selections
                .iter()
                .map(|selection| names.claim(&format!("Select {}", selection.method.title().to_lowercase())))
                .collect(),
            benford: results
                .distributions
                .benford
                .iter()
                .map(|benford| names.claim(&format!("Benford {}", benford.kind.short())))
                .collect(),
        }
    }

    /// All but the cover, each with what is on it.
    fn contents<'a>(&'a self, results: &'a Results) -> Vec<(&'a str, String)> {
        let mut contents: Vec<(&str, String)> = vec![
            (
                &self.completeness,
                "missing lines, balance, control totals, gaps, duplicates, dates, rejected lines, roll-forward".into(),
            ),
            (&self.tests, "every control test with its hits".into()),
        ];
        for (name, test) in self.test.iter().zip(&results.tests) {
            contents.push((name, format!("{} entries hit", test.hits.total())));
        }
        contents.push((&self.top, "the riskiest entries, with reasons".into()));
        contents.push((&self.lines, "what these entries post".into()));
        for (name, selection) in self.selections.iter().zip(&results.selections) {
            contents.push((name, format!("{} entries to test", selection.chosen.total())));
        }
        for (name, benford) in self.benford.iter().zip(&results.distributions.benford) {
            contents.push((name, benford.conclusion.clone()));
        }
        contents
    }
}

#[cfg(test)]
mod tests;
