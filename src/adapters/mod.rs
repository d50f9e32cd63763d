//! The shared ports made real: the clock, the files, the audit log, the host. What only one family uses stands in that
//! family's crate.

pub mod artifacts;
pub mod audit;
pub mod clock;
pub mod host;
