use jobkit::JobId;

use super::*;
use store::limits::Limited;
use store::{Claimed, Fence, WorkerId};

fn claimed() -> Claimed {
    Claimed {
        id: JobId(uuid::Uuid::nil()),
        worker: WorkerId(1),
        fence: Fence(1),
        kind: "a.b".into(),
        queue: "a".into(),
        args: "{}".into(),
        attempt: 1,
        max_attempts: 1,
        tenant: None,
        tags: Vec::new(),
        metadata: None,
        limited: None,
    }
}

/// What the store has, and the fetcher's rounds over it.
#[derive(Default)]
struct Play {
    lanes: Lanes,
    /// Queues with a backlog of jobs that nothing limits.
    others: BTreeSet<String>,
    /// What the queues answer that have limited jobs.
    limited: BTreeMap<String, LimitedClaim>,
    now: Duration,
}

impl Play {
    fn new(others: &str, limited: &[(&str, LimitedClaim)]) -> Self {
        let limited: BTreeMap<_, _> =
            limited.iter().map(|(queue, answer)| ((*queue).to_owned(), answer.clone())).collect();
        let mut play = Self {
            others: others.split_whitespace().map(String::from).collect(),
            limited,
            ..Self::default()
        };
        play.lanes.heard_of(play.limited.keys());
        play
    }

    /// Who gets jobs in a round, as far as the slots go: a letter in capitals for a limited one.
    fn round(&mut self, mut slots: usize) -> String {
        self.lanes.pass(self.now);
        let round = self.lanes.round(&self.others);
        let mut got = String::new();
        for (done, queue) in round.iter().enumerate() {
            let share = slots.div_ceil(round.len() - done);
            if share == 0 {
                continue;
            }
            let claimed = self.turn(queue, share);
            if !claimed.is_empty() {
                self.lanes.served(queue);
            }
            slots -= claimed.len();
            got.push_str(&claimed);
        }
        got
    }

    fn turn(&mut self, queue: &str, limit: usize) -> String {
        let mut got = String::new();
        let mut turn = self.lanes.turn(queue, self.others.contains(queue));
        let mut asked = 0;
        while got.len() < limit
            && let Some(ask) = self.lanes.next_ask(&mut turn, |_| true)
        {
            asked += 1;
            assert!(asked < 100, "no end to the turn of {queue}");
            match ask.sort {
                Sort::Others => got.push_str(&ask.queue.repeat(limit - got.len())),
                Sort::Limited => {
                    let mut answer = self.limited.get(&ask.queue).cloned().unwrap_or_default();
                    answer.jobs.truncate(limit - got.len());
                    self.lanes.answered(&ask.queue, &answer, self.now);
                    got.push_str(&ask.queue.to_uppercase().repeat(answer.jobs.len()));
                }
            }
        }
        got
    }
}

/// Has many, and each may start.
fn backlog() -> LimitedClaim {
    LimitedClaim { jobs: vec![claimed(); 100], more: true, ..LimitedClaim::default() }
}

fn limited_ones(got: &str) -> String {
    got.chars().filter(char::is_ascii_uppercase).collect()
}

#[test]
fn who_got_jobs_last_is_asked_last() {
    let hot = ["a", "m"].map(String::from).into();
    let mut lanes = Lanes::default();
    lanes.heard_of([&"z".to_owned()]);
    assert_eq!(lanes.round(&hot), ["a", "m", "z"]);
    // The last had none left, and may be gone from the round.
    for (queue, round) in [("a", ["m", "z", "a"]), ("z", ["a", "m", "z"]), ("k", ["m", "z", "a"])] {
        lanes.served(queue);
        assert_eq!(lanes.round(&hot), round, "after {queue}");
    }
}

