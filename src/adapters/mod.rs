//! The shared ports made real: the clock, the files, the audit log, the host, and the way to Redis. What only one family
//! uses stands in that family's crate.

pub mod artifacts;
pub mod audit;
pub mod clock;
pub mod host;
pub mod redis;
