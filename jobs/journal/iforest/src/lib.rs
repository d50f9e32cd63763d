//! Isolation forest (Liu, Ting, Zhou 2008) on linfa's traits: an unsupervised score of how unusual each row of a
//! numeric table is, with a reason for it.
//!
//! Trees split a small random sample at random values of random columns; a row that ends up alone after few splits is
//! unusual. The score is `2^(-E[h(x)] / c(sample))`, as published and as scikit-learn's `-score_samples`: near 1 for an
//! outlier, below 0.5 for an ordinary row.
//!
//! What this crate promises beyond the algorithm:
//!
//! - **The same bits everywhere.** Each tree draws from its own generator keyed by (seed, tree number), depths are
//!   added as integers, logarithm and power come from a pure-Rust `libm`: neither the number of threads nor the
//!   machine, nor its instructions (plain, AVX2, AVX-512), changes a score.
//! - **Reasons that add up.** [`IsolationForest::explain`] says how many splits each column spared or cost a row: its exact
//!   Shapley value, as `shap.TreeExplainer` has it; the figures sum to the row's depth minus the forest's expected depth.
//! - **Missing values are values.** NaN is accepted in fit and score. Where a node has seen missing values, the side
//!   they go to is drawn with the node's split, and a column that is otherwise constant splits missing from present;
//!   where a node has seen none, they follow the larger child. This is scikit-learn's rule.
//!
//! Beyond the published forest: planes across several columns ([`IsolationForestParams::extension`]), weights of rows (those
//! of the dataset), more trees for a forest that exists (linfa's `FitWith`), a [threshold](IsolationForestParams::threshold),
//! trees of [other libraries](IsolationForest::from_trees), and [bytes](IsolationForest::to_bytes) to store a forest in.
//!
//! Infinite values, empty tables and impossible parameters are errors that name the place.
//!
//! ```
//! use iforest::IsolationForest;
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//! use ndarray::Array2;
//!
//! let mut table = Array2::from_shape_fn((500, 2), |(row, column)| ((row * 7 + column * 13) % 50) as f64);
//! table[[42, 1]] = 1_000.0;
//!
//! let forest = IsolationForest::params().seed(7).fit(&DatasetBase::from(table.view()))?;
//! let scores = forest.predict(&table);
//! let reasons = forest.explain(&table.slice(ndarray::s![42..43, ..]))?;
//!
//! assert!(scores.iter().all(|&score| score <= scores[42]));
//! assert!(reasons.contributions[[0, 1]] < reasons.contributions[[0, 0]]);
//! # Ok::<(), iforest::Error>(())
//! ```

mod axis;
mod bytes;
mod error;
mod forest;
mod import;
mod kernel;
mod key;
mod lanes;
mod params;
mod path_length;
mod planes;
mod rng;
mod sample;

pub use error::Error;
pub use forest::{Explanation, IsolationForest, Scoring};
pub use import::ForeignNode;
pub use kernel::Instructions;
pub use params::{IsolationForestParams, IsolationForestValidParams, MAX_SAMPLE_SIZE, Threshold};
pub use path_length::average_path_length;
