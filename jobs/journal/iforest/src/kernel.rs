//! The inner loop: rows walk down trees. One text per set of instructions, chosen when the program runs; all give the same bits, since they compare and add
//! whole numbers only.

use crate::axis::AxisTrees;
use crate::lanes::Lanes;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

/// The processor's instructions with which rows are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What every processor has.
    Scalar,
    Avx2,
    Avx512,
}

impl Instructions {
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    /// The widest that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rfind(|instructions| instructions.available()).unwrap_or(Self::Scalar)
    }

    /// Whether this processor has them.
    pub fn available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

/// Adds to each row's sum its depth in all trees. There is a sum for each lane, also for those that only fill up the last group.
///
/// Instructions that the processor lacks are replaced by those it has.
pub(crate) fn add_depths(instructions: Instructions, trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    // The walks look nothing up that they were not told here.
    assert_eq!(rows.size(), 2 * trees.columns() * crate::lanes::LANES);
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 if Instructions::Avx512.available() => avx512::add_depths(trees, rows, sums),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 | Instructions::Avx2 if Instructions::Avx2.available() => {
            avx2::add_depths(trees, rows, sums);
        }
        _ => scalar::add_depths(trees, rows, sums),
    }
}
