//! Many want the same thing of DocuSign at once: a token, the place of the account. One fetches it while the others wait, and all of them get what it brought. That
//! goes for a failure too: each would else find out by itself, one after the other, what the first was told.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::provider::CallError;

pub struct Flights<T> {
    landed: Mutex<Landed<T>>,
    /// How many have ended. Counted beside the lock, so that who comes can see it without waiting.
    ended: AtomicU64,
}

struct Landed<T> {
    kept: Option<T>,
    /// Of the last one, if that brought nothing: its number, and why.
    failed: Option<(u64, CallError)>,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { landed: Mutex::new(Landed { kept: None, failed: None }), ended: AtomicU64::new(0) }
    }
}

impl<T: Clone> Flights<T> {
    /// What is kept while it is good, or what one fetches for all who wait.
    pub async fn get(
        &self,
        is_good: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let came = self.ended.load(Ordering::SeqCst);
        let mut landed = self.landed.lock().await;
        if let Some(kept) = landed.kept.as_ref().filter(|kept| is_good(kept)) {
            return Ok(kept.clone());
        }
        // It ended while this one waited, so it says what a flight of its own would say.
        if let Some((_, error)) = landed.failed.as_ref().filter(|(number, _)| *number > came) {
            return Err(error.clone());
        }
        let fetched = fetch.await;
        let number = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        match &fetched {
            Ok(fetched) => *landed = Landed { kept: Some(fetched.clone()), failed: None },
            Err(error) => landed.failed = Some((number, error.clone())),
        }
        fetched
    }

    pub async fn forget(&self) {
        self.landed.lock().await.kept = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;
    use crate::provider::{Budget, Fault};

    fn refused() -> CallError {
        CallError {
            doing: "asking",
            fault: Fault::SignIn,
            code: Some("user_not_found".into()),
            trace: None,
            status: Some(400),
            budget: Budget::default(),
        }
    }

    /// The first waits for the other side; as many come meanwhile.
    async fn together(answer: Result<u32, CallError>, others: usize) -> (Vec<Result<u32, CallError>>, u64) {
        let flights = Arc::new(Flights::<u32>::default());
        let asked = AtomicU64::new(0);
        let (land, landing) = oneshot::channel();
        let first = flights.get(|_| true, async {
            asked.fetch_add(1, Ordering::SeqCst);
            landing.await.unwrap()
        });
        let mut first = std::pin::pin!(first);
        assert!(first.as_mut().now_or_never().is_none());
        let waiting = (0..others).map(|_| {
            flights.get(|_| true, async {
                asked.fetch_add(1, Ordering::SeqCst);
                Ok(0)
            })
        });
        let mut waiting: Vec<_> = waiting.map(Box::pin).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        land.send(answer).unwrap();
        let mut got = vec![first.await];
        for one in waiting {
            got.push(one.await);
        }
        // Who comes later tries anew.
        let later = flights.get(|_| false, async { Ok(9) }).await;
        assert_eq!(later, Ok(9));
        (got, asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn what_one_brings_is_everybodys_and_so_is_its_failure() {
        for answer in [Ok(7), Err(refused())] {
            let (got, asked) = together(answer.clone(), 5).await;

            assert_eq!((got, asked), (vec![answer; 6], 1));
        }
    }

    #[tokio::test]
    async fn one_that_is_given_up_on_its_way_keeps_nobody() {
        let flights = Flights::<u32>::default();
        let lost = flights.get(|_| true, std::future::pending()).now_or_never();

        assert!(lost.is_none());
        assert_eq!(flights.get(|_| true, async { Ok(1) }).await, Ok(1));
    }
}
