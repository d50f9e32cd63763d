//! Schedules: which there are, when they fire, and what people do with them.

pub mod calendar;
pub mod cron;
pub mod definition;
pub mod policy;
pub mod template;
pub mod timing;
