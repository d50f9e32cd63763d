//! Amounts just below the limits at which somebody else has to approve, where there are far more of them than there should be.

use crate::amount::Amount;
use crate::stored::{Broken, Reader, Stored};

/// What limits mostly are, in whole units of the currency.
const LIMITS: [i64; 12] =
    [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000];
/// How far below a limit is just below, in thousandths of it: nobody knows how near the limit people dare to go.
const BANDS: [i64; 4] = [5, 10, 20, 50];
/// An excess of so many standard deviations is none by chance.
const BUNCHED: f64 = 4.0;

/// Entries just below each limit, for each band: within it, and in the two bands below it. Adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limits {
    near: [[u64; BANDS.len()]; LIMITS.len()],
    below: [[u64; BANDS.len()]; LIMITS.len()],
}

/// Amounts that are just below a limit, too many for it to be chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bunch {
    pub limit: Amount,
    /// How far below it they begin, in thousandths of the limit.
    pub width: i64,
    pub near: u64,
    /// Entries in the two stretches of that width below.
    pub below: u64,
}

impl Limits {
    pub(super) fn add(&mut self, amount: Amount) {
        for (place, limit) in LIMITS.into_iter().enumerate() {
            for (band, width) in BANDS.into_iter().enumerate() {
                self.near[place][band] += u64::from(within(amount, limit, 1_000 - width, 1_000));
                self.below[place][band] += u64::from(within(amount, limit, 1_000 - 3 * width, 1_000 - width));
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let add = |counts: &mut [[u64; BANDS.len()]], more: &[[u64; BANDS.len()]]| {
            counts
                .as_flattened_mut()
                .iter_mut()
                .zip(more.as_flattened())
                .for_each(|(count, more)| *count += more);
        };
        add(&mut self.near, &other.near);
        add(&mut self.below, &other.below);
    }

    /// -ln of the share of entries that are as just below a limit below which they bunch as this amount is; 0 where it is not.
    pub(super) fn bunched(&self, amount: Amount, entries: u64) -> f64 {
        let word = |bunch: Bunch| -libm::log(bunch.near as f64 / entries as f64);
        self.bunches(amount).map(word).fold(0.0, f64::max)
    }

    /// The smallest bunch that the amount is in.
    pub(super) fn smallest(&self, amount: Amount) -> Option<Bunch> {
        self.bunches(amount).min_by_key(|bunch| bunch.near)
    }

    fn bunches(&self, amount: Amount) -> impl Iterator<Item = Bunch> {
        (0..LIMITS.len()).filter_map(move |place| {
            let (band, excess) = self.most_bunched(place);
            let width = BANDS[band];
            (excess >= BUNCHED && within(amount, LIMITS[place], 1_000 - width, 1_000)).then(|| Bunch {
                limit: Amount::from_cents(LIMITS[place] * 100),
                width,
                near: self.near[place][band],
                below: self.below[place][band],
            })
        })
    }

    /// The band with the largest excess, and how large it is.
    fn most_bunched(&self, place: usize) -> (usize, f64) {
        let excess = |band: usize| {
            // The zone below is twice as wide.
            let expected = self.below[place][band] as f64 / 2.0;
            (band, (self.near[place][band] as f64 - expected) / libm::sqrt(expected.max(1.0)))
        };
        (0..BANDS.len()).map(excess).fold((0, 0.0), |most, band| if band.1 > most.1 { band } else { most })
    }
}

impl Stored for Limits {
    const LEAST: usize = 2 * 8 * LIMITS.len() * BANDS.len();

    fn put(&self, out: &mut Vec<u8>) {
        self.near.put(out);
        self.below.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { near: Stored::take(from)?, below: Stored::take(from)? })
    }
}

/// From so many thousandths of the limit up to, and without, so many.
fn within(amount: Amount, limit: i64, from: i64, to: i64) -> bool {
    // Limits are whole hundreds: a thousandth of one is whole cents.
    (Amount::from_cents(limit * from / 10)..Amount::from_cents(limit * to / 10)).contains(&amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(amounts: impl IntoIterator<Item = i64>) -> Limits {
        let mut limits = Limits::default();
        amounts.into_iter().for_each(|cents| limits.add(Amount::from_cents(cents)));
        limits
    }

    #[test]
    fn a_crowd_just_below_a_limit_is_seen_and_an_even_spread_is_not() {
        let even = || (8_000..10_100).map(|units| units * 100);
        let crowd = || std::iter::repeat_n(990_000, 60);

        let (calm, bunched) = (counted(even()), counted(even().chain(crowd())));

        let word = |limits: &Limits, cents: i64| limits.bunched(Amount::from_cents(cents), 10_000);
        assert_eq!(word(&calm, 990_000), 0.0);
        assert!(word(&bunched, 990_000) > 4.0, "{}", word(&bunched, 990_000));
        assert_eq!([word(&bunched, 1_000_000), word(&bunched, 940_000), word(&bunched, 99_000)], [0.0; 3]);
    }

    #[test]
    fn a_limit_itself_is_not_below_it() {
        for (cents, is) in [(98_000, true), (99_999, true), (100_000, false), (97_999, false)] {
            assert_eq!(within(Amount::from_cents(cents), 1_000, 980, 1_000), is, "{cents}");
        }
    }

    #[test]
    fn counts_of_parts_are_those_of_the_whole() {
        let amounts = [99_900, 97_000, 990_000, 5, 499_000_000];
        let mut merged = counted(amounts[..2].iter().copied());
        merged.merge(&counted(amounts[2..].iter().copied()));

        assert_eq!(merged, counted(amounts));
    }
}
