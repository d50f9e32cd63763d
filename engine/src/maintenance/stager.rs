//! Makes jobs available when they fall due: sleeps until the next one, or until somebody says that there
//! may be an earlier one.

use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;

use crate::service::Patience;
use crate::wake::Wake;
use store::Store;

/// Another process may schedule a job that is due before ours; it is found after this long at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
const LOCKED_SLEEP: Duration = Duration::from_millis(50);
const BATCH: usize = 1_000;

pub struct Stager {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub wake: Wake,
}

impl Stager {
    pub async fn run(self) {
        let mut patience = Patience::new("staging due jobs", self.clock.clone());
        let bell = self.wake.bell();
        loop {
            let wait = match self.store.stage(BATCH).await {
                Ok(staged) => {
                    patience.succeeded();
                    for queue in &staged.queues {
                        self.wake.wake(queue);
                    }
                    match staged.count {
                        BATCH => Duration::ZERO,
                        // What is due and was not staged is locked by somebody; asking without a pause would spin.
                        0 if staged.next == Some(Duration::ZERO) => LOCKED_SLEEP,
                        _ => staged.next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
                    }
                }
                Err(problem) => {
                    patience.failed(&problem).await;
                    Duration::ZERO
                }
            };
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = bell.due.notified() => {}
            }
        }
    }
}
