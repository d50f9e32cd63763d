//! On the cover: what scored the ledger, whether it still fits, and what another model would have flagged.

use super::WorkpaperError;
use super::cover::period;
use super::sheet::{Cell, Sheet, column, number};
use crate::result::{Challenge, Results};

/// Of those that one model alone flags; the results have them all.
const MOST_PARTED: usize = 25;

pub(super) fn write(sheet: &mut Sheet<'_>, results: &Results) -> Result<(), WorkpaperError> {
    sheet.heading("Model")?;
    let model = &results.model;
    if model.name.is_some() {
        sheet.fact("Name", &Cell::text(model.called()))?;
    }
    sheet.fact("Trained on", &Cell::text(&*model.trained_on))?;
    sheet.fact("Entries", &Cell::Count(model.trained_entries))?;
    sheet.fact("Window", &Cell::text(period(model.window)))?;
    sheet.fact("Trees", &Cell::Count(model.trees))?;
    sheet.fact("Entries per tree", &Cell::Count(model.sample))?;
    sheet.fact("Features", &Cell::Count(model.features))?;

    if let Some(verdict) = results.drift_in_words() {
        sheet.heading("Drift")?;
        sheet.fact("All entries", &Cell::text(verdict))?;
        for drift in &results.drift {
            for words in drift.in_words() {
                sheet.fact(&drift.population, &Cell::text(words))?;
            }
        }
    }
    results.challenge.as_ref().map_or(Ok(()), |challenge| challenger(sheet, challenge))
}

fn challenger(sheet: &mut Sheet<'_>, challenge: &Challenge) -> Result<(), WorkpaperError> {
    let Challenge { model, champion_only, challenger_only, .. } = challenge;
    sheet.heading("Challenger")?;
    sheet.fact("Name", &Cell::text(format!("{}, {}", model.called(), model.id)))?;
    sheet.fact("Agreement", &Cell::text(challenge.in_words()))?;
    for (title, list) in
        [("Flagged by the model alone", champion_only), ("By the challenger alone", challenger_only)]
    {
        if list.total() == 0 {
            continue;
        }
        sheet.header(&[
            column(title, 0),
            column("", 0),
            number("Rank", 0),
            number("Challenger's rank", 0),
        ])?;
        for parted in list.listed().iter().take(MOST_PARTED) {
            sheet.cells(&[
                Cell::text(&*parted.entry),
                Cell::text(""),
                Cell::Count(parted.champion.rank),
                Cell::Count(parted.challenger.rank),
            ])?;
        }
    }
    Ok(())
}
