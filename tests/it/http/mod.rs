//! The HTTP API: the real server over both stores, as callers meet it.

mod access;
mod alerts;
mod approvals;
mod binary;
mod bounds;
mod bulk;
mod doors;
mod events;
pub mod family;
mod health;
mod hooks;
mod identity;
mod jobs;
mod limits;
mod misuse;
mod models;
mod once;
mod rates;
mod records;
mod reviews;
mod schedules;
mod schema;
mod told;
mod uploads;
mod whence;
