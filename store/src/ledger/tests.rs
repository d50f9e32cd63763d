use std::time::Duration;

use jobkit::JobId;
use proptest::prelude::*;

use super::*;
use crate::limits::{Picked, settle};
use crate::rule::{By, Rate, Rule};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

fn rated(name: &str, pace: &str, burst: u32) -> Rule {
    let rate = Some(Rate { pace: pace.parse().unwrap(), burst });
    Rule { name: name.into(), kinds: Vec::new(), queues: Vec::new(), by: By::All, rate, concurrency: None }
}

fn counted(name: &str, most: u32) -> Rule {
    Rule { rate: None, concurrency: Some(most), ..rated(name, "1/s", 1) }
}

fn lanes(texts: &[&str]) -> Vec<Lane> {
    texts.iter().map(|text| Lane::stored((*text).into())).collect()
}

/// Buckets that are not named are at rest, and that is known.
fn ledger(rules: &Rules, lanes: &[Lane], states: &[(&str, BucketState)]) -> Ledger {
    let rest = buckets_of(lanes).into_iter().map(|name| (name, running(0)));
    let states = rest.chain(states.iter().map(|(name, state)| ((*name).to_owned(), *state))).collect();
    Ledger::new(100 * SECOND, rules, lanes, &states)
}

fn running(most: u32) -> BucketState {
    BucketState { most_running: Some(most), ..BucketState::default() }
}

impl Ledger {
    fn states(&self) -> BTreeMap<&str, BucketState> {
        self.buckets.iter().map(|bucket| (bucket.name.as_str(), bucket.state)).collect()
    }
}

fn starts(ledger: &mut Ledger, lane: usize) -> Vec<i64> {
    std::iter::from_fn(|| match ledger.take(lane) {
        Answer::Start { at, .. } => Some((at - 100 * SECOND) / MS),
        _ => None,
    })
    .collect()
}

#[test]
fn starts_come_evenly_and_are_reserved_a_short_way_ahead() {
    let rules = Rules::new([rated("mail", "20/s", 1)]);
    let mut ledger = ledger(&rules, &lanes(&["mail"]), &[]);

    assert_eq!(starts(&mut ledger, 0), [0, 50, 100, 150, 200]);
    assert_eq!(ledger.ask(0), Answer::Later(100 * SECOND + 150 * MS));
    let moved = BucketState { next_start: Some(100 * SECOND + 250 * MS), ..running(5) };
    assert_eq!(ledger.moved().collect::<Vec<_>>(), [("mail", &moved)]);
}

#[test]
fn the_buckets_that_are_in_the_way_are_named() {
    let rules = Rules::new([counted("a", 2), counted("b", 2), rated("c", "1/s", 1)]);
    let paused = BucketState { paused_until: Some(101 * SECOND), ..running(0) };
    let late = BucketState { next_start: Some(101 * SECOND), ..running(0) };
    let lanes = lanes(&["a\nb", "a\nc", "gone"]);
    for (states, expected) in [
        (&[][..], [&[][..], &[], &[]]),
        (&[("a", running(2)), ("gone", running(9))], [&["a"], &["a"], &[]]),
        (&[("a", running(2)), ("b", paused)], [&["a", "b"], &["a"], &[]]),
        (&[("c", late)], [&[], &["c"], &[]]),
    ] {
        let ledger = ledger(&rules, &lanes, states);
        for (lane, expected) in expected.into_iter().enumerate() {
            assert_eq!(ledger.in_the_way(lane).collect::<Vec<_>>(), expected, "{states:?}");
        }
    }
}

#[test]
fn a_burst_may_begin_at_once_after_a_rest() {
    let rules = Rules::new([rated("mail", "1/s", 3)]);
    let mut ledger = ledger(&rules, &lanes(&["mail"]), &[]);

    assert_eq!(starts(&mut ledger, 0), [0, 0, 0]);
    assert_eq!(ledger.ask(0), Answer::Later(101 * SECOND - 100 * MS));
}

