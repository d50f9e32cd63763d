//! What was kept of some parts, as bytes for whoever adds it up.

use super::{Cell, OfTest, Picked, Tally, Wanted, Week};
use crate::amount::Amount;
use crate::passes::judge::Row;
use crate::passes::measure::{put_measures, take_measures};
use crate::passes::sums::Sum;
use crate::result::MOST_HITS;
use crate::selection::least::Least;
use crate::stored::{Broken, Reader, Stored, put_bytes, put_json, take_json};

impl Sum for Tally {
    type Of<'a> = &'a Wanted;

    fn merge(&mut self, more: Self) {
        self.add_up(more);
    }

    fn put(&self, out: &mut Vec<u8>) {
        let Self { bands, scores, week, points, tests, top, asked, all_high, random, stratified, cells } =
            self;
        bands.put(out);
        scores.put(out);
        week.put(out);
        points.put(out);
        for OfTest { amount, listed } in tests {
            amount.units().put(out);
            listed.put(out, put_json);
        }
        top.put(out, Picked::put);
        (asked.len() as u64).put(out);
        asked.values().for_each(|picked| picked.put(out));
        all_high.put(out);
        // Whether there are such follows from what is wanted.
        random.iter().for_each(|random| random.put(out));
        stratified.iter().for_each(|stratified| stratified.put(out));
        cells.put(out);
    }

    fn take(from: &mut Reader<'_>, wanted: &Wanted) -> Result<Self, Broken> {
        let mut tally = Self::new(wanted);
        tally.bands = Stored::take(from)?;
        let scores: Vec<u64> = Stored::take(from)?;
        if scores.len() != tally.scores.len() {
            return Err(Broken("it counts scores in other steps"));
        }
        tally.scores = scores;
        tally.week = Week::take(from)?;
        tally.points.add_from(from)?;
        for test in &mut tally.tests {
            test.amount = Amount::from_units(Stored::take(from)?);
            test.listed = Least::take(from, MOST_HITS, take_json)?;
        }
        tally.top = Least::take(from, wanted.top, Picked::take)?;
        for _ in 0..u64::take(from)? {
            let picked = Picked::take(from)?;
            tally.asked.insert(picked.row.entry.clone(), picked);
        }
        tally.all_high.add_from(from)?;
        tally.random.iter_mut().try_for_each(|random| random.add_from(from))?;
        tally.stratified.iter_mut().try_for_each(|stratified| stratified.add_from(from))?;
        tally.cells.add_from(from)?;
        Ok(tally)
    }
}

impl Picked {
    pub(in crate::passes) fn put(&self, out: &mut Vec<u8>) {
        let Self { row, scored, measures } = self;
        let mut bytes = Vec::new();
        row.put(&mut bytes);
        put_bytes(&bytes, out);
        scored.put(out);
        put_measures(measures, out);
    }

    pub(in crate::passes) fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let mut bytes = from.bytes()?;
        let row = Row::take(&mut bytes).filter(|_| bytes.is_empty());
        let row = row.ok_or(Broken("an entry is none"))?;
        Ok(Self { row, scored: Stored::take(from)?, measures: take_measures(from)? })
    }
}

impl Week {
    fn put(&self, out: &mut Vec<u8>) {
        self.undated.put(out);
        self.cells.as_flattened().iter().for_each(|cell| (cell.entries, cell.units).put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let mut week = Self { undated: Stored::take(from)?, ..Self::default() };
        for cell in week.cells.as_flattened_mut() {
            let (entries, units) = Stored::take(from)?;
            *cell = Cell { entries, units };
        }
        Ok(week)
    }
}
