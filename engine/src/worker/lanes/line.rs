//! Which queues wait for a place in which bucket, and who has waited longest. Pure.
//!
//! One pointer for all limits would not do: a queue whose own limit lets it start something often would move it behind itself each time, and of the queues behind
//! it that share another limit the first would have each of its places.

use std::collections::{BTreeMap, BTreeSet};

/// So many buckets are remembered: keys come and go.
const MOST: usize = 1_024;

#[derive(Debug, Default)]
pub struct Line {
    of: BTreeMap<String, Vec<Place>>,
}

#[derive(Debug)]
struct Place {
    queue: String,
    /// It had jobs there just before: whoever had none stands before it.
    had: bool,
}

impl Line {
    /// What a claim from the queue came to: it had jobs in these buckets, and jobs of it wait for those. Without a word on a bucket it has nothing there, if
    /// all of its lanes were looked at, or if it had the last there was.
    pub fn told(&mut self, queue: &str, had: &BTreeSet<&str>, waits_for: &BTreeSet<String>, whole: bool) {
        self.of.retain(|bucket, places| {
            let has_had = had.contains(bucket.as_str());
            let is_silent = !waits_for.contains(bucket);
            places.retain(|place| place.queue != queue || !(has_had || is_silent && (whole || place.had)));
            if has_had {
                // The others have now waited for a whole turn.
                places.iter_mut().for_each(|place| place.had = false);
            }
            !places.is_empty()
        });
        for bucket in waits_for {
            let places = self.of.entry(bucket.clone()).or_default();
            if places.iter().any(|place| place.queue == queue) {
                continue;
            }
            let had = had.contains(bucket.as_str());
            let at = match had {
                true => places.len(),
                false => places.iter().position(|place| place.had).unwrap_or(places.len()),
            };
            places.insert(at, Place { queue: queue.to_owned(), had });
        }
        if self.of.len() > MOST {
            // Where one waits alone there is nobody to be before. More than these have no fair order but that of the queues.
            self.of.retain(|_, places| places.len() > 1);
            if self.of.len() > MOST {
                self.of.clear();
            }
        }
    }

    /// Nobody knows what became of its claim.
    pub fn leave(&mut self, queue: &str) {
        self.of.retain(|_, places| {
            places.retain(|place| place.queue != queue);
            !places.is_empty()
        });
    }

    /// Whether one waits for a place for which the other waits as well, and longer.
    pub fn is_before(&self, one: &str, other: &str) -> bool {
        self.of.values().any(|places| {
            let of = |queue: &str| places.iter().position(|place| place.queue == queue);
            of(one).zip(of(other)).is_some_and(|(one, other)| one < other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &mut Line, queue: &str, had: &str, waits_for: &str) {
        let waits_for = waits_for.split_whitespace().map(String::from).collect();
        line.told(queue, &had.split_whitespace().collect(), &waits_for, true);
    }

    /// Who waits for the bucket, the first first.
    fn places(line: &Line, bucket: &str) -> String {
        line.of.get(bucket).into_iter().flatten().map(|place| place.queue.as_str()).collect()
    }

    /// Queues have their turns one after the other: who it is, which places it had, what it waits for, and who stands before `k` then.
    fn turns(turns: &[(&str, &str, &str, &str)]) -> Line {
        let mut line = Line::default();
        for &(queue, had, waits_for, k) in turns {
            told(&mut line, queue, had, waits_for);
            assert_eq!(places(&line, "k"), k, "{queue} had {had:?} and waits for {waits_for:?}");
        }
        line
    }

    #[test]
    fn who_had_a_place_goes_to_the_end_and_who_had_none_before_those_who_had() {
        let line = turns(&[
            ("b", "k", "k", "b"),
            ("c", "", "k", "cb"),
            ("d", "", "k", "cdb"),
            // Found it full again.
            ("c", "", "k", "cdb"),
            ("c", "k", "k", "dbc"),
            // Another limit of its own changes nothing here.
            ("d", "own", "own k", "dbc"),
            ("b", "", "", "dc"),
            ("d", "k", "", "c"),
            ("c", "k", "", ""),
        ]);
        assert_eq!(places(&line, "own"), "");
    }

    #[test]
    fn a_look_at_some_lanes_says_nothing_of_the_others() {
        let mut line = Line::default();
        told(&mut line, "a", "", "k");
        line.told("a", &BTreeSet::new(), &BTreeSet::new(), false);
        assert_eq!(places(&line, "k"), "a");
    }

    #[test]
    fn one_is_before_another_where_both_wait_and_it_has_waited_longer() {
        let mut line = Line::default();
        told(&mut line, "a", "", "own");
        told(&mut line, "b", "", "k");
        told(&mut line, "c", "", "k");
        for (one, other, before) in
            [("b", "c", true), ("c", "b", false), ("a", "b", false), ("b", "a", false), ("b", "x", false)]
        {
            assert_eq!(line.is_before(one, other), before, "{one} {other}");
        }
        line.leave("b");
        told(&mut line, "b", "", "k");
        assert!(!line.is_before("b", "c") && line.is_before("c", "b"));
    }

    /// `a` and `b` are away now and then, as jobs that snooze are, and stood before `c` each time they came back.
    #[test]
    fn whoever_has_waited_for_a_turn_is_behind_nobody_who_comes_back() {
        turns(&[
            ("c", "k", "k", "c"),
            ("a", "", "k", "ac"),
            ("b", "", "k", "abc"),
            ("a", "k", "", "bc"),
            // Back again, behind those who have waited meanwhile.
            ("a", "", "k", "bca"),
            ("b", "k", "", "ca"),
            ("b", "", "k", "cab"),
            ("c", "k", "k", "abc"),
        ]);
    }

    #[test]
    fn keys_without_number_are_forgotten_and_what_queues_share_is_not() {
        let mut line = Line::default();
        told(&mut line, "a", "", "k");
        told(&mut line, "b", "", "k");
        for n in 0..10 * MOST {
            let key = format!("one/{n}");
            line.told("a", &[key.as_str()].into(), &[key.clone()].into(), false);
            assert!(line.of.len() <= 2, "{n}");
        }
        // Others run them, and nobody says that nothing waits.
        for n in 0..10 * MOST {
            line.told("a", &BTreeSet::new(), &[format!("two/{n}")].into(), false);
            assert!(line.of.len() <= MOST, "{n}");
        }
        assert_eq!(places(&line, "k"), "ab");
    }
}
