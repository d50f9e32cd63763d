//! How a pass goes over the parts of a ledger: each part once, on whichever thread is free.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{PassError, Watch};

/// What does the passes, and who may end them.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    pub threads: usize,
    pub watch: Watch<'a>,
}

impl Crew<'_> {
    /// Each thread begins with `begin` and takes one part after the other. Which thread took which part must not show in the sums: they come back in no order.
    pub fn over<S: Send>(
        &self,
        parts: usize,
        begin: impl Fn(usize) -> Result<S, PassError> + Sync,
        work: impl Fn(&mut S, usize) -> Result<(), PassError> + Sync,
    ) -> Result<Vec<S>, PassError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let one = |thread: usize| {
            let mut sums = begin(thread)?;
            while !failed.load(Ordering::Relaxed) {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    break;
                }
                let done = match (self.watch)(part as u64, Some(parts as u64)) {
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
        let threads = self.threads.clamp(1, parts.max(1));
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
        Crew { threads, watch: &|_, _| ControlFlow::Continue(()) }
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
