//! Ways to the databases of others.

pub mod database;
