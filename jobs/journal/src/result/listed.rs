//! A list that stays short.

use serde::{Deserialize, Serialize};

/// The first of what may be many, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    total: u64,
    listed: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total: 0, listed: Vec::new() }
    }
}

impl<T> Listed<T> {
    /// Of what was already cut elsewhere.
    pub fn of(listed: Vec<T>, total: u64) -> Self {
        Self { total: total.max(listed.len() as u64), listed }
    }

    /// Counts the item, and keeps it while there is room for it.
    pub fn push(&mut self, item: T, most: usize) {
        self.total += 1;
        if self.listed.len() < most {
            self.listed.push(item);
        }
    }

    /// The same for an item that takes effort to make.
    pub fn push_with(&mut self, make: impl FnOnce() -> T, most: usize) {
        self.total += 1;
        if self.listed.len() < most {
            self.listed.push(make());
        }
    }

    pub fn listed(&self) -> &[T] {
        &self.listed
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn omitted(&self) -> u64 {
        self.total.saturating_sub(self.listed.len() as u64)
    }
}
