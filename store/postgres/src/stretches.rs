//! Where in the history something comes due, so that pruning walks over nothing else. Pure.
//!
//! The history has no index by the time of an end: it would cost every job that finishes, for the sake of the
//! few that are looked for. It is walked in order of its key instead, and cut into stretches on the way, each of
//! which remembers when the first job in it comes due. From then on only those are walked whose time has come.
//! Ids begin with the time of enqueueing, so what comes due together lies together. A process remembers this for
//! itself; a new one walks the history once.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::rows::Micros;

/// Ids after `after`, up to and with `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub after: Uuid,
    pub until: Uuid,
}

/// What a walk over the beginning of a stretch has found.
#[derive(Debug, Clone, Copy)]
pub struct Walked {
    pub now: Micros,
    /// As many as were asked for, so the stretch may go on.
    pub full: bool,
    /// The last id that was looked at, if any.
    pub last: Option<Uuid>,
    /// More was due than could be deleted at once.
    pub more: bool,
    /// When the first of those that stay comes due.
    pub next: Option<Micros>,
}

/// A job may end long after those that were enqueued with it, in a stretch that has been walked, and may be of a
/// kind that is kept for minutes only. To find it in time, all of the history would have to be walked every few
/// minutes. So a stretch is walked again when it is twice as old, and a job goes late by no longer than it took
/// to end, and by no more than this.
const LATE: i64 = 86_400_000_000;

#[derive(Debug)]
pub struct Stretches {
    /// By the id before the stretch, which ends where the next one begins: when something in it comes due.
    due: BTreeMap<Uuid, Micros>,
    /// No job is kept for a shorter time, in microseconds.
    shortest: i64,
}

impl Stretches {
    /// Of a history of which nothing is known.
    pub fn unknown(shortest: i64) -> Self {
        Self { due: BTreeMap::from([(Uuid::nil(), Micros::NEVER)]), shortest }
    }

    /// The first stretch with something due.
    pub fn first_due(&self, now: Micros) -> Option<Stretch> {
        let (after, _) = self.due.iter().find(|(_, due)| due.0 < now.0)?;
        Some(Stretch { after: *after, until: self.end_of(*after) })
    }

    fn end_of(&self, after: Uuid) -> Uuid {
        use std::ops::Bound::{Excluded, Unbounded};
        self.due.range((Excluded(after), Unbounded)).next().map_or(Uuid::max(), |(next, _)| *next)
    }

    pub fn walked(&mut self, stretch: Stretch, walked: &Walked) {
        let Stretch { after, until } = stretch;
        let last = walked.last.filter(|last| walked.full && *last < until);
        if let Some(last) = last {
            // What lies behind is not known yet, or as due as it was.
            self.due.insert(last, Micros::NEVER);
        }
        let due = if walked.more { Micros::NEVER } else { self.next(walked, last.unwrap_or(until)) };
        match self.due.range(..after).next_back() {
            // Not worth a place of its own.
            Some((&before, &others)) if walked.last.is_none() => {
                self.due.remove(&after);
                self.due.insert(before, Micros(others.0.min(due.0)));
            }
            _ => drop(self.due.insert(after, due)),
        }
    }

