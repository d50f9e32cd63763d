//! Where secrets are kept, and who takes them.

pub mod file_store;
pub mod postgres;
