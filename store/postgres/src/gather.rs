//! Callers that enqueue one job each at the same time share one commit.
//!
//! A lone caller pays nothing: its rows go out at once. Those who come while a statement is under way
//! wait for it and then go out together, so the disk is waited for once per group and not once per job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::PostgresStore;
use super::sessions::within;
use store::{Actor, Inserted, NewRow, Result, Scope, StoreError};

const DOING: &str = "enqueueing jobs together with others";

#[derive(Default)]
pub struct Gather {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: bool,
    waiting: Vec<Waiting>,
}

struct Waiting {
    rows: Vec<NewRow>,
    by: Actor,
    answer: oneshot::Sender<Result<Vec<Inserted>>>,
}

/// More in one statement makes everybody in it wait longer than it saves.
const MOST_ROWS: usize = 500;
const MOST_BYTES: usize = 4 << 20;

impl Waiting {
    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.args.len()).sum()
    }
}

impl Gather {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn insert(&self, store: &PostgresStore, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        let answer = {
            let mut state = self.lock();
            match state.under_way {
                false => {
                    state.under_way = true;
                    None
                }
                true => {
                    let (sender, answer) = oneshot::channel();
                    state.waiting.push(Waiting { rows: rows.to_vec(), by: by.clone(), answer: sender });
                    Some(answer)
                }
            }
        };
        match answer {
            // The group before, and its own.
            Some(answer) => within(store.answer_within * 2, DOING, unless_lost(answer)).await,
            None => {
                // Whoever waits goes next, also when this caller gives up in the middle.
                let _next = Next(store.this.clone());
                store.insert_now(&Scope::Installation, rows, by).await
            }
        }
    }

    /// Those who go next. Whoever has given up meanwhile may have come again with the same jobs.
    fn next_group(&self) -> Vec<Waiting> {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let (mut rows, mut bytes) = (0, 0);
        let fits = |waiting: &&Waiting| {
            rows += waiting.rows.len();
            bytes += waiting.bytes();
            rows <= MOST_ROWS && bytes <= MOST_BYTES
        };
        let most = state.waiting.iter().take_while(fits).count().max(1).min(state.waiting.len());
        state.waiting.drain(..most).collect()
    }
}

async fn unless_lost(answer: oneshot::Receiver<Result<Vec<Inserted>>>) -> Result<Vec<Inserted>> {
    let lost = "whoever inserted them was stopped: whether they are there is not known";
    answer.await.unwrap_or_else(|_| Err(StoreError::Database { doing: DOING, cause: lost.into() }))
}

/// However a group's turn ends, and be it in a panic, the next one's begins.
struct Next(Weak<PostgresStore>);

impl Drop for Next {
    fn drop(&mut self) {
        let Some(store) = self.0.upgrade() else { return };
        let mut state = store.gather.lock();
        match (state.waiting.is_empty(), Handle::try_current()) {
            (false, Ok(runtime)) => {
                drop(state);
                runtime.spawn(insert_group(store));
            }
            _ => state.under_way = false,
        }
    }
}

async fn insert_group(store: Arc<PostgresStore>) {
    let _next = Next(store.this.clone());
    let mut group = store.gather.next_group();
    // One audit entry names one actor at one address.
    group.sort_by(|a, b| who(a).cmp(&who(b)));
    while let Some(last) = group.last() {
        let start = group.partition_point(|waiting| who(waiting) < who(last));
        let same = group.split_off(start);
        if let Some(by) = together(&same) {
            insert_together(&store, same, &by).await;
        }
    }
}

fn who(waiting: &Waiting) -> (&str, Option<&str>) {
    (&waiting.by.name, waiting.by.origin.source.as_deref())
}

/// The requests in the order of their jobs: `r1 r2*3` is one job of r1 and then three of r2.
fn together(group: &[Waiting]) -> Option<Actor> {
    let mut by = group.first()?.by.clone();
    if group.iter().any(|waiting| waiting.by.origin.request.is_some()) && group.len() > 1 {
        let request = |waiting: &Waiting| {
            let id = waiting.by.origin.request.as_deref().unwrap_or("-");
            match waiting.rows.len() {
                1 => id.to_owned(),
                many => format!("{id}*{many}"),
            }
        };
        by.origin.request = Some(group.iter().map(request).collect::<Vec<_>>().join(" "));
    }
    Some(by)
}

async fn insert_together(store: &PostgresStore, group: Vec<Waiting>, by: &Actor) {
    let rows: Vec<_> = group.iter().flat_map(|waiting| waiting.rows.iter().cloned()).collect();
    match store.insert_now(&Scope::Installation, &rows, by).await {
        Ok(inserted) => {
            let mut inserted = inserted.into_iter();
            for waiting in group {
                let own = inserted.by_ref().take(waiting.rows.len()).collect();
                // A caller that gave up is not told.
                let _ = waiting.answer.send(Ok(own));
            }
        }
        // One caller's bad row must not be another's failure.
        Err(problem) if problem.blames_the_data() => {
            for waiting in group {
                let _ = waiting.answer.send(store.insert_now(&Scope::Installation, &waiting.rows, by).await);
            }
        }
        // Whether it was committed is not known, so nothing may be inserted again; each caller decides.
        Err(problem) => {
            let cause = store::chain(&problem);
            for waiting in group {
                let cause = cause.clone().into();
                let _ = waiting.answer.send(Err(StoreError::Database { doing: DOING, cause }));
            }
        }
    }
}
