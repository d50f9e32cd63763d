//! Compline: the background job worker and scheduler of regulated businesses.
//!
//! The library exists so that the integration tests and the benchmarks reach what the binary is made of;
//! `ARCHITECTURE.md` is the map.

pub mod adapters;
pub mod alerts;
pub mod app;
pub mod bulk;
pub mod callback;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod maintenance;
pub mod panics;
pub mod queue;
pub mod registry;
pub mod scheduler;
pub mod seal;
pub mod service;
pub mod state;
pub mod store;
pub mod system;
pub mod telemetry;
pub mod trace;
pub mod triggers;
pub mod wake;
pub mod webhooks;
pub mod worker;
