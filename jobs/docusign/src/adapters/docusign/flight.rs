//! Many want the same thing of DocuSign at once: a token, the place of the account. One fetches it while the others wait, and all of them get what it brought. That
//! goes for a failure too: each would else find out by itself, one after the other, what the first was told. Whoever is well served by what is kept waits for nobody.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::provider::CallError;

pub struct Flights<T> {
    /// Held by whoever fetches, for as long as that takes.
    flying: tokio::sync::Mutex<()>,
    /// Held for a moment only.
    landed: Mutex<Landed<T>>,
}

struct Landed<T> {
    /// What the newest brought, and with which number it was asked for.
    kept: Option<(u64, T)>,
    /// Of the last one, if that brought nothing.
    failed: Option<Failed>,
    /// How many have ended.
    ended: u64,
}

struct Failed {
    flight: u64,
    with: u64,
    why: CallError,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        let landed = Landed { kept: None, failed: None, ended: 0 };
        Self { flying: tokio::sync::Mutex::default(), landed: Mutex::new(landed) }
    }
}

impl<T: Clone> Flights<T> {
    /// What is kept while it is good, or what one fetches for all who wait. `with` is the number of what it is asked for with; whoever has something newer in his hand
    /// is not told of what failed with the older, nor does the older replace what the newer brought.
    pub async fn get(
        &self,
        with: u64,
        is_good: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let good = || self.kept().filter(|kept| is_good(kept));
        let came = self.landed().ended;
        if let Some(kept) = good() {
            return Ok(kept);
        }
        let _flying = self.flying.lock().await;
        if let Some(kept) = good() {
            return Ok(kept);
        }
        // It ended while this one waited, so it says what a flight of its own would say.
        let is_own = |failed: &&Failed| failed.flight > came && failed.with == with;
        if let Some(failed) = self.landed().failed.as_ref().filter(is_own) {
            return Err(failed.why.clone());
        }
        let fetched = fetch.await;
        self.land(with, &fetched);
        fetched
    }

    fn land(&self, with: u64, fetched: &Result<T, CallError>) {
        let mut landed = self.landed();
        landed.ended += 1;
        let flight = landed.ended;
        landed.failed = fetched.as_ref().err().map(|why| Failed { flight, with, why: why.clone() });
        if let Ok(fetched) = fetched
            && landed.kept.as_ref().is_none_or(|(newest, _)| *newest <= with)
        {
            landed.kept = Some((with, fetched.clone()));
        }
    }

    pub fn kept(&self) -> Option<T> {
        self.landed().kept.as_ref().map(|(_, kept)| kept.clone())
    }

    fn landed(&self) -> MutexGuard<'_, Landed<T>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

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
        let first = flights.get(1, |_| true, async {
            asked.fetch_add(1, Ordering::SeqCst);
            landing.await.unwrap()
        });
        let mut first = std::pin::pin!(first);
        assert!(first.as_mut().now_or_never().is_none());
        let waiting = (0..others).map(|_| {
            flights.get(1, |_| true, async {
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
        let later = flights.get(1, |_| false, async { Ok(9) }).await;
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
        let lost = flights.get(1, |_| true, std::future::pending()).now_or_never();

        assert!(lost.is_none());
        assert_eq!(flights.get(1, |_| true, async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn what_is_kept_and_good_is_got_while_another_is_on_its_way() {
        let flights = Flights::<u32>::default();
        flights.get(1, |_| true, async { Ok(7) }).await.unwrap();
        let mut other = std::pin::pin!(flights.get(2, |_| false, std::future::pending()));
        assert!(other.as_mut().now_or_never().is_none());

        let got = flights.get(1, |_| true, async { Ok(0) }).now_or_never();

        assert_eq!(got, Some(Ok(7)));
    }

    /// An old token that is not taken says nothing of a new one.
    #[tokio::test]
    async fn what_fails_with_one_fails_for_nobody_with_another() {
        let flights = Flights::<u32>::default();
        let (land, landing) = oneshot::channel();
        let mut old = std::pin::pin!(flights.get(1, |_| false, async { landing.await.unwrap() }));
        assert!(old.as_mut().now_or_never().is_none());
        let mut new = std::pin::pin!(flights.get(2, |_| false, async { Ok(8) }));
        assert!(new.as_mut().now_or_never().is_none());

        land.send(Err(refused())).unwrap();

        assert_eq!((old.await, new.await), (Err(refused()), Ok(8)));
    }

    #[tokio::test]
    async fn what_an_older_one_brings_replaces_nothing_newer() {
        let flights = Flights::<u32>::default();
        flights.get(2, |_| true, async { Ok(8) }).await.unwrap();

        let old = flights.get(1, |_| false, async { Ok(7) }).await;

        assert_eq!((old, flights.kept()), (Ok(7), Some(8)));
    }
}
