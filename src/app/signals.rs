//! What a person or a supervisor asks by a signal, heard from the first moment: a process that is told to stop while
//! it still starts ends as well as one that works.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Stopped by SIGINT or SIGTERM: the first lets running jobs end, a second does not wait.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    pub stop: CancellationToken,
    pub hard: CancellationToken,
    /// Without a handler the signal ends the process at once, and leases do the rest.
    unheard: Option<String>,
}

impl Signals {
    /// From here on neither of them ends the process by itself. On a runtime, and once in a process.
    pub fn listen() -> Self {
        let mut signals = Self::default();
        let mut hear = |kind| {
            signal(kind).map_err(|problem: io::Error| signals.unheard = Some(problem.to_string())).ok()
        };
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

    /// For the log, which begins later than the listening.
    pub fn warn_of_unheard(&self) {
        if let Some(problem) = &self.unheard {
            tracing::warn!("a signal cannot be listened to and ends the process at once: {problem}");
        }
    }

    /// The same signals, for a part of the work that is also stopped by itself.
    pub fn child(&self) -> Self {
        Self { stop: self.stop.child_token(), hard: self.hard.clone(), unheard: None }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
