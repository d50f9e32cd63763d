//! The routes below `/v1`, one file per group.

pub mod alerts;
pub mod approvals;
pub mod artifacts;
pub mod auth;
pub mod bulk;
pub mod doors;
pub mod enqueue;
pub mod events;
pub mod hooks;
pub mod jobs;
pub mod kinds;
pub mod limits;
pub mod models;
pub mod queues;
pub mod records;
pub mod reviews;
pub mod schedules;
pub mod tokens;
pub mod uploads;
pub mod users;
pub mod wait;
pub mod workers;
