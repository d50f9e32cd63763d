//! What a pass leaves of the parts that it went over. It adds up: over threads in memory, and over processes as bytes.

use crate::stored::{Broken, Reader};

pub trait Sum: Sized {
    /// What has to be known to read one again, such as the categories that are counted.
    type Of<'a>: Copy;

    /// Adds what the pass left of other parts. In whatever order, the result is the same.
    fn merge(&mut self, more: Self);

    fn put(&self, out: &mut Vec<u8>);

    /// What [`put`](Self::put) wrote.
    fn take(from: &mut Reader<'_>, of: Self::Of<'_>) -> Result<Self, Broken>;
}

/// That of all threads, of which there is one at least.
pub(crate) fn all<S: Sum>(sums: Vec<S>) -> Option<S> {
    sums.into_iter().reduce(|mut sum, more| {
        sum.merge(more);
        sum
    })
}
