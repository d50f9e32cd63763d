//! Starts what a test needs in one line.

pub mod binary;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod store;
