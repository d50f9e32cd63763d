//! Starts what a test needs in one line.

pub mod azurite;
pub mod binary;
pub mod clamav;
pub mod front;
pub mod http;
pub mod node;
pub mod ports;
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod receiver;
pub mod redis;
pub mod s3;
pub mod serving;
pub mod smtp;
pub mod store;
