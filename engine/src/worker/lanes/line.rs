//! Which queues wait for a place in which bucket, and who has waited longest. Pure.
//!
//! One pointer for all limits would not do: a queue whose own limit lets it start something often would move it behind itself each time, and of the queues behind
//! it that share another limit the first would have each of its places.

use std::collections::{BTreeMap, BTreeSet};

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
    /// all of its lanes were looked at.
    pub fn told(&mut self, queue: &str, had: &BTreeSet<&str>, waits_for: &BTreeSet<String>, whole: bool) {
        self.of.retain(|bucket, places| {
            if had.contains(bucket.as_str()) || whole && !waits_for.contains(bucket) {
                places.retain(|place| place.queue != queue);
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
    }

    /// Nobody knows what became of its claim.
    pub fn leave(&mut self, queue: &str) {
        self.of.retain(|_, places| {
            places.retain(|place| place.queue != queue);
            !places.is_empty()
        });
    }

    /// Whether one waits for a place for which the other does not wait, or not as long.
    pub fn is_before(&self, one: &str, other: &str) -> bool {
        self.of.values().any(|places| {
            let of = |queue: &str| places.iter().position(|place| place.queue == queue);
            of(one).is_some_and(|one| of(other).is_none_or(|other| one < other))
        })
    }

    /// Whether one waits for a place for which the other waits as well, and longer.
    pub fn is_clearly_before(&self, one: &str, other: &str) -> bool {
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

    #[test]
    fn who_had_a_place_goes_to_the_end_and_who_had_none_before_those_who_had() {
        let mut line = Line::default();
        for (queue, had, waits_for, k) in [
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
        ] {
            told(&mut line, queue, had, waits_for);
            assert_eq!(places(&line, "k"), k, "{queue} had {had:?} and waits for {waits_for:?}");
        }
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
    fn one_is_before_another_where_it_has_waited_longer() {
        let mut line = Line::default();
        told(&mut line, "a", "", "own");
        told(&mut line, "b", "", "k");
        told(&mut line, "c", "", "k");
        for (one, other, before, clearly) in [
            ("b", "c", true, true),
            ("c", "b", false, false),
            ("a", "b", true, false),
            ("b", "a", true, false),
            ("x", "b", false, false),
            ("b", "x", true, false),
        ] {
            assert_eq!(line.is_before(one, other), before, "{one} {other}");
            assert_eq!(line.is_clearly_before(one, other), clearly, "{one} {other}");
        }
        line.leave("b");
        assert!(!line.is_before("b", "c") && line.is_before("c", "b"));
    }
}
