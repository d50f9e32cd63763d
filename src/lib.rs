//! The program: the engine and the families of jobs, wired together, with a command line and a configuration.
//!
//! It is a library so that the integration tests and the benchmarks reach what the binary is made of;
//! `ARCHITECTURE.md` is the map.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod registry;
pub mod telemetry;
