//! Taking over trees that another library has grown, such as scikit-learn, so that its scores can be had here.

use crate::axis::{AxisTrees, Split, TreeMut};
use crate::forest::Trees;
use crate::key::key;
use crate::lanes::Missing;
use crate::params::MAX_SAMPLE_SIZE;
use crate::path_length::height_limit;
use crate::{Error, IsolationForest};

/// A node of a tree of another library; children are named by their place in the list, the root is the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ForeignNode {
    Leaf {
        /// Training rows that ended here.
        rows: usize,
    },
    Split {
        column: usize,
        /// Values up to and with this one go left.
        threshold: f64,
        missing_left: bool,
        left: usize,
        right: usize,
    },
}

impl IsolationForest {
    /// A forest of trees that split along single columns, each grown from `sample_size` rows of `columns` columns, and no higher than
    /// ⌈log2(`sample_size`)⌉.
    pub fn from_trees(columns: usize, sample_size: usize, trees: &[Vec<ForeignNode>]) -> Result<Self, Error> {
        if trees.is_empty() {
            return Err(Error::NoTrees);
        }
        if columns == 0 {
            return Err(Error::NoColumns);
        }
        if !(1..=MAX_SAMPLE_SIZE).contains(&sample_size) {
            return Err(Error::SampleSize(sample_size));
        }
        let built = AxisTrees::build(trees.len(), height_limit(sample_size), columns, |number, tree| {
            let mut importer = Importer { tree, nodes: &trees[number], columns };
            importer.take(0, 1, 0).map(|_rows| ()).map_err(|problem| Error::Tree { tree: number, problem })
        })?;
        Ok(Self { trees: Trees::Axis(built), sample_size, threshold: 0.5 })
    }
}

struct Importer<'a, 'b> {
    tree: TreeMut<'b>,
    nodes: &'a [ForeignNode],
    columns: usize,
}

impl Importer<'_, '_> {
    /// Takes over the subtree of `from` as that of `node` and returns its rows. The bounded height ends a tree that is a circle.
    fn take(&mut self, from: usize, node: usize, level: u32) -> Result<usize, &'static str> {
        let (column, threshold, missing_left, left, right) =
            match *self.nodes.get(from).ok_or("a node names a child that is not there")? {
                ForeignNode::Leaf { rows } if rows > MAX_SAMPLE_SIZE => {
                    return Err("a leaf holds more rows than a sample has");
                }
                ForeignNode::Leaf { rows } => {
                    self.tree.set_leaf(node, level, rows);
                    return Ok(rows);
                }
                ForeignNode::Split { column, threshold, missing_left, left, right } => {
                    (column, threshold, missing_left, left, right)
                }
            };
        if level == self.tree.height {
            return Err("it is higher than a tree of its sample");
        }
        if column >= self.columns {
            return Err("a split names a column that is not there");
        }
        let missing = if missing_left { Missing::Left } else { Missing::Right };
        self.tree
            .set_split(node, Split { column: column as u32, key: key(rounded_down(threshold)?), missing });
        let rows = self.take(left, 2 * node, level + 1)? + self.take(right, 2 * node + 1, level + 1)?;
        if rows == 0 { Err("a split holds no rows") } else { Ok(rows) }
    }
}

/// The greatest number of 32 bits that is not above the threshold: the same values lie above either.
fn rounded_down(threshold: f64) -> Result<f32, &'static str> {
    if !threshold.is_finite() {
        return Err("a threshold is not finite");
    }
    let near = threshold as f32;
    Ok(if f64::from(near) > threshold { near.next_down() } else { near })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const LEAF: ForeignNode = ForeignNode::Leaf { rows: 1 };

    fn split(column: usize, threshold: f64, left: usize, right: usize) -> ForeignNode {
        ForeignNode::Split { column, threshold, missing_left: true, left, right }
    }

    #[test]
    fn rows_are_as_deep_as_the_foreign_tree_has_them() {
        // x ≤ 1: depth 1; x > 1 and y ≤ 5: depth 2; else two rows that are not told apart: depth 3.
        let tree = vec![split(0, 1.0, 1, 2), LEAF, split(1, 5.0, 3, 4), LEAF, ForeignNode::Leaf { rows: 2 }];

        let forest = IsolationForest::from_trees(2, 4, &[tree]).unwrap();

        let depths =
            forest.mean_depths(&array![[1.0, 9.0], [1.1, 5.0], [1.1, 5.1], [f64::NAN, 9.0]]).unwrap();
        assert_eq!(depths.to_vec(), [1.0, 2.0, 3.0, 1.0]);
    }

    #[test]
    fn a_threshold_of_64_bits_parts_the_same_numbers_of_32_bits() {
        let above = f64::from(1.0_f32.next_up());

        for (threshold, expected) in [(1.0, 1.0_f32), (above - 1e-12, 1.0), (above, 1.0_f32.next_up())] {
            assert_eq!(rounded_down(threshold), Ok(expected), "{threshold}");
        }
    }

    #[test]
    fn trees_that_are_none_are_refused() {
        for (tree, problem) in [
            (vec![], "a node names a child that is not there"),
            (vec![split(0, 1.0, 1, 2), LEAF], "a node names a child that is not there"),
            (vec![split(0, 1.0, 0, 0)], "it is higher than a tree of its sample"),
            (vec![split(2, 1.0, 1, 2), LEAF, LEAF], "a split names a column that is not there"),
            (vec![split(0, f64::INFINITY, 1, 2), LEAF, LEAF], "a threshold is not finite"),
        ] {
            let error = IsolationForest::from_trees(2, 4, &[vec![LEAF], tree]).unwrap_err();

            assert_eq!(error.to_string(), format!("tree 1 cannot be taken over: {problem}"));
        }
    }
}