/// Of two queues with a limit in common, each with a backlog, the later in the alphabet once got nothing at all.
#[test]
fn places_of_limits_go_round_whatever_slots_do() {
    // The second gets a slot before each place: so each round is the same.
    let mut play = Play::new("", &[("a", backlog()), ("c", backlog()), ("d", backlog())]);
    let mut had = String::new();
    for _ in 0..6 {
        play.lanes.served("b");
        assert_eq!(play.lanes.round(&["b".to_owned()].into()), ["c", "d", "a", "b"]);
        had.push_str(&play.turn("c", 1));
    }
    assert_eq!(had, "ACDACD");
}

/// `own` starts something in every round under a limit of its own, and so does `c`; with one pointer the first behind those had each place
/// of the limit that `b` and `c` share, and the other none in a minute.
#[test]
fn places_go_round_whoever_has_jobs_of_other_limits() {
    let job = |bucket: &str| {
        let limited = Limited { lane: Lane::stored(bucket.into()), start: None, counted: true };
        Claimed { limited: Some(limited), ..claimed() }
    };
    let waits = |jobs: Vec<Claimed>, waits_for: &[&str]| LimitedClaim {
        jobs,
        when_freed: true,
        waits_for: waits_for.iter().map(|bucket| (*bucket).to_owned()).collect(),
        ..LimitedClaim::default()
    };
    // Names before, between and behind those that share.
    for (own, rounds) in [("a", 24), ("bb", 24), ("z", 24)] {
        let mut lanes = Lanes::default();
        let mut had = String::new();
        for round in 0..rounds {
            // The place becomes free in every third round, and things of their own can start in each.
            let mut free = round % 3 == 0;
            lanes.heard_of(&[own, "b", "c"].map(String::from));
            for queue in lanes.round(&BTreeSet::new()) {
                let mut turn = lanes.turn(&queue, false);
                while let Some(ask) = lanes.next_ask(&mut turn, |_| true) {
                    let mut jobs = Vec::new();
                    let shares = ask.queue != own;
                    if shares && std::mem::take(&mut free) {
                        jobs.push(job("shared"));
                        had.push_str(&ask.queue);
                    }
                    // Once in a round, or nothing would ever end.
                    let mut waits_for = vec!["shared"];
                    if ask.queue != "b" && ask.queue == queue {
                        jobs.push(job(&ask.queue));
                        waits_for.push(&ask.queue);
                    }
                    let answer = waits(jobs, if shares { &waits_for } else { &waits_for[1..] });
                    lanes.answered(&ask.queue, &answer, Duration::ZERO);
                }
                lanes.served(&queue);
            }
        }
        assert!(had.contains("bcbcbc") || had.contains("cbcbcb"), "beside {own}: {had}");
    }
}

/// The turns in which `a` asked for limited jobs first all went by while it left the place to `d`, which has none and is
/// heard of all the time; in the others its backlog of others took its share.
#[test]
fn a_queue_with_both_sorts_gets_places_beside_one_that_is_only_heard_of() {
    let mut play = Play::new("a d", &[("a", backlog()), ("c", backlog())]);
    play.lanes.had_a_turn("c");
    let mut had = String::new();
    for _ in 0..6 {
        play.lanes.heard_of([&"d".to_owned()]);
        assert_eq!(play.lanes.round(&play.others), ["a", "c", "d"]);
        had.push_str(&limited_ones(&play.round(3)));
    }
    assert_eq!(had, "ACACACACA");
}

/// `a` left its place to `n`, which waits for one of another limit, each time anew: the end of any limited job has `n`
/// asked again, and so has time where all its jobs are locked.
#[test]
fn a_queue_gets_places_beside_one_that_waits_for_those_of_another_limit() {
    let full = LimitedClaim { when_freed: true, ..LimitedClaim::default() };
    let locked = LimitedClaim { more: true, ..LimitedClaim::default() };
    for waits in [full, locked] {
        let mut play = Play::new("z", &[("a", backlog()), ("n", waits.clone())]);
        play.lanes.had_a_turn("a");
        let mut had = String::new();
        for _ in 0..6 {
            play.lanes.freed();
            had.push_str(&play.round(1));
            play.now += LOCKED;
        }
        assert_eq!(had, "AzAzAz", "{waits:?}");
    }
}

