//! What a model ranks by, as bytes of its file; and what scores of some parts are, as bytes for whoever adds them up.

use super::{Combiner, DetectedCounts, Scored, SignalCounts, SignalRanks, Tail, Winner};
use crate::scoring::measures::Signal;
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

impl Stored for SignalCounts {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        self.deviations.put(out);
        self.signals.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { deviations: Stored::take(from)?, signals: Stored::take(from)? })
    }
}

impl Stored for DetectedCounts {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Stored::take(from).map(Self)
    }
}

/// Codes of those who are no tests; behind them come the tests.
const WINNERS: [Winner; 5] =
    [Winner::Values, Winner::Pairs, Winner::ValueForest, Winner::PairForest, Winner::Amount];

impl Stored for Winner {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        let code = match self {
            Self::Test(signal) => WINNERS.len() + *signal as usize,
            other => WINNERS.iter().position(|winner| winner == other).unwrap_or(WINNERS.len()),
        };
        (code as u8).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let code = usize::from(u8::take(from)?);
        let test = |place: usize| Signal::ALL.get(place).copied().map(Self::Test);
        let winner = WINNERS.get(code).copied();
        winner
            .or_else(|| code.checked_sub(WINNERS.len()).and_then(test))
            .ok_or(Broken("nobody said the score"))
    }
}

impl Stored for Scored {
    const LEAST: usize = 17;

    fn put(&self, out: &mut Vec<u8>) {
        (self.score, self.winner, self.together).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let (score, winner, together) = Stored::take(from)?;
        Ok(Self { score, winner, together })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_said_a_score_comes_back_from_bytes() {
        for winner in WINNERS.into_iter().chain(Signal::ALL.map(Winner::Test)) {
            let scored = Scored { score: 5.5, winner, together: -0.25 };
            let mut bytes = Vec::new();
            scored.put(&mut bytes);
            assert_eq!(Scored::take(&mut Reader::new(&bytes)), Ok(scored));
        }
        assert!(Winner::take(&mut Reader::new(&[13])).is_err());
    }
}
