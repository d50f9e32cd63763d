//! What a limit on calls promises, whoever keeps it: the store alone, or Redis with what the store sets aside. In real
//! time, since Redis has no other; so only what must never happen is asserted of it.

use std::sync::Arc;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use engine::adapters::redis::Redis;
use engine::limits::book::Book;
use engine::limits::limiter::{Calls, Limiter, StoreLimiter};
use engine::limits::redis::RedisLimiter;
use engine::limits::usage::Usage;
use engine::service::Alarm;
use engine::wake::Wake;
use jobkit::{Clock, SecretString};
use store::rule::Rate;
use store::{Store, Taken};
use store_postgres::{PgOptions, PostgresStore};
use store_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::support::postgres::database;
use crate::support::redis::RedisServer;
use crate::support::store::ada;

/// Each promise for each way to keep a limit.
macro_rules! in_every_way {
    ($($promise:ident),+ $(,)?) => {
        in_every_way!(@ store_on_sqlite, super::Kept::new(false, false), $($promise),+);
        in_every_way!(@ store_on_postgres, super::Kept::new(true, false), $($promise),+);
        in_every_way!(@ redis_over_sqlite, super::Kept::new(false, true), $($promise),+);
        in_every_way!(@ redis_over_postgres, super::Kept::new(true, true), $($promise),+);
    };
    (@ $way:ident, $kept:expr, $($promise:ident),+) => {
        mod $way {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($kept.await).await;
            })+
        }
    };
}

in_every_way![
    a_burst_is_there_at_once_and_what_is_behind_it_waits,
    nothing_is_taken_when_not_all_can_be_had,
    whoever_waits_as_long_as_was_said_gets_it,
    each_bucket_has_its_own_and_processes_share_it,
    a_pause_holds_for_everybody_until_it_ends,
    many_that_take_at_once_never_get_more_than_the_rate,
];

struct Kept {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    redis: Option<RedisServer>,
    _folder: TempDir,
}

impl Kept {
    async fn new(postgres: bool, redis: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store: Arc<dyn Store> = match postgres {
            true => PostgresStore::connect(&database().await, &PgOptions::default()).unwrap(),
            false => {
                let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
                Arc::new(SqliteStore::open(&url, clock.clone()).await.unwrap())
            }
        };
        store.migrate().await.unwrap();
        Self { store, clock, redis: redis.then(RedisServer::start), _folder: folder }
    }

    /// As another process has it.
    fn limiter(&self) -> Arc<dyn Limiter> {
        match &self.redis {
            Some(server) => self.over(server.redis()),
            None => Arc::new(StoreLimiter { store: self.store.clone() }),
        }
    }

    fn over(&self, redis: Arc<Redis>) -> Arc<dyn Limiter> {
        Arc::new(RedisLimiter::new(redis, self.store.clone(), self.clock.clone()))
    }

    /// Takes one after the other until `enough`, and says how many it got.
    async fn take_for(&self, limiter: Arc<dyn Limiter>, rate: Rate, enough: Duration) -> u32 {
        let mut granted = 0;
        let until = self.clock.steady() + enough;
        while self.clock.steady() < until {
            match limiter.take("@api/a", rate, 1).await.unwrap() {
                Taken::Granted => granted += 1,
                Taken::Wait(wait) => self.clock.sleep(wait.min(Duration::from_millis(20))).await,
            }
        }
        granted
    }

    /// Does it with a bucket that nobody used until it was quick enough for what is asserted of it.
    async fn quickly<T>(&self, within: Duration, act: impl AsyncFn(String) -> T) -> T {
        for number in 0..100 {
            let before = self.clock.steady();
            let got = act(format!("@api/{number}")).await;
            if self.clock.steady() - before < within {
                return got;
            }
        }
        panic!("this machine is too slow to be told anything of {within:?}")
    }
}

fn rate(pace: &str, burst: u32) -> Rate {
    Rate { pace: pace.parse().unwrap(), burst }
}

/// All that a rate may give from the first call to the last.
fn most(rate: Rate, time: Duration) -> u32 {
    let evenly = time.as_nanos() / u128::from(rate.pace.interval().unsigned_abs());
    rate.burst + u32::try_from(evenly).unwrap() + 1
}

async fn a_burst_is_there_at_once_and_what_is_behind_it_waits(kept: Kept) {
    let (limiter, rate) = (kept.limiter(), rate("8/s", 3));

    let got = kept.quickly(Duration::from_millis(125), async |bucket| {
        let mut got = Vec::new();
        for _ in 0..4 {
            got.push(limiter.take(&bucket, rate, 1).await.unwrap());
        }
        got
    });

    let got = got.await;
    assert_eq!(got[..3], [Taken::Granted; 3]);
    let Taken::Wait(wait) = got[3] else { panic!("{got:?}") };
    assert!(wait <= Duration::from_millis(125), "{wait:?}");
}