/// Nobody's limited jobs are passed over for good, whoever has jobs of which sort and however many slots there are.
#[test]
fn every_queue_gets_jobs_of_each_sort_it_has() {
    for slots in 1..=5 {
        let limited = ["a", "c", "d", "f"].map(|queue| (queue, backlog()));
        let mut play = Play::new("a b d e", &limited);
        for _ in 0..3 {
            let had: String = (0..32).map(|_| play.round(slots)).collect();
            for one in "AabCDdeF".chars() {
                assert!(had.contains(one), "{one} got nothing with {slots} slots: {had}");
            }
        }
    }
}

#[test]
fn a_queue_that_has_something_and_gives_nothing_is_asked_again_later() {
    let queue = "mail".to_owned();
    let silent = LimitedClaim { more: true, ..LimitedClaim::default() };
    let mut lanes = Lanes::default();
    lanes.heard_of([&queue]);

    lanes.answered("mail", &silent, Duration::ZERO);
    assert!(lanes.hot.contains("mail"), "it may have looked behind its last place");
    lanes.answered("mail", &silent, Duration::ZERO);
    assert!(lanes.hot.is_empty());
    assert_eq!(lanes.next(), Some(LOCKED));

    lanes.pass(LOCKED);
    assert!(lanes.hot.contains("mail"));
}

#[test]
fn each_queue_asks_for_one_sort_and_then_for_the_other_first() {
    let mut play = Play::new("a m", &[("a", backlog()), ("m", backlog())]);
    let had: Vec<_> = (0..3).map(|_| [play.turn("a", 1), play.turn("m", 1)].concat()).collect();
    assert_eq!(had, ["AM", "am", "AM"]);
}

#[test]
fn a_queue_that_has_no_limited_jobs_to_have_leaves_its_slot_to_nobody() {
    let mut play = Play::new("m", &[("a", backlog())]);
    assert_eq!(play.turn("m", 2), "mm");
}

#[test]
fn a_queue_is_asked_again_when_there_may_be_something() {
    let second = Duration::from_secs(1);
    let queue = "mail".to_owned();
    let blocked = LimitedClaim { again: Some(second), when_freed: true, ..LimitedClaim::default() };
    let mut lanes = Lanes::default();
    lanes.heard_of([&queue]);
    assert!(lanes.hot.contains("mail"));

    lanes.answered("mail", &blocked, second);
    assert!(lanes.hot.is_empty());
    assert_eq!(lanes.next(), Some(2 * second));

    lanes.freed();
    assert!(lanes.hot.contains("mail"));
    lanes.answered("mail", &LimitedClaim { when_freed: false, ..blocked.clone() }, second);
    lanes.freed();
    assert!(lanes.hot.is_empty());

    lanes.pass(2 * second);
    assert!(lanes.hot.contains("mail"));
    lanes.answered("mail", &LimitedClaim { more: true, ..LimitedClaim::default() }, second);
    assert!(lanes.hot.contains("mail"));
    assert_eq!(lanes.next(), None);
}

/// Each failure once had all queues wait, up to two seconds each time.
#[test]
fn what_fails_is_put_off_alone_and_longer_each_time() {
    let mut play = Play::new("a m", &[("a", backlog())]);
    let ask = Ask { sort: Sort::Limited, queue: "a".into() };
    for (times, millis) in [100, 200, 400].into_iter().enumerate() {
        let (until, took) = (play.now + Duration::from_millis(millis), Duration::from_millis(1));
        assert_eq!(play.lanes.failed(&ask, play.now, took), u32::try_from(times).unwrap() + 1);
        assert_eq!(play.lanes.next(), Some(until));
        assert_eq!([play.round(2), play.round(2)].concat(), "amam", "its other jobs go on");
        play.now = until;
        play.lanes.pass(until);
        assert_eq!(play.lanes.next(), None);
    }
    assert_eq!([play.round(2), play.round(2)].concat().replace('m', ""), "Aa");

    assert!(play.lanes.worked(&ask));
    assert_eq!(play.lanes.failed(&ask, play.now, Duration::ZERO), 1, "it begins anew");
}

