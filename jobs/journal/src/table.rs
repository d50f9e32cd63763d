//! The forest alone on a table of numbers: scores of its rows, so that anyone can compare the forest with others.
//!
//! No job and no ledger: a file in, a file out. What it needs is the table in memory, four bytes a value.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use iforest::{Error, Explanation, IsolationForestParams};
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, Axis};

use crate::output::{Pending, RunTag};

#[cfg(feature = "parquet")]
mod parquet;
mod read;

pub use iforest::{ForeignNode, IsolationForest, Threshold};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub input: PathBuf,
    /// Columns that are not looked at, such as an id or a label.
    pub drop: Vec<String>,
    pub forest: IsolationForestParams,
    /// Whether a third column says which rows lie above the forest's threshold.
    pub outliers: bool,
    /// Scored with these instead of a forest that is fitted.
    pub trees: Option<ForeignForest>,
    /// As many as the processor runs at once where it is not said; no score depends on it.
    pub threads: Option<usize>,
    pub out: PathBuf,
    /// Where it is told for each outlier what each column did to its depth.
    pub reasons: Option<PathBuf>,
}

/// Trees that another library has grown.
#[derive(Debug, Clone)]
pub struct ForeignForest {
    pub sample_size: usize,
    pub trees: Vec<Vec<ForeignNode>>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub rows: usize,
    pub columns: Vec<String>,
    pub threshold: f64,
    /// Rows above the threshold.
    pub outliers: usize,
    pub out: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("cannot open {path}")]
    Open {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        cause: ReadError,
    },
    #[error("{path}: there is no column `{name}` to drop; it has {columns}")]
    NoSuchColumn { path: PathBuf, name: String, columns: String },
    #[error(
        "{path}, {place}, column `{column}`: `{value}` is not a finite number; drop the column with --drop, or leave the cell empty where nothing is known"
    )]
    NotANumber { path: PathBuf, place: String, column: String, value: String },
    #[error("{path} has no rows; the first line of a CSV file names the columns, and rows are behind it")]
    NoRows { path: PathBuf },
    #[error("{path}: all columns are dropped")]
    NoColumns { path: PathBuf },
    #[error("cannot start so many threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    #[error(transparent)]
    Forest(#[from] Error),
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Csv(#[from] csv::Error),
    #[error("column `{column}` holds {what}, which are no numbers; drop it with --drop")]
    NotNumbers { column: String, what: &'static str },
    #[cfg(feature = "parquet")]
    #[error(transparent)]
    Parquet(#[from] crate::ingest::ReadError),
    #[cfg(not(feature = "parquet"))]
    #[error("this program was built without Parquet; write the table as CSV")]
    NoParquet,
}

/// The columns that are looked at, and their values.
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) values: Array2<f32>,
}

/// Reads the table, fits a forest to it, scores it and writes `row,score` in the order of the input.
pub fn score(request: &Request) -> Result<Summary, TableError> {
    request.forest.check_ref()?;
    let table = read::table(&request.input, &request.drop)?;
    let forest = match &request.trees {
        None => request.forest.fit(&DatasetBase::from(table.values.view()))?,
        Some(foreign) => {
            IsolationForest::from_trees(table.columns.len(), foreign.sample_size, &foreign.trees)?
        }
    };
    let scores = forest.score_samples(&table.values)?;
    let threshold = forest.threshold();
    let outliers: Vec<usize> = (0..scores.len()).filter(|&row| scores[row] > threshold).collect();
    if let Some(path) = &request.reasons {
        let failed = |cause| TableError::Write { path: path.clone(), cause };
        let explained = forest.explain(&table.values.select(Axis(0), &outliers))?;
        write_reasons(path, &table.columns, &outliers, &explained).map_err(failed)?;
    }
    let out = write_scores(&request.out, &scores, request.outliers.then_some(threshold))
        .map_err(|cause| TableError::Write { path: request.out.clone(), cause })?;
    Ok(Summary { rows: scores.len(), columns: table.columns, threshold, outliers: outliers.len(), out })
}

fn write_scores(path: &Path, scores: &Array1<f64>, threshold: Option<f64>) -> io::Result<PathBuf> {
    let mut file = begin(path)?;
    writeln!(file, "row,score{}", if threshold.is_some() { ",outlier" } else { "" })?;
    for (row, score) in scores.iter().enumerate() {
        // The shortest text that reads back as the same bits.
        match threshold {
            None => writeln!(file, "{row},{score}")?,
            Some(threshold) => writeln!(file, "{row},{score},{}", u8::from(*score > threshold))?,
        }
    }
    file.commit()
}

/// What each column's splits added to the row's depth or spared it; a row's columns add up to its depth less the expected one.
fn write_reasons(
    path: &Path,
    columns: &[String],
    rows: &[usize],
    explained: &Explanation,
) -> io::Result<PathBuf> {
    let mut csv = csv::Writer::from_writer(begin(path)?);
    csv.write_record(
        ["row", "depth", "expected_depth"].into_iter().chain(columns.iter().map(String::as_str)),
    )?;
    for ((row, depth), contributions) in
        rows.iter().zip(&explained.depths).zip(explained.contributions.rows())
    {
        let numbers = [*depth, explained.expected_depth].into_iter().chain(contributions.iter().copied());
        csv.write_record(std::iter::once(row.to_string()).chain(numbers.map(|number| number.to_string())))?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?.commit()
}

/// The file appears whole or not at all.
fn begin(path: &Path) -> io::Result<Pending> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Pending::create(folder, name, &RunTag { run: std::process::id().to_string(), claim: 0 })
}

fn open(path: &Path) -> Result<File, TableError> {
    let failed = |cause| TableError::Open { path: path.into(), cause };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
