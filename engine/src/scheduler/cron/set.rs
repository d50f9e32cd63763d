//! A set of small numbers, as one field of a cron line allows them.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    pub fn range(from: i8, to: i8) -> Self {
        let mut set = Self::default();
        (from..=to).for_each(|number| set.insert(number));
        set
    }

    /// The smallest from this one on.
    pub fn next(self, from: i8) -> Option<i8> {
        let above = u32::try_from(from).ok().and_then(|from| (u64::MAX).checked_shl(from))?;
        match self.0 & above {
            0 => None,
            rest => i8::try_from(rest.trailing_zeros()).ok(),
        }
    }

    pub fn insert(&mut self, number: i8) {
        self.0 |= bit(number);
    }

    pub fn has(self, number: i8) -> bool {
        self.0 & bit(number) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = i8> {
        (0..64).filter(move |number| self.has(*number))
    }
}

/// Numbers beyond the set are in none.
fn bit(number: i8) -> u64 {
    u32::try_from(number).ok().and_then(|number| 1u64.checked_shl(number)).unwrap_or(0)
}
