//! Work of minutes within an attempt: off the runtime, seen from outside, and stopped when somebody asks.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobkit::{Ctx, Failure};

use crate::run::{RunError, Watch};

/// Passes on how far it is, in per cent. It ends early when the attempt must, or when `stop` says so.
pub(crate) async fn work<T: Send + 'static>(
    ctx: &Ctx,
    stop: Arc<AtomicBool>,
    work: impl FnOnce(Watch<'_>) -> Result<T, RunError> + Send + 'static,
) -> Result<T, Failure> {
    let (tell, mut told) = tokio::sync::watch::channel((0, ""));
    let done = ctx.cpu(move |token| {
        work(&|step, done, of| {
            let now = (step.percent(done, of), step.in_words());
            tell.send_if_modified(|last| {
                // A later stage that has to do an earlier one again does not go back.
                let on = now.0 > last.0;
                if on {
                    *last = now;
                }
                on
            });
            let go_on = !token.is_cancelled() && !stop.load(Ordering::Relaxed);
            if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    });
    tokio::pin!(done);
    loop {
        tokio::select! {
            ended = &mut done => return Ok(ended??),
            Ok(()) = told.changed() => {
                let (percent, message) = *told.borrow_and_update();
                ctx.progress(percent, 100, message).await;
            }
        }
    }
}
