//! The emulator over HTTP: what callers see, with a client that sees cut connections too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod client;
mod connect;
mod control;
mod faults;
mod limits;
mod oauth;
mod switches;
mod verbs;