#[test]
fn a_job_starts_when_each_of_its_buckets_lets_it() {
    let rules = Rules::new([rated("a", "100/s", 1), rated("b", "10/s", 1), counted("c", 2)]);
    let later = BucketState { next_start: Some(100 * SECOND + 30 * MS), ..BucketState::default() };
    let mut ledger = ledger(&rules, &lanes(&["a\nb", "a\nc", "c"]), &[("c", running(1)), ("a", later)]);

    let answer = ledger.take(1);
    assert_eq!(answer, Answer::Start { at: 100 * SECOND + 30 * MS, late: Some(20 * MS) });
    assert_eq!(ledger.ask(1), Answer::WhenFreed);
    assert_eq!(ledger.ask(2), Answer::WhenFreed);
    assert_eq!(starts(&mut ledger, 0), [40, 140]);
}

#[test]
fn a_paused_bucket_waits_and_one_without_a_rule_limits_nothing() {
    let rules = Rules::new([counted("a", 1)]);
    let paused = |until| BucketState { paused_until: Some(until), ..running(0) };
    let ledger = ledger(
        &rules,
        &lanes(&["a/1", "a/2", "gone/1"]),
        &[("a/1", paused(103 * SECOND)), ("a/2", paused(99 * SECOND)), ("gone/1", paused(103 * SECOND))],
    );

    assert_eq!(ledger.ask(0), Answer::Later(103 * SECOND));
    assert_eq!(ledger.ask(1), Answer::Start { at: 100 * SECOND, late: None });
    assert_eq!(ledger.ask(2), Answer::Start { at: 100 * SECOND, late: None });
}

#[test]
fn lanes_take_turns_and_what_a_blocked_one_cannot_have_the_others_get() {
    let rules = Rules::new([counted("a", 2)]);
    let lanes = lanes(&["a/1", "a/2", "a/3"]);
    let ledger = ledger(&rules, &lanes, &[("a/2", running(2))]);

    assert_eq!(ledger.shares(3).0, [2, 0, 1]);
    assert_eq!(ledger.shares(10).0, [2, 0, 2]);
    assert_eq!(ledger.shares(0).0, [0, 0, 0]);
}

#[test]
fn jobs_are_counted_only_where_the_limit_may_be_near() {
    let rules = Rules::new([counted("a", 10), rated("r", "1/s", 1)]);
    let states: BTreeMap<String, BucketState> = [
        ("a/far", running(5)),
        ("a/near", running(6)),
        ("a/unknown", BucketState::default()),
        ("gone", BucketState::default()),
        ("r", BucketState::default()),
    ]
    .map(|(name, state)| (name.to_owned(), state))
    .into();

    assert_eq!(uncounted(&rules, &states, 5), ["a/near", "a/unknown"]);
    assert_eq!(uncounted(&rules, &states, 1), ["a/unknown"]);
    assert_eq!(uncounted(&rules, &states, usize::MAX), ["a/far", "a/near", "a/unknown"]);
}

#[test]
fn nothing_starts_where_nobody_knows_how_many_run() {
    let rules = Rules::new([counted("a", 10)]);
    let ledger = Ledger::new(0, &rules, &lanes(&["a"]), &BTreeMap::new());

    assert_eq!(ledger.ask(0), Answer::WhenFreed);
}

#[test]
fn what_starts_is_added_to_what_is_known_also_without_a_rule() {
    let rules = Rules::new([counted("a", 10)]);
    let mut ledger = ledger(&rules, &lanes(&["a\ngone"]), &[("a", running(7)), ("gone", running(1))]);

    assert_eq!(ledger.shares(9).0, [3]);
    assert_eq!(starts(&mut ledger, 0), [0, 0, 0]);
    assert_eq!(ledger.moved().collect::<Vec<_>>(), [("a", &running(10)), ("gone", &running(4))]);
}

/// What an interval and a burst mean, told without arithmetic on it: every start is remembered, and one may be added
/// where no stretch of time would hold more than its share and the burst.
struct Log {
    interval: i64,
    burst: usize,
    starts: Vec<i64>,
}

impl Log {
    fn allows(&self, at: i64) -> bool {
        let with: Vec<_> = self.starts.iter().copied().chain([at]).collect();
        (0..with.len()).all(|first| {
            let held = with.len() - first;
            let stretch = at - with[first];
            held as i64 <= stretch / self.interval + self.burst as i64
        })
    }
}

