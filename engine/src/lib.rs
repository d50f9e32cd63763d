//! The engine: takes work in, runs it, records what became of it. It knows no family of jobs, so that an edit to
//! one does not compile it anew (`docs/decisions/0070-the-engine-is-a-crate.md`).

pub mod adapters;
pub mod alerts;
pub mod approvals;
pub mod artifacts;
pub mod audit;
pub mod bulk;
pub mod callback;
pub mod evidence;
pub mod http;
pub mod identity;
pub mod json;
pub mod limits;
pub mod lookout;
pub mod maintenance;
pub mod models;
pub mod panics;
pub mod queue;
pub mod reference;
pub mod scheduler;
pub mod seal;
pub mod service;
pub mod system;
pub mod trace;
pub mod triggers;
pub mod units;
pub mod uploads;
pub mod wake;
pub mod webhooks;
pub mod worker;
