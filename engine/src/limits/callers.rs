//! How often callers of the API may call, counted for all processes together: in Redis where there is one, else in the
//! store. Some of a high rate is taken ahead and given out here ([`hand`]), so that few calls are counted elsewhere.
//!
//! What signing in is counted by is always in the store: nobody gets a handful more of guesses because Redis forgot, and
//! where the store is away nobody is signed in anyway (`docs/decisions/0140-callers-are-counted-where-all-see-it.md`).

mod hand;
mod redis;
pub mod rules;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobkit::Clock;
use store::rates::take;
use store::{RateAsk, RateBucket, RateTold, Store, chain};
use tokio::sync::Mutex as Turn;
use tracing::{debug, info, warn};

pub use self::hand::Standing;
use self::hand::{Drawn, Hand};
use self::rules::{CallerRules, Counted};
use super::absence::Absence;
use crate::adapters::redis::Redis;

/// So many are remembered before those are forgotten that have not called for a while.
const MANY: usize = 4_096;

/// Whoever ends the process does not wait longer for others to have back what was left over.
const GIVING_BACK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub enum Verdict {
    Granted(Standing),
    /// For so long.
    Refused(Standing, Duration),
    /// It cannot be counted, and must be.
    Away(store::StoreError),
}

pub struct Callers {
    pub rules: CallerRules,
    redis: Option<Arc<Redis>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    redis_away: Absence,
    store_away: Absence,
    hands: Mutex<Hands>,
    /// Where neither answers, each process counts for itself.
    alone: Mutex<HashMap<RateBucket, i64>>,
}

#[derive(Default)]
struct Hands {
    of: HashMap<RateBucket, Arc<Place>>,
    /// When there are so many, those that are idle go.
    most: usize,
}

struct Place {
    counted: Counted,
    /// Those who want one from here just now.
    waiting: AtomicU32,
    /// One asks, and the others have their part of what it brings.
    hand: Turn<Hand>,
}

/// One who waits, until it has an answer or hangs up.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn at(place: &'a Place) -> Self {
        place.waiting.fetch_add(1, Ordering::Relaxed);
        Self(&place.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Callers {
    pub fn new(
        rules: CallerRules,
        store: Arc<dyn Store>,
        redis: Option<Arc<Redis>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            rules,
            redis,
            store,
            clock,
            redis_away: Absence::default(),
            store_away: Absence::default(),
            hands: Mutex::new(Hands { of: HashMap::new(), most: MANY }),
            alone: Mutex::default(),
        }
    }

    /// Counts one call.
    pub async fn count(self: &Arc<Self>, counted: &Counted) -> Verdict {
        let place = self.place(counted);
        let waiting = Waiting::at(&place);
        let mut hand = place.hand.lock().await;
        let mut asked = false;
        loop {
            let among = waiting.0.load(Ordering::Relaxed);
            match hand.draw(counted.of, among, self.clock.steady()) {
                Drawn::Granted(standing) => {
                    if let Some(want) = hand.due_fetch(counted.of) {
                        tokio::spawn(self.clone().fetch(place.clone(), want));
                    }
                    return Verdict::Granted(standing);
                }
                Drawn::Refused(standing, wait) => return Verdict::Refused(standing, wait),
                // A clock that runs away while it is asked. Nobody is held up by that.
                Drawn::Ask { .. } if asked => {
                    let limit = counted.of.most;
                    return Verdict::Granted(Standing { limit, left: 0, reset: Duration::ZERO });
                }
                Drawn::Ask { want, back } => {
                    asked = true;
                    let told = self.take(counted, want, back).await;
                    match told {
                        Ok(told) => hand.filled(counted.of, told, self.clock.steady()),
                        Err(problem) => return Verdict::Away(problem),
                    }
                }
            }
        }
    }

    /// For those who come next, while what is left lasts.
    async fn fetch(self: Arc<Self>, place: Arc<Place>, want: u32) {
        let told = self.take(&place.counted, want, 0).await.ok();
        place.hand.lock().await.fetched(told, self.clock.steady());
    }

    /// What was taken ahead and not used, so that a process that starts again takes nothing from anybody.
    pub async fn give_back(&self) {
        let places: Vec<_> = self.hands().of.drain().map(|(_, place)| place).collect();
        let giving = places.into_iter().map(|place| async move {
            let back = place.hand.lock().await.left_over();
            if back > 0
                && let Err(problem) = self.take(&place.counted, 0, back).await
            {
                debug!("what was left over of a limit on callers is lost: {}", chain(&problem));
            }
        });
        // Others wait a tenth of a second of their rate longer if this comes to nothing.
        let _ = tokio::time::timeout(GIVING_BACK, futures::future::join_all(giving)).await;
    }

    fn place(&self, counted: &Counted) -> Arc<Place> {
        let mut hands = self.hands();
        if let Some(place) = hands.of.get(&counted.bucket) {
            return place.clone();
        }
        if hands.of.len() >= hands.most {
            let now = self.clock.steady();
            // Whoever is looked at just now is needed just now.
            hands.of.retain(|_, place| place.hand.try_lock().map_or(true, |hand| !hand.is_idle(now)));
            hands.most = (hands.of.len() * 2).max(MANY);
        }
        let new = Place { counted: *counted, waiting: AtomicU32::new(0), hand: Turn::default() };
        hands.of.entry(counted.bucket).or_insert_with(|| Arc::new(new)).clone()
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, counted: &Counted, want: u32, back: u32) -> store::Result<RateTold> {
        let ask = RateAsk { bucket: counted.bucket, of: counted.of, want, back };
        if counted.strict {
            return self.store.take_rate(&ask).await;
        }
        if let Some(redis) = self.redis.as_ref().filter(|_| !self.redis_away.is_left_alone(&*self.clock)) {
            match redis::take(redis, &ask).await {
                Ok(told) => {
                    if self.redis_away.ended() {
                        info!("callers are counted in Redis again");
                    }
                    return Ok(told);
                }
                Err(fault) if self.redis_away.began(&*self.clock) => {
                    warn!("callers are counted in the store until Redis answers: {}", chain(&fault));
                }
                Err(_) => {}
            }
        }
        if self.store_away.is_left_alone(&*self.clock) {
            return Ok(self.take_alone(&ask));
        }
        match self.store.take_rate(&ask).await {
            Ok(told) => {
                if self.store_away.ended() {
                    info!("callers are counted for all processes together again");
                }
                Ok(told)
            }
            Err(problem) => {
                if self.store_away.began(&*self.clock) {
                    warn!(
                        "each process counts its callers alone until the store answers: {}",
                        chain(&problem)
                    );
                }
                Ok(self.take_alone(&ask))
            }
        }
    }

    /// In the time of this process, which nobody sets.
    fn take_alone(&self, ask: &RateAsk) -> RateTold {
        let now = i64::try_from(self.clock.steady().as_micros()).unwrap_or(i64::MAX);
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if alone.len() >= MANY {
            alone.retain(|_, full_at| *full_at > now);
        }
        let (told, full_at) = take(ask, alone.get(&ask.bucket).copied(), now);
        alone.insert(ask.bucket, full_at);
        told
    }
}
