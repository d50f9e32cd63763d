//! How often somebody may call: the sum that the database does is the one of `store::rates::take`, for any number of
//! processes.

use std::time::Duration;

use futures::future::join_all;
use jobkit::Clock;
use store::rates::take;
use store::{Allowance, RateAsk, RateTold};

use crate::support::store::{TestStore, promises};

promises![
    the_database_and_the_function_say_the_same,
    however_many_ask_at_once_as_many_get_it_as_there_are,
    each_bucket_has_its_own,
    what_is_at_rest_is_forgotten_and_nothing_else,
];

fn ask(bucket: u8, pace: &str, want: u32, back: u32) -> RateAsk {
    RateAsk { bucket: [bucket; 32], of: Allowance::of(pace.parse().unwrap()), want, back }
}

async fn the_database_and_the_function_say_the_same(t: TestStore) {
    let mut full_at = None;
    for (after_ms, pace, want, back) in [
        (0, "5/m", 2, 0),
        (0, "5/m", 9, 0),
        (0, "5/m", 1, 0),
        (11_999, "5/m", 1, 0),
        (1, "5/m", 1, 0),
        (30_000, "5/m", 1, 3),
        (0, "5/m", 0, 100),
        (0, "5/m", 5, 0),
        // The limit is another from here on.
        (1_000, "100/s", 500, 0),
        (1, "2/h", 1, 0),
        (7_200_000, "2/h", 3, 1),
        (86_400_000, "1000000/s", 1_000_000, 0),
        (86_400_000, "1000000/s", 4_000_000, 2_000_000),
    ] {
        t.clock.advance(Duration::from_millis(after_ms));
        let ask = ask(1, pace, want, back);
        let (told, next) = take(&ask, full_at, t.clock.now().as_microsecond());

        assert_eq!(t.store.take_rate(&ask).await.unwrap(), told, "{after_ms} {pace} {want} {back}");
        full_at = Some(next);
    }
}

async fn however_many_ask_at_once_as_many_get_it_as_there_are(t: TestStore) {
    let others = [t.another().await, t.another().await];
    let all = (0..60).map(|n| {
        let store = others[n % 2].clone();
        async move { store.take_rate(&ask(1, "40/m", 1, 0)).await.unwrap().taken }
    });

    let taken = join_all(all).await;

    assert_eq!(taken.iter().sum::<u32>(), 40, "{taken:?}");
    let last = t.store.take_rate(&ask(1, "40/m", 1, 0)).await.unwrap();
    assert_eq!(last, RateTold { taken: 0, behind: 60_000_000 });
}

async fn each_bucket_has_its_own(t: TestStore) {
    t.store.take_rate(&ask(1, "5/m", 5, 0)).await.unwrap();

    let told = [1, 2].map(|bucket| ask(bucket, "5/m", 3, 0));

    assert_eq!(t.store.take_rate(&told[0]).await.unwrap().taken, 0);
    assert_eq!(t.store.take_rate(&told[1]).await.unwrap().taken, 3);
}

async fn what_is_at_rest_is_forgotten_and_nothing_else(t: TestStore) {
    t.store.take_rate(&ask(1, "5/m", 5, 0)).await.unwrap();
    t.store.take_rate(&ask(2, "2/d", 2, 0)).await.unwrap();
    assert_eq!(t.store.forget_rates(10).await.unwrap(), 0);

    t.clock.advance(Duration::from_secs(60 + 3_600 + 1));
    t.store.take_rate(&ask(3, "5/m", 1, 0)).await.unwrap();

    assert_eq!(t.store.forget_rates(10).await.unwrap(), 1);
    assert_eq!(t.store.take_rate(&ask(2, "2/d", 1, 0)).await.unwrap().taken, 0);
    assert_eq!(t.store.take_rate(&ask(1, "5/m", 5, 0)).await.unwrap().taken, 5);
    t.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(t.store.forget_rates(2).await.unwrap(), 2);
    assert_eq!(t.store.forget_rates(2).await.unwrap(), 1);
}