proptest! {
    /// Asked at random moments for a start at once, the ledger says what the log of all starts says.
    #[test]
    fn the_ledger_agrees_with_a_log_of_all_starts(
        count in 1_u32..200,
        burst in 1_u32..6,
        gaps in proptest::collection::vec(0_i64..80 * MS, 1..120),
    ) {
        let rules = Rules::new([rated("x", &format!("{count}/s"), burst)]);
        let interval = rules.get("x").unwrap().rate.unwrap().pace.interval();
        let mut log = Log { interval, burst: burst as usize, starts: Vec::new() };
        let (mut now, mut state) = (100 * SECOND, BucketState::default());
        for gap in gaps {
            now += gap;
            let states = BTreeMap::from([("x".to_owned(), state)]);
            let mut ledger = Ledger::new(now, &rules, &lanes(&["x"]), &states);
            let at_once = matches!(ledger.ask(0), Answer::Start { at, .. } if at == now);
            prop_assert_eq!(at_once, log.allows(now), "at {} after {:?}", now, log.starts);
            if at_once {
                ledger.take(0);
                log.starts.push(now);
                state.next_start = ledger.moved().next().and_then(|(_, state)| state.next_start);
            }
        }
    }

    /// A claim moves the buckets to where the shares would leave them, and then back to where they are where less was to be had.
    #[test]
    fn shares_leave_the_buckets_as_was_told_and_what_was_not_had_is_put_back(
        per_second in 1_i64..2_000,
        most_at_once in 1_u32..40,
        wanted in 1_usize..60,
        names in proptest::collection::btree_set("[ab](\n(rate|gone))?|b\nrate|rate", 1..6),
        had in proptest::collection::vec(proptest::bool::weighted(0.9), 60),
    ) {
        let rules = Rules::new([rated("rate", &format!("{per_second}/s"), 2), counted("a", most_at_once), counted("b", 3)]);
        let lanes = lanes(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let before = ledger(&rules, &lanes, &[("gone", running(1))]);
        let (shares, expected) = before.shares(wanted);
        let all = || (0..lanes.len()).flat_map(|lane| std::iter::repeat_n(lane, shares[lane])).enumerate();
        let picked = |(rank, lane): (usize, usize)| {
            let id = JobId(uuid::Uuid::from_u128(u128::MAX - rank as u128));
            Picked { id, lane, rank: rank as i64 }
        };
        let settled = |picked: Vec<Picked>| {
            let mut ledger = before.clone();
            settle(&mut ledger, &lanes, &shares, picked, 100 * SECOND, Duration::ZERO);
            ledger
        };

        let full = settled(all().map(picked).collect());
        prop_assert_eq!(full.moved().collect::<Vec<_>>(), expected.moved().collect::<Vec<_>>());
        prop_assert_eq!(full.unlike(&expected).count(), 0);

        let some = settled(all().filter(|(rank, _)| had[*rank]).map(picked).collect());
        let mut stored: BTreeMap<&str, BucketState> = before.states();
        stored.extend(expected.moved().map(|(name, state)| (name, *state)));
        stored.extend(some.unlike(&expected).map(|(name, state)| (name, *state)));
        prop_assert_eq!(stored, some.states());
    }

    /// However claims come, no second sees more starts than the rate, its burst, and none on top.
    #[test]
    fn reserved_starts_keep_the_rate_in_every_second(
        count in 1_i64..100,
        burst in 1_i64..4,
        gaps in proptest::collection::vec(0_i64..300 * MS, 1..60),
        wanted in 1_usize..30,
    ) {
        let rules = Rules::new([rated("x", &format!("{count}/s"), burst as u32)]);
        let (mut now, mut next, mut begun) = (100 * SECOND, None, Vec::new());
        for gap in gaps {
            now += gap;
            let state = BucketState { next_start: next, ..BucketState::default() };
            let states = BTreeMap::from([("x".to_owned(), state)]);
            let mut ledger = Ledger::new(now, &rules, &lanes(&["x"]), &states);
            let share = ledger.shares(wanted).0[0];
            for _ in 0..share {
                let Answer::Start { at, .. } = ledger.take(0) else { panic!("a share is a start") };
                prop_assert!(at >= now && at <= now + AHEAD);
                begun.push(at);
            }
            next = ledger.moved().next().map_or(next, |(_, state)| state.next_start);
        }
        prop_assert!(begun.is_sorted());
        for (first, at) in begun.iter().enumerate() {
            let within = begun[first..].iter().take_while(|other| **other < at + SECOND).count() as i64;
            prop_assert!(within < count + burst, "{within} in a second from {at}");
        }
    }
}
