//! What each column did to the depth of a row: its Shapley value, exactly, as `shap.TreeExplainer` has it for paths.
//!
//! A coalition of columns is worth the depth that is expected of the row where only they are known: a node of one of them sends the row its way, a node of
//! another sends it both ways, as many of it as of the training rows. Below a path whose nodes send the share `z` of a column's rows on, and the row itself
//! (`o = 1`) or not (`o = 0`), a leaf adds `depth · (o - z) · ∫ Π (z' + (o' - z') t) dt` to the column, over `t` from 0 to 1 and the product of the path's other
//! columns. The integral weighs coalitions of all sizes as Shapley does; its integrand is a polynomial, of which a few points of Gauss and Legendre are enough to
//! have it exactly. So one walk over a tree, with a number for each point, does for a row what would take a walk for each coalition.

use super::AxisTrees;
use crate::key::NEVER;
use crate::lanes::{Lanes, unplace};
use crate::path_length::{UNITS_PER_EDGE, leaf_rows};

/// Points and weights between 0 and 1.
struct Points<const Q: usize> {
    at: [f64; Q],
    weights: [f64; Q],
}

/// Enough for eight columns on a path.
const FEW: Points<4> = Points::mirrored(
    [0.339_981_043_584_856_26, 0.861_136_311_594_052_6],
    [0.652_145_154_862_546_1, 0.347_854_845_137_453_85],
);
/// Enough for sixteen, and no tree is higher.
const MANY: Points<8> = Points::mirrored(
    [0.183_434_642_495_649_8, 0.525_532_409_916_329, 0.796_666_477_413_626_7, 0.960_289_856_497_536_3],
    [0.362_683_783_378_362, 0.313_706_645_877_887_27, 0.222_381_034_453_374_48, 0.101_228_536_290_376_26],
);

impl<const Q: usize> Points<Q> {
    /// From the positive half of those between -1 and 1.
    const fn mirrored<const H: usize>(points: [f64; H], weights: [f64; H]) -> Self {
        let mut mirrored = Self { at: [0.0; Q], weights: [0.0; Q] };
        let mut place = 0;
        while place < H {
            mirrored.at[2 * place] = 0.5 - points[place] / 2.0;
            mirrored.at[2 * place + 1] = 0.5 + points[place] / 2.0;
            mirrored.weights[2 * place] = weights[place] / 2.0;
            mirrored.weights[2 * place + 1] = weights[place] / 2.0;
            place += 1;
        }
        mirrored
    }
}

/// The trees as the walk wants them.
pub(crate) struct Shapley {
    trees: Vec<Vec<Node>>,
    columns: usize,
    /// Columns that a path can have.
    longest: usize,
    /// Of a training row, in edges, summed over the trees.
    expected_depth: f64,
}

/// The left child of a node is the next one.
enum Node {
    /// Its depth in edges.
    Leaf(f64),
    Split {
        column: usize,
        place: u32,
        key: u32,
        left_share: f64,
        right: usize,
    },
}

impl Shapley {
    pub(crate) fn of(trees: &AxisTrees) -> Self {
        let mut expected_depth = 0.0;
        let nodes = |tree: usize| {
            let mut nodes = Vec::new();
            let (rows, depths) = trees.take_down(tree, 1, 0, &mut nodes);
            expected_depth += depths / rows;
            nodes
        };
        let built = (0..trees.count()).map(nodes).collect();
        let longest = trees.columns.min(trees.height as usize);
        Self { trees: built, columns: trees.columns, longest, expected_depth }
    }

    pub(crate) fn expected_depth(&self) -> f64 {
        self.expected_depth
    }

    /// Adds to each column what it did to the row's depth, in edges, summed over the trees.
    pub(crate) fn add(&self, rows: &Lanes, row: usize, contributions: &mut [f64]) {
        if self.longest <= 2 * FEW.at.len() {
            self.add_with(&FEW, rows, row, contributions);
        } else {
            self.add_with(&MANY, rows, row, contributions);
        }
    }