/// As where each claim waits five seconds for a bucket that a frozen process has locked.
#[test]
fn what_took_long_to_fail_is_put_off_as_long() {
    let mut lanes = Lanes::default();
    let [took, now] = [5, 60].map(Duration::from_secs);
    let ask = Ask { sort: Sort::Others, queue: "a".into() };

    lanes.failed(&ask, now, took);

    let hot = ["a", "m"].map(String::from).into();
    assert_eq!((lanes.round(&hot), lanes.next()), (vec!["m".to_owned()], Some(now + took)));
    lanes.pass(now + took);
    assert_eq!(lanes.round(&hot), ["a", "m"]);
}

/// Else three queues at one locked bucket would come up again as soon as the last of them has failed.
#[test]
fn the_more_are_stuck_the_longer_each_is_put_off() {
    let mut lanes = Lanes::default();
    let took = Duration::from_secs(5);
    let ask = |queue: &str| Ask { sort: Sort::Limited, queue: queue.into() };
    let hot = ["a", "b", "c", "m"].map(String::from).into();

    for (now, queue) in [(5, "a"), (10, "b"), (15, "c")] {
        lanes.failed(&ask(queue), Duration::from_secs(now), took);
    }
    lanes.heard_of(&["a", "b", "c"].map(String::from));

    let free = |lanes: &mut Lanes, second: u64| {
        lanes.pass(Duration::from_secs(second));
        ["a", "b", "c"]
            .into_iter()
            .filter(|queue| !lanes.is_put_off(Sort::Limited, queue))
            .collect::<String>()
    };
    assert_eq!([10, 24, 25, 39, 40].map(|second| free(&mut lanes, second)), ["a", "a", "ab", "ab", "abc"]);
    assert_eq!(lanes.round(&hot), ["a", "b", "c", "m"]);
}

#[test]
fn a_queue_whose_answer_never_comes_keeps_no_place_from_the_others() {
    let mut play = Play::new("", &[("a", backlog()), ("n", backlog())]);
    play.lanes.had_a_turn("a");
    let mut turn = play.lanes.turn("a", false);
    let ask = play.lanes.next_ask(&mut turn, |_| true).unwrap();
    assert_eq!(ask, Ask { sort: Sort::Limited, queue: "n".into() });

    play.lanes.unanswered(&ask);

    assert_eq!(play.turn("a", 1), "A");
}

/// A queue whose claims fail is not asked in the turns of others either.
#[test]
fn a_queue_that_is_put_off_keeps_no_place_from_the_others() {
    let mut play = Play::new("", &[("a", backlog()), ("n", backlog())]);
    play.lanes.had_a_turn("a");
    play.lanes.failed(&Ask { sort: Sort::Limited, queue: "n".into() }, play.now, Duration::ZERO);

    assert_eq!([play.round(1), play.round(1)], ["A", "A"]);
}

#[test]
fn a_queue_that_has_nothing_is_forgotten_and_one_that_waits_is_not() {
    let blocked = LimitedClaim { when_freed: true, ..LimitedClaim::default() };
    let mut play = Play::new("o", &[("h", backlog()), ("w", blocked)]);
    play.lanes.heard_of([&"gone".to_owned()]);
    for queue in ["gone", "h", "o", "w"] {
        play.turn(queue, 1);
        play.lanes.failed(&Ask { sort: Sort::Others, queue: queue.into() }, play.now, Duration::ZERO);
    }
    play.lanes.pass(LOCKED);

    play.lanes.forget_all_but(&play.others);

    let known = ["h", "o", "w"].map(String::from);
    assert_eq!(play.lanes.limited_first, known.clone().into());
    assert_eq!(play.lanes.failing.into_keys().map(|ask| ask.queue).collect::<Vec<_>>(), known);
}
