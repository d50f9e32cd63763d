//! What was selected from some parts of a ledger, as bytes for whoever adds it up. Seeds and sizes are not among them: both sides have them from the settings.

use super::least::Least;
use super::monetary_unit::Cells;
use super::{AllHigh, Points, Random, Stratified, Tally};
use crate::amount::Amount;
use crate::result::{MOST_POINTS, MOST_SELECTED};
use crate::stored::{Broken, Reader, Stored, put_json, take_json};

impl Stored for Tally {
    const LEAST: usize = 24;

    fn put(&self, out: &mut Vec<u8>) {
        (self.entries, self.amount.units()).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let (entries, units) = Stored::take(from)?;
        Ok(Self { entries, amount: Amount::from_units(units) })
    }
}

impl AllHigh {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let Self { population, high, least } = self;
        population.put(out);
        high.put(out);
        least.put(out, put_json);
    }

    pub(crate) fn add_from(&mut self, from: &mut Reader<'_>) -> Result<(), Broken> {
        let (population, high) = (Stored::take(from)?, Stored::take(from)?);
        self.merge(Self { population, high, least: Least::take(from, MOST_SELECTED, take_json)? });
        Ok(())
    }
}

impl Random {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.population.put(out);
        self.least.put(out, put_json);
    }

    pub(crate) fn add_from(&mut self, from: &mut Reader<'_>) -> Result<(), Broken> {
        let population = Stored::take(from)?;
        let least = Least::take(from, self.size as usize, take_json)?;
        self.merge(Self { population, least, ..*self });
        Ok(())
    }
}

impl Points {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.least.put(out, put_json);
    }

    pub(crate) fn add_from(&mut self, from: &mut Reader<'_>) -> Result<(), Broken> {
        let least = Least::take(from, MOST_POINTS, take_json)?;
        self.merge(Self { least, ..*self });
        Ok(())
    }
}

impl Stratified {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.population.put(out);
        self.below.put(out);
        for (stratum, least) in &self.strata {
            (stratum.population_entries, stratum.population_amount.units()).put(out);
            least.put(out, put_json);
        }
    }

    pub(crate) fn add_from(&mut self, from: &mut Reader<'_>) -> Result<(), Broken> {
        let Tally { entries, amount } = Stored::take(from)?;
        self.population.add(entries, amount);
        self.below += u64::take(from)?;
        for (stratum, least) in &mut self.strata {
            let Tally { entries, amount } = Stored::take(from)?;
            stratum.population_entries += entries;
            stratum.population_amount = stratum.population_amount + amount;
            least.merge(Least::take(from, stratum.size as usize, take_json)?);
        }
        Ok(())
    }
}

impl Cells {
    /// Of a small ledger most are empty.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let Self { seed: _, sums, population, chanceless } = self;
        population.put(out);
        chanceless.put(out);
        let sums = sums.iter().enumerate().filter(|(_, sum)| **sum != 0);
        sums.map(|(cell, &sum)| (cell as u32, sum)).collect::<Vec<_>>().put(out);
    }

    pub(crate) fn add_from(&mut self, from: &mut Reader<'_>) -> Result<(), Broken> {
        let Tally { entries, amount } = Stored::take(from)?;
        self.population.add(entries, amount);
        self.chanceless += u64::take(from)?;
        for (cell, sum) in <Vec<(u32, i128)> as Stored>::take(from)? {
            *self.sums.get_mut(cell as usize).ok_or(Broken("it has other cells"))? += sum;
        }
        Ok(())
    }
}