    fn add_with<const Q: usize>(
        &self,
        points: &Points<Q>,
        rows: &Lanes,
        row: usize,
        contributions: &mut [f64],
    ) {
        let known = vec![Known::NOTHING; self.columns];
        let mut walk = Walk { nodes: &[], points, rows, row, known, contributions };
        for nodes in &self.trees {
            walk.nodes = nodes;
            walk.below(0, [1.0; Q]);
        }
    }
}

impl AxisTrees {
    /// Appends the nodes of a subtree; returns its training rows and the sum of their depths in edges.
    fn take_down(&self, tree: usize, node: usize, level: u32, nodes: &mut Vec<Node>) -> (f64, f64) {
        let at = (tree << self.height) + node;
        if level == self.height || self.keys[at] == NEVER {
            // Padding sends every row left.
            let bottom = (node << (self.height - level)) - (1 << self.height);
            let depth = self.leaves[(tree << self.height) + bottom];
            let (rows, depth) =
                (leaf_rows(level, depth) as f64, f64::from(depth) / f64::from(UNITS_PER_EDGE));
            nodes.push(Node::Leaf(depth));
            return (rows, rows * depth);
        }
        let place = nodes.len();
        nodes.push(Node::Leaf(0.0));
        let (left_rows, left_depths) = self.take_down(tree, 2 * node, level + 1, nodes);
        let right = nodes.len();
        let (right_rows, right_depths) = self.take_down(tree, 2 * node + 1, level + 1, nodes);
        nodes[place] = Node::Split {
            column: unplace(self.places[at]).0 as usize,
            place: self.places[at],
            key: self.keys[at],
            left_share: left_rows / (left_rows + right_rows),
            right,
        };
        (left_rows + right_rows, left_depths + right_depths)
    }
}

/// What the nodes of one column have done on the way to a node.
#[derive(Clone, Copy)]
struct Known<const Q: usize> {
    /// Whether they would have sent the row here.
    taken: bool,
    /// Training rows that they sent here, of those that came to the first of them and were sent on by all others.
    share: f64,
    /// What the column contributes to the product at each point.
    factor: [f64; Q],
    /// What the product is to be multiplied with to be the column's own part of the integrand.
    own: [f64; Q],
}

impl<const Q: usize> Known<Q> {
    const NOTHING: Self = Self { taken: true, share: 1.0, factor: [1.0; Q], own: [0.0; Q] };

    fn and(&self, taken: bool, share: f64, points: &Points<Q>) -> Self {
        let (taken, share) = (self.taken && taken, self.share * share);
        let gain = f64::from(u8::from(taken)) - share;
        let factor = points.at.map(|at| share + gain * at);
        Self { taken, share, factor, own: factor.map(|factor| gain / factor) }
    }
}

struct Walk<'a, const Q: usize> {
    nodes: &'a [Node],
    points: &'a Points<Q>,
    rows: &'a Lanes,
    row: usize,
    /// By column.
    known: Vec<Known<Q>>,
    contributions: &'a mut [f64],
}

impl<const Q: usize> Walk<'_, Q> {
    /// Walks a subtree and returns, for each point, the sum of its leaves' depths times their products.
    fn below(&mut self, node: usize, product: [f64; Q]) -> [f64; Q] {
        let (column, place, key, left_share, right) = match self.nodes[node] {
            Node::Leaf(depth) => return product.map(|product| product * depth),
            Node::Split { column, place, key, left_share, right } => (column, place, key, left_share, right),
        };
        let goes_right = self.rows.at(self.row, place) > key;
        let before = self.known[column];
        let mut sum = [0.0; Q];
        for (child, taken, share) in
            [(node + 1, !goes_right, left_share), (right, goes_right, 1.0 - left_share)]
        {
            let known = before.and(taken, share, self.points);
            let mut inner = product;
            for (point, inner) in inner.iter_mut().enumerate() {
                *inner *= known.factor[point] / before.factor[point];
            }
            self.known[column] = known;
            let under = self.below(child, inner);
            let mut gained = 0.0;
            for point in 0..Q {
                // What a node of this column further up has already counted for these leaves is taken back.
                gained += self.points.weights[point] * under[point] * (known.own[point] - before.own[point]);
                sum[point] += under[point];
            }
            self.contributions[column] += gained;
        }
        self.known[column] = before;
        sum
    }
}

#[cfg(test)]
mod tests;
