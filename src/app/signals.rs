//! What a person or a supervisor asks by a signal, heard from the first moment: a process that is told to stop while
//! it still starts ends as well as one that works.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Stopped by SIGINT or SIGTERM: the first lets running jobs end, a second does not wait.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    pub stop: CancellationToken,
    pub hard: CancellationToken,
}

impl Signals {
    /// From here on neither of them ends the process by itself. On a runtime, and once in a process.
    pub fn listen() -> Self {
        let signals = Self::default();
        let (mut term, mut int) = (hear(SignalKind::terminate()), hear(SignalKind::interrupt()));
        let told = signals.clone();
        // For as long as the process lives: there is nothing to be stopped, and nothing in it that panics.
        tokio::spawn(async move {
            for token in [told.stop, told.hard] {
                tokio::select! {
                    () = next(&mut term) => {}
                    () = next(&mut int) => {}
                }
                token.cancel();
            }
        });
        signals
    }

    /// The same signals, for a part of the work that is also stopped by itself.
    pub fn child(&self) -> Self {
        Self { stop: self.stop.child_token(), hard: self.hard.clone() }
    }
}

/// Without a handler the signal ends the process at once, and leases do the rest.
fn hear(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|problem| tracing::warn!("a signal cannot be listened to: {problem}")).ok()
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
