//! What happens when somebody else's transaction holds what ours needs: a unique key, a parent, a job.
//!
//! A caller may enqueue in a transaction of its own and keep that open for as long as it likes. Whoever comes
//! with the same key then waits, with one of the few connections in hand. So the wait is short and is begun
//! anew a few times, and then the caller hears what is the matter. Nothing of it was written.

use futures::future::BoxFuture;

use store::{Result, StoreError};

/// Begins a transaction that waits this long for a lock.
pub const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '1s'";

/// Two transactions that wait for each other are rid of that at the second try.
const TRIES: u32 = 3;

/// Does a whole transaction, again when a lock was in its way.
pub async fn patiently<'t, T>(
    doing: &'static str,
    transaction: impl Fn() -> BoxFuture<'t, Result<T>> + Send,
) -> Result<T> {
    let mut tries = 1;
    loop {
        match transaction().await {
            Err(problem) if problem.blames_a_lock() && tries < TRIES => tries += 1,
            answer => return answer.map_err(busy(doing)),
        }
    }
}

/// Calls an error that blames a lock by its name.
pub fn busy(doing: &'static str) -> impl FnOnce(StoreError) -> StoreError {
    move |problem| match problem.blames_a_lock() {
        true => StoreError::Busy { doing, cause: Box::new(problem) },
        false => problem,
    }
}
