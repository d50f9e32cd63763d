//! The files of all scores: CSV, JSON lines, Parquet. Row by row in the order they are given, in bounded memory; a
//! file appears whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::output::{Pending, RunTag};
use crate::result::{Band, Detector};

mod csv_file;
mod json_lines;
#[cfg(feature = "parquet")]
mod parquet_file;

/// What is known of one entry. Its fields are the columns, in this order, in every format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRow<'a> {
    pub entry: &'a str,
    pub population: &'a str,
    pub rank: u64,
    pub score: f64,
    pub risk: f64,
    pub band: Band,
    /// The one that decided the rank.
    pub detector: Detector,
    /// For each of [`Detector::ALL`] the share of entries that it finds less unusual.
    pub detector_ranks: [f64; 4],
    /// Ids of the control tests hit.
    pub tests: &'a [&'a str],
    pub amount: Amount,
    pub date: Option<Date>,
    pub user: &'a str,
    pub model_id: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Csv,
    JsonLines,
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "all_scores.csv",
            Self::JsonLines => "all_scores.jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet => "all_scores.parquet",
        }
    }
}

/// A file of scores that is being written. Dropped without [`ScoresFile::commit`], it never appears.
pub struct ScoresFile {
    rows: Box<dyn Rows>,
}

trait Rows: Send {
    fn write(&mut self, row: &ScoreRow<'_>) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<Pending>;
}

impl ScoresFile {
    pub fn create(format: Format, folder: &Path, tag: &RunTag) -> io::Result<Self> {
        let file = Pending::create(folder, format.file_name(), tag)?;
        let rows: Box<dyn Rows> = match format {
            Format::Csv => Box::new(csv_file::CsvRows::new(file)?),
            Format::JsonLines => Box::new(json_lines::JsonRows::new(file)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Box::new(parquet_file::ParquetRows::new(file)?),
        };
        Ok(Self { rows })
    }

    pub fn write(&mut self, row: &ScoreRow<'_>) -> io::Result<()> {
        self.rows.write(row)
    }

    pub fn commit(self) -> io::Result<PathBuf> {
        let mut file = self.rows.finish()?;
        file.flush()?;
        file.commit()
    }
}

#[cfg(test)]
mod tests;
