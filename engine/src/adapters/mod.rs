//! The shared ports made real: the clock, the files, the audit log, the host, and the ways to Redis, to buckets, to
//! ClamAV, to a mail server and out by HTTP. What only one family uses stands in that family's crate.

pub mod artifacts;
pub mod audit;
pub mod buckets;
pub mod clamav;
pub mod clock;
pub mod containers;
pub mod databases;
pub mod host;
pub mod http_client;
pub mod mailer;
pub mod object_client;
pub mod redis;
pub mod tls;