    /// When a stretch up to `until` is to be walked again, of which nothing is due now.
    fn next(&self, walked: &Walked, until: Uuid) -> Micros {
        // Below zero for the newest stretch, which is open.
        let age = walked.now.0.saturating_sub(Micros::of_id(until).0);
        // What ends in it from now on stays for the shortest time at least.
        let yet_to_end = walked.now.0.saturating_add(self.shortest.max(age.min(LATE)));
        Micros(walked.next.map_or(yet_to_end, |next| next.0.min(yet_to_end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// Jobs by id, each with the time at which it is due; none is kept for ever.
    type History = BTreeMap<u128, Option<i64>>;

    /// Prunes as the store does, and says which jobs went and how many were looked at.
    fn prune(stretches: &mut Stretches, history: &mut History, now: i64) -> (Vec<u128>, usize) {
        const LOOK: usize = 4;
        const BITE: usize = 3;
        let (mut gone, mut looked_at) = (Vec::new(), 0);
        while let Some(stretch) = stretches.first_due(Micros(now)) {
            let (from, to) = (stretch.after.as_u128() + 1, stretch.until.as_u128());
            let look: Vec<_> = history.range(from..=to).take(LOOK).map(|(id, due)| (*id, *due)).collect();
            let is_due = |due: &Option<i64>| due.is_some_and(|due| due < now);
            let due: Vec<_> = look.iter().filter(|(_, due)| is_due(due)).map(|(id, _)| *id).collect();
            for id in due.iter().take(BITE) {
                history.remove(id);
                gone.push(*id);
            }
            looked_at += look.len();
            let later = look.iter().filter_map(|(_, due)| *due).filter(|due| *due >= now);
            let walked = Walked {
                now: Micros(now),
                full: look.len() == LOOK,
                last: look.last().map(|(id, _)| Uuid::from_u128(*id)),
                more: due.len() > BITE,
                next: later.min().map(Micros),
            };
            stretches.walked(stretch, &walked);
        }
        (gone, looked_at)
    }

    /// An id given out at this time.
    fn id(at: i64, n: u128) -> u128 {
        const TO_UNIX_MS: i64 = 946_684_800_000;
        (u128::try_from(at / 1_000 + TO_UNIX_MS).unwrap() << 80) + n
    }

    #[test]
    fn everything_goes_when_it_is_due_and_not_before() {
        let mut stretches = Stretches::unknown(HOUR);
        let mut history = History::new();
        for round in 1..=200 {
            let now = round * HOUR / 4;
            // Some are kept for ever, some for an hour, some for two, and one in seven ends an hour later.
            for n in 0..5 {
                let late = if (round + n) % 7 == 0 { HOUR } else { 0 };
                let keep = [None, Some(HOUR), Some(2 * HOUR)][usize::try_from(n % 3).unwrap()];
                let due = keep.map(|keep| now + late + keep);
                history.insert(id(now, u128::try_from(n + 1).unwrap()), due);
            }
            let is_due = |due: &Option<i64>| due.is_some_and(|due| due < now);
            let due: Vec<_> = history.iter().filter(|(_, due)| is_due(due)).map(|(id, _)| *id).collect();

            let (mut gone, _) = prune(&mut stretches, &mut history, now);

            gone.sort_unstable();
            assert_eq!(gone, due, "round {round}");
        }
    }

    #[test]
    fn what_is_kept_is_walked_once() {
        let mut stretches = Stretches::unknown(HOUR);
        let mut history: History = (1..=10_000).map(|n| (id(0, n), None)).collect();
        history.insert(id(0, 5_000), Some(3 * HOUR));
        assert_eq!(prune(&mut stretches, &mut history, 2 * HOUR), (vec![], 10_000));

        let (gone, looked_at) = prune(&mut stretches, &mut history, 3 * HOUR + 1);

        assert_eq!(gone, [id(0, 5_000)]);
        assert!(looked_at <= 8, "{looked_at} of 10,000 were looked at");
    }

    #[test]
    fn a_job_that_ends_late_in_a_stretch_that_was_walked_goes_late_by_no_longer_than_it_took() {
        for took in [2, 5, 30, 300] {
            let mut stretches = Stretches::unknown(HOUR);
            let mut history: History = (1..=100).map(|n| (id(0, n * 2), None)).collect();
            let straggler = id(0, 51);
            let went = (1..).find(|quarter| {
                let now = quarter * HOUR / 4;
                if now == took * HOUR {
                    history.insert(straggler, Some(now + HOUR));
                }
                prune(&mut stretches, &mut history, now).0 == [straggler]
            });
            let late = went.unwrap() * HOUR / 4 - (took + 1) * HOUR;
            assert!(late <= LATE.min(took * HOUR) + HOUR / 4, "{took} hours: late by {late} microseconds");
        }
    }

    #[test]
    fn stretches_that_are_empty_are_forgotten() {
        let mut stretches = Stretches::unknown(HOUR);
        let mut history: History = (1..=1_000).map(|n| (id(0, n), Some(HOUR))).collect();
        prune(&mut stretches, &mut history, 1);
        assert!(stretches.due.len() >= 250);

        prune(&mut stretches, &mut history, HOUR + 1);
        prune(&mut stretches, &mut history, HOUR + LATE + 2);

        assert_eq!((history.len(), stretches.due.len()), (0, 1));
    }
}
