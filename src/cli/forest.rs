//! `compline forest`: the isolation forest alone, on a table of numbers, without a store or a configuration.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use journal::table::{
    self, ForeignForest, ForeignNode, IsolationForest, Request, Summary, TableError, Threshold,
};
use serde::Deserialize;
use serde_json::json;

use super::exit::{CliError, Exit, Result};
use super::{Call, print};

#[derive(Debug, Subcommand)]
pub enum Forest {
    /// Score the rows of a table: how unusual each is, between 0 and 1.
    Score(ScoreArgs),
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// A CSV file whose first line names the columns, or a Parquet file; every value is a number, or empty where nothing is known.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where `row,score` goes, in the order of the input.
    #[arg(long, value_name = "OUT.csv")]
    out: PathBuf,
    /// A column that is not looked at, such as an id or a label; may be given again.
    #[arg(long, value_name = "COLUMN")]
    drop: Vec<String>,
    #[arg(long, default_value_t = 100)]
    trees: usize,
    /// Rows each tree is grown from.
    #[arg(long, default_value_t = 256, value_name = "ROWS")]
    sample: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// As many as the processor runs at once, if it is not said; no score depends on it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Split along planes across this many columns beyond the first.
    #[arg(long, default_value_t = 0, value_name = "K")]
    extension: usize,
    /// The share of rows that are outliers, above 0 and at most 0.5: a third column says which.
    #[arg(long, value_name = "SHARE")]
    contamination: Option<f64>,
    /// Score with the trees of a fitted scikit-learn IsolationForest instead, as docs/reference/forest.md writes them out.
    #[arg(long, value_name = "TREES.json", conflicts_with_all = ["extension", "contamination"])]
    scikit_learn: Option<PathBuf>,
    /// Also say what each column did to the depth of each row above the threshold.
    #[arg(long, value_name = "REASONS.csv")]
    reasons: Option<PathBuf>,
}

pub fn run(call: &Call, command: Forest) -> Result {
    let Forest::Score(args) = command;
    let trees = args.scikit_learn.as_deref().map(foreign).transpose()?;
    let mut forest = IsolationForest::params()
        .trees(args.trees)
        .sample_size(args.sample)
        .seed(args.seed)
        .extension(args.extension);
    if let Some(share) = args.contamination {
        forest = forest.threshold(Threshold::Contamination(share));
    }
    let request = Request {
        input: args.input,
        drop: args.drop,
        forest,
        outliers: args.contamination.is_some(),
        trees,
        threads: args.threads.map(NonZeroUsize::get),
        out: args.out,
        reasons: args.reasons,
    };
    let Summary { rows, columns, threshold, outliers, out } = table::score(&request).map_err(failed)?;
    let answer = json!({
        "rows": rows, "columns": columns, "threshold": threshold, "outliers": outliers, "out": out,
    });
    call.print.answer(&answer, || {
        let columns = print::count(columns.len(), "column");
        format!("{} of {columns} scored into {}", print::count(rows, "row"), out.display())
    })?;
    Ok(Exit::Ok)
}

/// What the table or the parameters are is for the caller to mend; what the machine does is not.
fn failed(error: TableError) -> CliError {
    let exit = match &error {
        TableError::Open { .. } | TableError::Write { .. } | TableError::Threads(_) => Exit::Failed,
        TableError::Read { .. }
        | TableError::NoSuchColumn { .. }
        | TableError::NotANumber { .. }
        | TableError::NoRows { .. }
        | TableError::NoColumns { .. }
        | TableError::Forest(_) => Exit::Usage,
    };
    let mut failed = CliError::from_chain(error);
    failed.exit = exit;
    failed
}

/// A forest of scikit-learn, each tree with the arrays that its `tree_` has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScikitLearn {
    /// `max_samples_`
    sample_size: usize,
    trees: Vec<Tree>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    children_left: Vec<i64>,
    children_right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    missing_go_to_left: Vec<u8>,
    n_node_samples: Vec<usize>,
}

impl Tree {
    /// `None` where the arrays are not those of one tree.
    fn nodes(&self) -> Option<Vec<ForeignNode>> {
        let child = |children: &[i64], node: usize| usize::try_from(*children.get(node)?).ok();
        (0..self.children_left.len())
            .map(|node| match child(&self.children_left, node) {
                None => Some(ForeignNode::Leaf { rows: *self.n_node_samples.get(node)? }),
                Some(left) => Some(ForeignNode::Split {
                    column: usize::try_from(*self.feature.get(node)?).ok()?,
                    threshold: *self.threshold.get(node)?,
                    missing_left: *self.missing_go_to_left.get(node)? != 0,
                    left,
                    right: child(&self.children_right, node)?,
                }),
            })
            .collect()
    }
}

fn foreign(path: &Path) -> Result<ForeignForest, CliError> {
    let refused = |problem: String| {
        let remedy = "write the trees out as docs/reference/forest.md does";
        CliError::new(Exit::Usage, format!("{}: {problem}", path.display()), remedy)
    };
    let bytes = std::fs::read(path).map_err(|cause| refused(cause.to_string()))?;
    let forest: ScikitLearn = serde_json::from_slice(&bytes).map_err(|cause| refused(cause.to_string()))?;
    let tree = |(number, tree): (usize, &Tree)| {
        tree.nodes().ok_or_else(|| refused(format!("the arrays of tree {number} are not of one tree")))
    };
    let trees = forest.trees.iter().enumerate().map(tree).collect::<Result<_, _>>()?;
    Ok(ForeignForest { sample_size: forest.sample_size, trees })
}
