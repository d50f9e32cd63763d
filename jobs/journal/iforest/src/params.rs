//! The forest's parameters, unchecked and checked (linfa's `ParamGuard`).

use linfa::ParamGuard;

use crate::Error;

/// Trees are stored as padded perfect heaps: this bound keeps one tree near 1 MiB. Larger samples do not help an
/// isolation forest either; the published results are at 256.
pub const MAX_SAMPLE_SIZE: usize = 65_536;

/// Parameters as the caller gave them. Fitting checks them first; `check` does so explicitly.
#[derive(Debug, Clone, PartialEq)]
pub struct IsolationForestParams(IsolationForestValidParams);

/// Parameters known to make a forest.
#[derive(Debug, Clone, PartialEq)]
pub struct IsolationForestValidParams {
    trees: usize,
    sample_size: usize,
    seed: u64,
    extension: usize,
    threshold: Threshold,
}

/// From which score on a row is called an outlier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// A score above this one. 0.5 is the published choice: a row as deep as an average one scores it.
    Fixed(f64),
    /// The score that this share of the training rows exceeds, in (0, 0.5].
    Contamination(f64),
}

impl IsolationForestParams {
    /// The published setting: 100 trees of 256 rows each, split along single columns.
    pub fn new() -> Self {
        Self(IsolationForestValidParams {
            trees: 100,
            sample_size: 256,
            seed: 0,
            extension: 0,
            threshold: Threshold::Fixed(0.5),
        })
    }

    /// How many trees are grown; by [`FitWith`](linfa::traits::FitWith), how many more.
    #[must_use]
    pub fn trees(mut self, trees: usize) -> Self {
        self.0.trees = trees;
        self
    }

    /// Rows each tree is grown from, drawn without replacement; a smaller table is used whole.
    #[must_use]
    pub fn sample_size(mut self, rows: usize) -> Self {
        self.0.sample_size = rows;
        self
    }

    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// How many columns a split looks at beyond the first (Hariri, Carrasco Kind, Brunner 2019). 0 splits along single
    /// columns; above 0, along planes across columns, which should be of like scale then.
    #[must_use]
    pub fn extension(mut self, columns: usize) -> Self {
        self.0.extension = columns;
        self
    }

    #[must_use]
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.0.threshold = threshold;
        self
    }
}

impl Default for IsolationForestParams {
    fn default() -> Self {
        Self::new()
    }
}

impl IsolationForestValidParams {
    pub fn trees(&self) -> usize {
        self.trees
    }

    pub fn sample_size(&self) -> usize {
        self.sample_size
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn extension(&self) -> usize {
        self.extension
    }

    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
}

impl ParamGuard for IsolationForestParams {
    type Checked = IsolationForestValidParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&Self::Checked, Error> {
        let IsolationForestValidParams { trees, sample_size, threshold, .. } = self.0;
        if trees == 0 {
            return Err(Error::NoTrees);
        }
        if !(2..=MAX_SAMPLE_SIZE).contains(&sample_size) {
            return Err(Error::SampleSize(sample_size));
        }
        match threshold {
            Threshold::Contamination(share) if !(share > 0.0 && share <= 0.5) => {
                Err(Error::Contamination(share))
            }
            Threshold::Fixed(score) if !(0.0..=1.0).contains(&score) => Err(Error::Threshold(score)),
            _ => Ok(&self.0),
        }
    }

    fn check(self) -> Result<Self::Checked, Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_published_ones() {
        let params = IsolationForestParams::new().check().unwrap();

        assert_eq!((params.trees(), params.sample_size(), params.extension()), (100, 256, 0));
        assert_eq!(params.threshold(), Threshold::Fixed(0.5));
    }

    #[test]
    fn impossible_parameters_are_refused_with_their_value() {
        let params = IsolationForestParams::new;
        for (params, message) in [
            (params().trees(0), "a forest needs at least 1 tree"),
            (params().sample_size(1), "sample size 1 is out of range: a tree needs 2 to 65536 rows"),
            (params().sample_size(65_537), "sample size 65537 is out of range: a tree needs 2 to 65536 rows"),
            (
                params().threshold(Threshold::Contamination(0.0)),
                "contamination 0 is out of range: it is a share of the rows above 0 and at most 0.5",
            ),
            (
                params().threshold(Threshold::Contamination(f64::NAN)),
                "contamination NaN is out of range: it is a share of the rows above 0 and at most 0.5",
            ),
            (
                params().threshold(Threshold::Fixed(1.5)),
                "threshold 1.5 is out of range: scores lie between 0 and 1",
            ),
        ] {
            assert_eq!(params.check().unwrap_err().to_string(), message);
        }
    }
}
