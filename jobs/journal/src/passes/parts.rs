//! How a pass goes over the parts of a ledger: each part once, on whichever thread is free.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{PassError, Watch};

/// What does the passes, and who may end them.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    pub threads: usize,
    pub watch: Watch<'a>,
    pub share: Share<'a>,
}

/// What one of several processes that go over the parts together has to do, and where it puts what it makes: what earlier passes made is in the folder of
/// the run, for all of them.
#[derive(Clone, Copy)]
pub struct Share<'a> {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
    pub into: &'a Path,
    /// Of each process another: files of threads have it in their names.
    pub mark: &'a str,
}

impl<'a> Share<'a> {
    /// Of a process that does it alone.
    pub fn whole(into: &'a Path) -> Self {
        Self { index: 0, of: 1, into, mark: "" }
    }

    /// Which of so many parts, or of anything else that is gone over.
    pub fn range(&self, parts: usize) -> Range<usize> {
        parts * self.index / self.of..parts * (self.index + 1) / self.of
    }

    /// How a thread is called in the names of its files.
    pub fn writer(&self, thread: usize) -> String {
        format!("{}{thread}", self.mark)
    }
}

impl Crew<'_> {
    /// Goes over the parts of this crew's share. Each thread begins with `begin` and takes one part after the other. Which thread took which part must not show in the sums: they come back in no order.
    pub fn over<S: Send>(
        &self,
        parts: usize,
        begin: impl Fn(usize) -> Result<S, PassError> + Sync,
        work: impl Fn(&mut S, usize) -> Result<(), PassError> + Sync,
    ) -> Result<Vec<S>, PassError> {
        let Range { start, end } = self.share.range(parts);
        let next = AtomicUsize::new(start);
        let failed = AtomicBool::new(false);
        let one = |thread: usize| {
            let mut sums = begin(thread)?;
            while !failed.load(Ordering::Relaxed) {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= end {
                    break;
                }
                let done = match (self.watch)((part - start) as u64, Some((end - start) as u64)) {
                    ControlFlow::Break(()) => Err(PassError::Stopped),
                    ControlFlow::Continue(()) => work(&mut sums, part),
                };
                if let Err(error) = done {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(sums)
        };
        let threads = self.threads.clamp(1, (end - start).max(1));
        std::thread::scope(|scope| {
            let one = &one;
            let handles: Vec<_> = (1..threads).map(|thread| scope.spawn(move || one(thread))).collect();
            let mut all = vec![one(0)];
            for handle in handles {
                // A panic of a thread is one of ours.
                all.push(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            all.into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(threads: usize) -> Crew<'static> {
        Crew { threads, watch: &|_, _| ControlFlow::Continue(()), share: Share::whole(Path::new("")) }
    }

    #[test]
    fn shares_are_all_parts_and_each_once_however_many_there_are() {
        for (parts, of) in [(20, 1), (20, 3), (3, 7), (0, 2), (512, 512)] {
            let share = |index| Share { index, of, into: Path::new(""), mark: "" };
            let taken = |index| {
                let crew = Crew { share: share(index), ..crew(2) };
                let take = |taken: &mut Vec<usize>, part| {
                    taken.push(part);
                    Ok(())
                };
                let mut taken = crew.over(parts, |_| Ok(Vec::new()), take).unwrap().concat();
                taken.sort_unstable();
                taken
            };

            let all: Vec<usize> = (0..of).flat_map(taken).collect();
            assert_eq!(all, (0..parts).collect::<Vec<_>>(), "{parts} parts, {of} shares");
        }
    }

    #[test]
    fn each_part_is_taken_once_by_any_number_of_threads() {
        for threads in [1, 2, 7, 50] {
            let sums = crew(threads)
                .over(
                    20,
                    |_| Ok(Vec::new()),
                    |taken: &mut Vec<usize>, part| {
                        taken.push(part);
                        Ok(())
                    },
                )
                .unwrap();

            let mut all: Vec<usize> = sums.into_iter().flatten().collect();
            all.sort_unstable();
            assert_eq!(all, (0..20).collect::<Vec<_>>(), "{threads} threads");
        }
    }

    #[test]
    fn a_part_that_fails_ends_the_pass_with_its_error() {
        let failed =
            crew(2).over(20, |_| Ok(()), |(), part| if part == 3 { Err(PassError::Stopped) } else { Ok(()) });

        assert!(matches!(failed, Err(PassError::Stopped)));
    }

    #[test]
    fn whoever_watches_may_stop_it() {
        let crew = Crew {
            threads: 1,
            watch: &|done, _| if done < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) },
            share: Share::whole(Path::new("")),
        };
        let taken = AtomicUsize::new(0);

        let stopped = crew.over(
            20,
            |_| Ok(()),
            |(), _| {
                taken.fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
        );

        assert!(matches!(stopped, Err(PassError::Stopped)) && taken.into_inner() == 4);
    }
}
