//! Scores as RFC 4180 has CSV. Text of the ledger cannot become a formula in the reader's spreadsheet.

use std::io;

use super::{Rows, ScoreRow};
use crate::output::{Pending, harmless};
use crate::result::Detector;

pub(super) struct CsvRows(csv::Writer<Pending>);

impl CsvRows {
    pub(super) fn new(file: Pending) -> io::Result<Self> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file);
        let [value_forest, combination_forest, value_sum, combination_sum] =
            Detector::ALL.map(|detector| format!("rank_{}", detector.id()));
        csv.write_record([
            "entry",
            "population",
            "rank",
            "score",
            "risk",
            "band",
            "detector",
            &value_forest,
            &combination_forest,
            &value_sum,
            &combination_sum,
            "tests",
            "amount",
            "date",
            "user",
            "model_id",
        ])?;
        Ok(Self(csv))
    }
}

impl Rows for CsvRows {
    fn write(&mut self, row: &ScoreRow<'_>) -> io::Result<()> {
        // The shortest text of a float that reads back as the same bits.
        let [value_forest, combination_forest, value_sum, combination_sum] =
            row.detector_ranks.map(|rank| rank.to_string());
        Ok(self.0.write_record([
            &*harmless(row.entry),
            &*harmless(row.population),
            &row.rank.to_string(),
            &row.score.to_string(),
            &row.risk.to_string(),
            row.band.name(),
            row.detector.id(),
            &value_forest,
            &combination_forest,
            &value_sum,
            &combination_sum,
            &row.tests.join(" "),
            &row.amount.to_string(),
            &row.date.map(|date| date.to_string()).unwrap_or_default(),
            &*harmless(row.user),
            &*harmless(row.model_id),
        ])?)
    }

    fn finish(self: Box<Self>) -> io::Result<Pending> {
        self.0.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}
