//! The one integration binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod architecture;
mod artifacts;
mod audit;
mod cli;
mod doctor;
mod docusign_emulator;
mod engine;
mod examples;
mod faults;
mod http;
mod limiter;
mod outgoing;
mod redaction;
mod redis;
mod rotation;
mod scheduler;
mod store;
mod support;
mod triggers;
