//! Where a run is, for whoever waits for it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Read,
    Survey,
    Tie,
    Count,
    Measure,
    Detect,
    Judge,
    Write,
}

impl Step {
    pub fn in_words(self) -> &'static str {
        self.plan().2
    }

    /// How far the whole is, in per cent, when so much of this step is done.
    pub fn percent(self, done: u64, of: Option<u64>) -> u64 {
        let (from, to, _) = self.plan();
        let of = of.unwrap_or(0).max(1);
        from + (to - from) * done.min(of) / of
    }

    /// Where each step begins and ends, as measured on a ledger of a million lines, and what it does.
    fn plan(self) -> (u64, u64, &'static str) {
        match self {
            Self::Read => (0, 30, "reading lines"),
            Self::Survey => (30, 45, "checking that the ledger is all there"),
            Self::Tie => (45, 50, "looking for entries that belong together"),
            Self::Count => (50, 60, "counting what is usual"),
            Self::Measure => (60, 80, "measuring and testing entries"),
            Self::Detect => (80, 83, "asking the detectors"),
            Self::Judge => (83, 92, "scoring entries"),
            Self::Write => (92, 100, "writing results"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_begins_where_the_one_before_ends() {
        let steps = [
            Step::Read,
            Step::Survey,
            Step::Tie,
            Step::Count,
            Step::Measure,
            Step::Detect,
            Step::Judge,
            Step::Write,
        ];
        for pair in steps.windows(2) {
            assert_eq!(pair[0].percent(7, Some(7)), pair[1].percent(0, Some(7)));
        }
        assert_eq!((Step::Read.percent(0, None), Step::Write.percent(9, Some(1))), (0, 100));
    }
}
