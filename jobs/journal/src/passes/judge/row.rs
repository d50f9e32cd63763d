//! An entry as it is put aside once it is judged: what the files of all scores say of it, and the selections.

use std::cmp::Reverse;

use jiff::civil::Date;

use crate::amount::Amount;
use crate::names::Symbol;
use crate::passes::spill::{put_f64, put_text, take_array, take_f64, take_text};
use crate::result::{Band, Detector};
use crate::selection::Item;

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub entry: String,
    pub part: u32,
    pub number: u32,
    pub population: u16,
    pub score: f64,
    /// Decides between entries of one score.
    pub together: f64,
    pub risk: f64,
    pub band: Band,
    pub detector: Detector,
    /// For each of [`Detector::ALL`].
    pub ranks: [f64; 4],
    /// A bit for each of [`crate::controls::Id::ALL`].
    pub tests: u64,
    pub amount: Amount,
    pub in_main_currency: bool,
    pub currency: Symbol,
    pub date: Option<Date>,
    pub user: Symbol,
    pub text: String,
}

/// A number whose order is that of floats, upside down: the highest comes first.
fn highest_first(number: f64) -> Reverse<i64> {
    let bits = number.to_bits().cast_signed();
    Reverse(bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed())
}

impl Row {
    /// The most unusual first; of equal scores the one of which more is unusual; then by id.
    pub fn order(&self) -> (Reverse<i64>, Reverse<i64>, &str) {
        (highest_first(self.score), highest_first(self.together), &self.entry)
    }

    /// What selections look at; sums over currencies would mean nothing.
    pub fn item<'a>(&'a self, user: &'a str) -> Item<'a> {
        Item {
            entry: &self.entry,
            amount: if self.in_main_currency { self.amount } else { Amount::ZERO },
            band: self.band,
            risk: self.risk,
            date: self.date,
            user,
            text: &self.text,
        }
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        put_text(&self.entry, out);
        put_text(&self.text, out);
        for number in [self.part, self.number, self.currency.0, self.user.0] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.population.to_le_bytes());
        for number in [self.score, self.together, self.risk].into_iter().chain(self.ranks) {
            put_f64(number, out);
        }
        out.extend(self.tests.to_le_bytes());
        out.extend(self.amount.units().to_le_bytes());
        out.extend([self.band as u8, self.detector as u8, u8::from(self.in_main_currency)]);
        if let Some(date) = self.date {
            out.extend(date.year().to_le_bytes());
            out.extend([date.month().cast_unsigned(), date.day().cast_unsigned()]);
        }
    }

    pub fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (entry, text) = (take_text(bytes)?.into(), take_text(bytes)?.into());
        let mut number = || take_array(bytes).map(u32::from_le_bytes);
        let (part, place, currency, user) = (number()?, number()?, number()?, number()?);
        let population = u16::from_le_bytes(take_array(bytes)?);
        let mut float = || take_f64(bytes);
        let (score, together, risk) = (float()?, float()?, float()?);
        let ranks = [float()?, float()?, float()?, float()?];
        let tests = u64::from_le_bytes(take_array(bytes)?);
        let amount = Amount::from_units(i128::from_le_bytes(take_array(bytes)?));
        let [band, detector, in_main_currency] = take_array(bytes)?;
        let date = if bytes.is_empty() {
            None
        } else {
            let [low, high, month, day] = take_array(bytes)?;
            let year = i16::from_le_bytes([low, high]);
            Some(Date::new(year, month.cast_signed(), day.cast_signed()).ok()?)
        };
        Some(Self {
            entry,
            part,
            number: place,
            population,
            score,
            together,
            risk,
            band: *Band::ALL.get(usize::from(band))?,
            detector: *DETECTORS.get(usize::from(detector))?,
            ranks,
            tests,
            amount,
            in_main_currency: in_main_currency == 1,
            currency: Symbol(currency),
            date,
            user: Symbol(user),
            text,
        })
    }
}

const DETECTORS: [Detector; 6] = [
    Detector::ValueForest,
    Detector::CombinationForest,
    Detector::ValueSum,
    Detector::CombinationSum,
    Detector::Amount,
    Detector::ControlTest,
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(entry: &str, score: f64, together: f64) -> Row {
        Row {
            entry: entry.into(),
            part: 1,
            number: 2,
            population: 3,
            score,
            together,
            risk: 0.25,
            band: Band::Medium,
            detector: Detector::Amount,
            ranks: [0.1, 0.2, 0.3, 0.4],
            tests: 1 << 35 | 1,
            amount: Amount::from_cents(-7),
            in_main_currency: true,
            currency: Symbol(4),
            date: Some(jiff::civil::date(2025, 2, 28)),
            user: Symbol(5),
            text: "Miete".into(),
        }
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        for row in [row("JE-1", 5.5, -1.0), Row { date: None, text: String::new(), ..row("", 0.0, 0.0) }] {
            let mut bytes = Vec::new();
            row.put(&mut bytes);
            let mut rest = bytes.as_slice();

            assert_eq!(Row::take(&mut rest), Some(row));
            assert!(rest.is_empty());
        }
        for (at, detector) in DETECTORS.into_iter().enumerate() {
            assert_eq!(detector as usize, at);
        }
    }

    #[test]
    fn the_most_unusual_comes_first_and_equals_have_one_order() {
        let mut rows = [
            row("d", -0.5, 0.0),
            row("b", 2.0, 1.0),
            row("c", 2.0, -1.0),
            row("a", 2.0, 1.0),
            row("e", 0.0, 0.0),
            row("f", 11.5, 0.0),
        ];
        rows.sort_by(|one, other| one.order().cmp(&other.order()));

        assert_eq!(rows.map(|row| row.entry), ["f", "a", "b", "c", "e", "d"]);
    }
}
