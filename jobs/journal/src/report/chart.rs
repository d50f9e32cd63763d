//! The figures, each with the table of its numbers.

mod axis;
mod benford;
mod histogram;
mod scatter;
mod week;

pub(super) use benford::benford;
pub(super) use histogram::histogram;
pub(super) use scatter::scatter;
pub(super) use week::week;

/// All figures are as wide as a page of paper inside its margins.
const WIDTH: f64 = 500.0;
