//! When to look again for what others did: soon after a hint, and by itself, in ever longer steps, for what nobody
//! hinted at, as on PostgreSQL without Redis the other processes do.

use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio::sync::watch;

/// However many hints there are, no two looks are closer.
const CLOSEST: Duration = Duration::from_millis(50);
/// What lasts is heard of this late at most.
const FARTHEST: Duration = Duration::from_secs(1);

pub struct Lookout {
    hints: watch::Receiver<()>,
    clock: Arc<dyn Clock>,
    step: Duration,
}

impl Lookout {
    pub fn new(hints: watch::Receiver<()>, clock: Arc<dyn Clock>) -> Self {
        Self { hints, clock, step: CLOSEST }
    }

    /// Before each look: what happens from here on is looked for again.
    pub fn begin(&mut self) {
        self.hints.mark_unchanged();
    }

    /// As after a hint: what comes now, may have more behind it.
    pub fn hurry(&mut self) {
        self.step = CLOSEST;
    }

    /// Until it is time for the next look; `called` brings it forward too.
    pub async fn next(&mut self, called: impl Future<Output = ()>) {
        self.clock.sleep(CLOSEST).await;
        tokio::select! {
            Ok(()) = self.hints.changed() => self.step = CLOSEST,
            () = called => self.step = CLOSEST,
            () = self.clock.sleep(self.step) => self.step = (self.step * 2).min(FARTHEST),
        }
    }
}
