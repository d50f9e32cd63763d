//! The amounts whose differences are taken for the second order.
//!
//! Differences need all amounts in order, and a ledger may have more of them than memory. Beyond [`MOST`] amounts those of the lowest hashes are kept, a
//! sample that is the same however the ledger is ordered or parted: whatever sample of numbers is taken, the law of the second order holds for it.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::leading;
use crate::amount::Amount;

/// 200,000 amounts are 6 MB.
pub const MOST: usize = 200_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Place and amount; the greatest place on top, to be the first to go.
    kept: BinaryHeap<(u64, Amount)>,
}

impl Sample {
    pub fn add(&mut self, place: u64, amount: Amount) {
        let amount = amount.abs();
        if self.kept.len() < MOST {
            self.kept.push((place, amount));
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && (place, amount) < *greatest
        {
            *greatest = (place, amount);
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (place, amount) in other.kept {
            self.add(place, amount);
        }
    }

    /// How often the first two digits occur in the differences of the amounts in order, without those of equal amounts.
    pub fn second_order(&self) -> Vec<u64> {
        let mut amounts: Vec<Amount> = self.kept.iter().map(|&(_, amount)| amount).collect();
        amounts.sort_unstable();
        let mut counts = vec![0; 90];
        for pair in amounts.windows(2) {
            if let Some(digits) = leading(pair[1] - pair[0]) {
                counts[usize::from(digits - 10)] += 1;
            }
        }
        counts
    }

    fn sorted(&self) -> Vec<(u64, Amount)> {
        self.kept.clone().into_sorted_vec()
    }
}

/// Which amounts are kept counts, not how the heap lies.
impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for Sample {}
