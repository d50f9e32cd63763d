//! Starts what a test needs in one line.

pub mod postgres;
pub mod store;
