//! The promises of the store, each kept by both databases: one text, run twice.

mod alerts;
mod audit;
mod change;
mod claim;
mod concurrency;
mod dependencies;
mod enqueue;
mod finish;
mod gate;
mod lease;
mod life;
mod limits;
mod locked;
mod pausing;
mod postgres;
mod prune;
mod reading;
mod requests;
mod schedules;
mod sql;
mod staging;
mod steps;
mod transaction;
mod triggers;
mod unique;
mod wake;
