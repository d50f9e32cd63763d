//! Depths: the expected depth of an unbuilt subtree, and the integer unit in which depths are stored and added.

use crate::params::MAX_SAMPLE_SIZE;

/// Depths are whole multiples of 2^-20 edges. Integer addition gives the same sum in any order, which is what makes
/// scores equal for any number of threads; the rounding moves a score by less than 1e-7.
pub(crate) const UNITS_PER_EDGE: u32 = 1 << 20;

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// `c(n)`: the average depth of an unsuccessful search in a binary search tree of `n` rows, which is what a leaf
/// still holding `n` rows is credited with. `H(n-1)` is taken as `ln(n-1) + γ`, as published and as in scikit-learn.
pub fn average_path_length(rows: usize) -> f64 {
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = rows as f64;
            2.0 * (libm::log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

/// The depth of a leaf that is `edges` below the root and holds `rows` training rows, in units.
pub(crate) fn leaf_depth(edges: u32, rows: usize) -> u32 {
    let below = libm::round(average_path_length(rows) * f64::from(UNITS_PER_EDGE)) as u32;
    edges * UNITS_PER_EDGE + below
}

/// The training rows of a leaf of that depth: [`leaf_depth`] backwards, at least 1.
pub(crate) fn leaf_rows(edges: u32, depth: u32) -> usize {
    let (mut fewest, mut most) = (1, MAX_SAMPLE_SIZE);
    while fewest < most {
        let middle = (fewest + most) / 2;
        if leaf_depth(edges, middle) < depth { fewest = middle + 1 } else { most = middle }
    }
    fewest
}

/// ⌈log2(sample)⌉, the average height of a tree of that many rows: deeper rows are not outliers, so growing stops.
pub(crate) fn height_limit(sample: usize) -> u32 {
    sample.max(2).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_path_length_is_the_published_one() {
        // Computed with scikit-learn's formula in extended precision; 0, 1 and 2 are special by definition.
        for (rows, expected) in [
            (0, 0.0),
            (1, 0.0),
            (2, 1.0),
            (3, 1.207_392_357_589_623),
            (4, 1.851_655_907_139_285),
            (5, 2.327_020_052_042_847),
            (256, 10.244_770_920_117_918),
            (1_000, 12.969_940_887_100_176),
            (65_536, 21.335_141_107_488_483),
        ] {
            let length = average_path_length(rows);
            assert!((length - expected).abs() < 1e-9, "c({rows}) = {length}, expected {expected}");
        }
    }

    #[test]
    fn average_path_length_grows_with_the_rows() {
        assert!((2..5_000).all(|rows| average_path_length(rows) < average_path_length(rows + 1)));
    }

    #[test]
    fn height_limit_is_the_logarithm_rounded_up() {
        for (sample, expected) in
            [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (255, 8), (256, 8), (257, 9), (65_536, 16)]
        {
            assert_eq!(height_limit(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn a_leaf_knows_its_rows_by_its_depth() {
        assert!((1..=MAX_SAMPLE_SIZE).all(|rows| leaf_rows(16, leaf_depth(16, rows)) == rows));
        // What no leaf has still has rows.
        assert_eq!((leaf_rows(3, 0), leaf_rows(0, u32::MAX)), (1, MAX_SAMPLE_SIZE));
    }

    #[test]
    fn a_leaf_is_as_deep_as_its_edges_plus_its_unbuilt_subtree() {
        assert_eq!(leaf_depth(3, 1), 3 * UNITS_PER_EDGE);
        assert_eq!(leaf_depth(8, 2), 9 * UNITS_PER_EDGE);
    }
}
