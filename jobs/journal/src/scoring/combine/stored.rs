//! What a model ranks by, as bytes of its file.

use super::{Combiner, SignalRanks, Tail};
use crate::stored::{Broken, Reader, Stored};
use crate::usual::ranks::Ranks;

impl Stored for SignalRanks {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        self.deviations.put(out);
        self.signals.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { deviations: Stored::take(from)?, signals: Stored::take(from)? })
    }
}

impl Combiner {
    /// The detectors have the rest.
    pub(in crate::scoring) fn put(&self, out: &mut Vec<u8>) {
        self.tails.iter().for_each(|tail| tail.ranks.put(out));
    }

    pub(in crate::scoring) fn take(
        from: &mut Reader<'_>,
        signals: SignalRanks,
        has_amounts: bool,
    ) -> Result<Self, Broken> {
        let ranks: [Ranks; 4] = Stored::take(from)?;
        Ok(Self { tails: ranks.map(Tail::new), signals, has_amounts })
    }
}
