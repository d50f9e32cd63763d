//! Compline: the background job worker and scheduler of regulated businesses.
//!
//! The library exists so that the integration tests and the benchmarks reach what the binary is made of;
//! `ARCHITECTURE.md` is the map.

pub mod adapters;
pub mod config;
pub mod seal;
pub mod state;
pub mod store;
pub mod telemetry;
