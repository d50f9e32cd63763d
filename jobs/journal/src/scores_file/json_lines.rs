//! Scores as one JSON object per line. Amounts are text, so that no reader rounds them.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use super::{Rows, ScoreRow};
use crate::amount::Amount;
use crate::output::Pending;
use crate::result::{Band, Detector};

pub(super) struct JsonRows(Pending);

#[derive(Serialize)]
struct Row<'a> {
    entry: &'a str,
    population: &'a str,
    rank: u64,
    score: f64,
    risk: f64,
    band: Band,
    detector: Detector,
    rank_value_forest: f64,
    rank_combination_forest: f64,
    rank_value_sum: f64,
    rank_combination_sum: f64,
    tests: &'a [&'a str],
    amount: Amount,
    date: Option<Date>,
    user: &'a str,
    model_id: &'a str,
}

impl JsonRows {
    pub(super) fn new(file: Pending) -> Self {
        Self(file)
    }
}

impl Rows for JsonRows {
    fn write(&mut self, row: &ScoreRow<'_>) -> io::Result<()> {
        let [rank_value_forest, rank_combination_forest, rank_value_sum, rank_combination_sum] =
            row.detector_ranks;
        let ScoreRow { entry, population, rank, score, risk, band, detector, .. } = *row;
        let ScoreRow { tests, amount, date, user, model_id, .. } = *row;
        serde_json::to_writer(
            &mut self.0,
            &Row {
                entry,
                population,
                rank,
                score,
                risk,
                band,
                detector,
                rank_value_forest,
                rank_combination_forest,
                rank_value_sum,
                rank_combination_sum,
                tests,
                amount,
                date,
                user,
                model_id,
            },
        )?;
        self.0.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<Pending> {
        Ok(self.0)
    }
}
