//! Deliveries that come at the same time are taken in one transaction.
//!
//! Whoever delivers waits until it is on the disk. With a commit for each, a provider that sends two hundred in a second, and a disk that takes ten
//! milliseconds, keep everybody waiting. So those that come while others are being taken wait for these and then go together; a lone one goes at once.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use tokio::sync::oneshot;

use super::Verdict;
use crate::queue::{Queue, QueueError};
use store::triggers::Intake;
use store::{Actor, Inserted, StoreError};

/// So many groups at once: while one waits for the disk, the statements of the next are made.
const AT_ONCE: usize = 2;
/// More in one transaction makes everybody in it wait longer than it saves.
const MOST: usize = 100;

pub struct Gather {
    queue: Arc<Queue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    source: String,
    intake: Intake,
    told: oneshot::Sender<Told>,
}

enum Told {
    Taken(Inserted),
    Failed(Arc<QueueError>),
    /// The group was not taken, for whosever sake: it is to go alone.
    Alone,
}

impl Gather {
    pub fn new(queue: Arc<Queue>) -> Arc<Self> {
        Arc::new(Self { queue, state: Mutex::default() })
    }

    /// As [`Queue::take`] of this one.
    pub async fn take(self: &Arc<Self>, source: &str, intake: Intake) -> Result<Vec<Inserted>, QueueError> {
        let (told, answer) = oneshot::channel();
        let waiting = Waiting { source: source.into(), intake: intake.clone(), told };
        if self.joins(waiting) {
            // Not the caller's own task: one that gives up must not keep the others of its group waiting.
            tokio::spawn(self.clone().run());
        }
        match answer.await {
            Ok(Told::Taken(taken)) => Ok(vec![taken]),
            Ok(Told::Failed(problem)) => Err(shared(problem)),
            // It does no harm if the group was taken after all: its mark says so.
            Ok(Told::Alone) | Err(_) => self.queue.take(source, &[intake], &Actor::new(source)).await,
        }
    }

    /// Whether somebody has to begin.
    fn joins(&self, waiting: Waiting) -> bool {
        let mut state = self.lock();
        state.waiting.push_back(waiting);
        let begins = state.under_way < AT_ONCE;
        state.under_way += usize::from(begins);
        begins
    }

    async fn run(self: Arc<Self>) {
        while let Some(group) = self.next() {
            // Who hears nothing more goes alone, and those behind have their turn.
            let _ = AssertUnwindSafe(self.take_group(group)).catch_unwind().await;
        }
    }

    /// Those that go next, all of one source; none: this is over.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        // Whoever has given up comes again.
        state.waiting.retain(|waiting| !waiting.told.is_closed());
        let Some(first) = state.waiting.front().map(|waiting| waiting.source.clone()) else {
            state.under_way -= 1;
            return None;
        };
        let same = |waiting: &&Waiting| waiting.source == first;
        let many = state.waiting.iter().take(MOST).take_while(same).count();
        Some(state.waiting.drain(..many).collect())
    }

    async fn take_group(&self, group: Vec<Waiting>) {
        let Some(source) = group.first().map(|waiting| waiting.source.clone()) else { return };
        let (intakes, told): (Vec<Intake>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.intake, waiting.told)).unzip();
        match self.queue.take(&source, &intakes, &Actor::new(source.clone())).await {
            // A caller that gave up is not told.
            Ok(taken) => {
                told.into_iter().zip(taken).for_each(|(told, taken)| drop(told.send(Told::Taken(taken))));
            }
            Err(problem) => {
                // One's bad row, or its mark that somebody else holds, must not be another's failure. A store that is away is everybody's, and gets
                // no better by being asked by each.
                let is_ones = told.len() > 1 && !matches!(Verdict::of(&problem), Verdict::Later);
                let problem = Arc::new(problem);
                for told in told {
                    let answer = match is_ones {
                        true => Told::Alone,
                        false => Told::Failed(problem.clone()),
                    };
                    drop(told.send(answer));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong for all of a group, to one of it.
fn shared(problem: Arc<QueueError>) -> QueueError {
    Arc::try_unwrap(problem).unwrap_or_else(|problem| {
        let doing = "take deliveries that came together";
        QueueError::Store(StoreError::Database { doing, cause: Box::new(problem) })
    })
}
