//! Our store behind apalis' `Backend`: the only file that names apalis.
//!
//! apalis' Worker and Monitor drive the work: they poll for the next job, hand it to the handler, and see
//! to an orderly end. Everything that must not be lost happens outside their poll loop, in tasks of its own
//! (fetcher, completer, lease keeper), because that loop is one future: what blocks it blocks everything.
//! For the same reason the handler spawns each attempt as a task, and an error never leaves a poll
//! function: to apalis an error is the worker's end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apalis::prelude::{Backend, ExecutionContext, Monitor, Task, WorkerBuilder, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use futures::future::BoxFuture;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use super::buffer::{Buffer, Ready};

/// What the handler is given: a job in hand and the slot it runs in.
pub struct Slotted {
    pub ready: Ready,
    pub slot: OwnedSemaphorePermit,
}

type Close = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

struct StoreBackend {
    buffer: Arc<Buffer>,
    slots: PollSemaphore,
    /// A slot has been asked for and not come yet.
    asked: bool,
    capacity: Arc<Notify>,
    close: Close,
    closing: Option<BoxFuture<'static, ()>>,
    /// apalis keeps a record per task; ours is in the store, so all tasks share one that nobody reads.
    record: Arc<ExecutionContext>,
}

impl StoreBackend {
    /// The job that a slot was asked for has been given back meanwhile, and the slot that comes would be nobody's.
    fn ask_no_more(&mut self) {
        if std::mem::take(&mut self.asked) {
            self.slots = PollSemaphore::new(self.slots.clone_inner());
            self.capacity.notify_one();
        }
    }
}

impl Backend for StoreBackend {
    type Task = Task<Slotted>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Slotted>, Infallible>>> {
        loop {
            // No slot is taken while there is nothing to put in it: the fetcher counts the free ones.
            if self.buffer.poll_any(cx).is_pending() {
                self.ask_no_more();
                return Poll::Pending;
            }
            // Then the slot before the job: a job that leaves the buffer has begun.
            let slot = self.slots.poll_acquire(cx);
            self.asked = slot.is_pending();
            let Some(slot) = ready!(slot) else {
                // The semaphore is never closed.
                return Poll::Ready(None);
            };
            if let Some(ready) = self.buffer.pop() {
                self.capacity.notify_one();
                let task = Task::new_with_ctx(Slotted { ready, slot }, self.record.clone());
                return Poll::Ready(Some(Ok(task)));
            }
            // Given back since: the fetcher may have counted the slot as taken.
            drop(slot);
            self.capacity.notify_one();
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        let close = &self.close;
        let closing = self.closing.get_or_insert_with(|| close());
        Pin::new(closing).poll(cx).map(Ok)
    }
}

impl BackendConfig for StoreBackend {
    type Args = Slotted;
    type Id = jobkit::JobId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = tower_layer::Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        tower_layer::Identity::new()
    }
}

/// Runs jobs from the buffer until `until` resolves; then `close` gives back what has not begun, waits for
/// what has, and this returns.
pub async fn run(
    name: String,
    buffer: Arc<Buffer>,
    slots: Arc<Semaphore>,
    capacity: Arc<Notify>,
    handle: impl Fn(Slotted) + Clone + Send + Sync + 'static,
    until: impl Future<Output = ()> + Send + 'static,
    close: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
) {
    let close: Close = Arc::new(close);
    let monitor = Monitor::new().register(move |_| {
        let backend = StoreBackend {
            buffer: buffer.clone(),
            slots: PollSemaphore::new(slots.clone()),
            asked: false,
            capacity: capacity.clone(),
            close: close.clone(),
            closing: None,
            record: Arc::default(),
        };
        let handle = handle.clone();
        WorkerBuilder::new(name.as_str()).backend(backend).build(move |slotted: Slotted| {
            handle(slotted);
            std::future::ready(())
        })
    });
    let signal = async move {
        until.await;
        Ok(())
    };
    // A poll function of ours that panicked is the one way to get here early; say so and begin anew.
    if let Err(problem) = monitor.should_restart(|_, _| true).run_with_signal(signal).await {
        tracing::error!("the worker ended badly: {problem}");
    }
}