async fn nothing_is_taken_when_not_all_can_be_had(kept: Kept) {
    let (limiter, rate) = (kept.limiter(), rate("8/s", 3));

    let got = kept.quickly(Duration::from_millis(250), async |bucket| {
        let two = limiter.take(&bucket, rate, 2).await.unwrap();
        let three = limiter.take(&bucket, rate, 3).await.unwrap();
        (two, three, limiter.take(&bucket, rate, 1).await.unwrap())
    });

    let (two, three, one) = got.await;
    assert_eq!((two, one), (Taken::Granted, Taken::Granted));
    assert!(matches!(three, Taken::Wait(_)), "{three:?}");
}

async fn whoever_waits_as_long_as_was_said_gets_it(kept: Kept) {
    let (limiter, rate) = (kept.limiter(), rate("20/s", 1));
    let mut waits = 0;
    for _ in 0..40 {
        while let Taken::Wait(wait) = limiter.take("@api/a", rate, 1).await.unwrap() {
            kept.clock.sleep(wait + Duration::from_millis(1)).await;
            waits += 1;
        }
    }
    // Once for each, and once more where a stretch was on its way.
    assert!(waits <= 80, "{waits}");
}

async fn each_bucket_has_its_own_and_processes_share_it(kept: Kept) {
    let (one, two, rate) = (kept.limiter(), kept.limiter(), rate("8/s", 2));

    let got = kept.quickly(Duration::from_millis(125), async |bucket| {
        let first = one.take(&bucket, rate, 1).await.unwrap();
        let second = two.take(&bucket, rate, 1).await.unwrap();
        let third = one.take(&bucket, rate, 1).await.unwrap();
        (first, second, third, two.take(&format!("{bucket}x"), rate, 2).await.unwrap())
    });

    let (first, second, third, other) = got.await;
    assert_eq!((first, second, other), (Taken::Granted, Taken::Granted, Taken::Granted));
    assert!(matches!(third, Taken::Wait(_)), "{third:?}");
}

async fn a_pause_holds_for_everybody_until_it_ends(kept: Kept) {
    let (one, two, rate) = (kept.limiter(), kept.limiter(), rate("1000/s", 1));
    assert_eq!(one.take("@api/a", rate, 1).await.unwrap(), Taken::Granted);

    let until = kept.store.now().await.unwrap() + Duration::from_secs(60);
    let calls = Calls { rates: Arc::new([("api".to_owned(), rate)].into()), limiter: one.clone() };
    let book = Arc::new(Book::new(kept.store.clone(), kept.clock.clone()));
    let (wake, _senders) = Wake::start(kept.store.clone(), None, &Alarm::default());
    let by_hand = Usage { store: kept.store.clone(), book, calls, wake };
    assert_eq!(by_hand.pause("@api", Some("a"), until, &ada(), "429").await.unwrap(), "@api/a");

    for limiter in [&one, &two] {
        let told = limiter.take("@api/a", rate, 1).await.unwrap();
        assert!(matches!(told, Taken::Wait(wait) if wait > Duration::from_secs(1)), "{told:?}");
    }
    by_hand.resume("@api", Some("a"), &ada()).await.unwrap();
    let again = kept.take_for(two, rate, Duration::from_secs(2)).await;
    assert!(again > 0);
}

async fn many_that_take_at_once_never_get_more_than_the_rate(kept: Kept) {
    let rate = rate("50/s", 5);
    let limiters: Vec<_> = (0..6).map(|_| kept.limiter()).collect();
    let before = kept.clock.steady();

    let taking = limiters.into_iter().map(|limiter| kept.take_for(limiter, rate, Duration::from_secs(2)));
    let granted: u32 = futures::future::join_all(taking).await.into_iter().sum();

    let time = kept.clock.steady() - before;
    assert!(granted <= most(rate, time), "{granted} in {time:?}");
    assert!(granted > 5, "{granted} in {time:?}");
}

/// Some reach Redis and some do not; it goes away, and comes back with nothing in it.
async fn never_more(kept: Kept) {
    let rate = rate("50/s", 2);
    let server = kept.redis.as_ref().unwrap();
    let nowhere = SecretString::from("redis://127.0.0.1:1/0");
    let without = kept.over(Arc::new(Redis::new(&nowhere, "compline").unwrap()));
    let before = kept.clock.steady();
    let enough = Duration::from_secs(4);

    let hurt = async {
        for _ in 0..2 {
            kept.clock.sleep(Duration::from_millis(700)).await;
            server.redis().query::<()>("forgetting all", &redis::cmd("FLUSHALL")).await.unwrap();
            kept.clock.sleep(Duration::from_millis(300)).await;
            server.stop();
            kept.clock.sleep(Duration::from_millis(300)).await;
            server.start_again();
        }
    };
    let (with, also, past, ()) = tokio::join!(
        kept.take_for(kept.limiter(), rate, enough),
        kept.take_for(kept.limiter(), rate, enough),
        kept.take_for(without, rate, enough),
        hurt,
    );

    let time = kept.clock.steady() - before;
    assert!(with + also + past <= most(rate, time), "{with} + {also} + {past} in {time:?}");
    assert!(with + also > 0 && past > 0, "nobody is left out: {with}, {also}, {past}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_and_goes_lets_no_call_too_many_through_on_sqlite() {
    never_more(Kept::new(false, true).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_and_goes_lets_no_call_too_many_through_on_postgres() {
    never_more(Kept::new(true, true).await).await;
}
