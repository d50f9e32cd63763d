//! The forest's parameters, unchecked and checked (linfa's `ParamGuard`).

use linfa::ParamGuard;

use crate::Error;

/// Trees are stored as padded perfect heaps: this bound keeps one tree below 2 MiB. Larger samples do not help an
/// isolation forest either; the published results are at 256.
pub const MAX_SAMPLE_SIZE: usize = 65_536;

/// Parameters as the caller gave them. Fitting checks them first; `check` does so explicitly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationForestParams(IsolationForestValidParams);

/// Parameters known to make a forest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationForestValidParams {
    trees: usize,
    sample_size: usize,
    seed: u64,
}

impl IsolationForestParams {
    /// The published setting: 100 trees of 256 rows each.
    pub fn new() -> Self {
        Self(IsolationForestValidParams { trees: 100, sample_size: 256, seed: 0 })
    }

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
}

impl ParamGuard for IsolationForestParams {
    type Checked = IsolationForestValidParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&Self::Checked, Error> {
        match self.0 {
            IsolationForestValidParams { trees: 0, .. } => Err(Error::NoTrees),
            IsolationForestValidParams { sample_size, .. }
                if !(2..=MAX_SAMPLE_SIZE).contains(&sample_size) =>
            {
                Err(Error::SampleSize(sample_size))
            }
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

        assert_eq!((params.trees(), params.sample_size()), (100, 256));
    }

    #[test]
    fn impossible_parameters_are_refused_with_their_value() {
        for (params, message) in [
            (IsolationForestParams::new().trees(0), "a forest needs at least 1 tree"),
            (
                IsolationForestParams::new().sample_size(1),
                "sample size 1 is out of range: a tree needs 2 to 65536 rows",
            ),
            (
                IsolationForestParams::new().sample_size(65_537),
                "sample size 65537 is out of range: a tree needs 2 to 65536 rows",
            ),
        ] {
            assert_eq!(params.check().unwrap_err().to_string(), message);
        }
    }
}
