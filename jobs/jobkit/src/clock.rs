//! Time as a port: nothing else in the workspace may ask what time it is (`clippy.toml` sees to it).
//!
//! Two clocks, because they answer different questions. The wall clock says which day it is and may be
//! set back or forward by a person; the steady clock only ever goes forward and is what leases,
//! time-outs and durations are measured with.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

pub trait Clock: Send + Sync + 'static {
    /// The wall clock, UTC.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment before this process did anything; never goes back.
    fn steady(&self) -> Duration;

    /// Resolves when the steady clock has gone on by `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
