//! A forest as bytes, in one fixed layout on every machine: what is stored today scores the same in years.
//!
//! Little-endian throughout: the mark, kind (0 axis, 1 planes), height, columns, width, sample size, trees as `u32`, the threshold as `f64`, then the
//! arrays. Whoever stores them adds a hash: what reads back is checked for what scoring relies on, not for being what was written.

use crate::axis::AxisTrees;
use crate::forest::Trees;
use crate::params::MAX_SAMPLE_SIZE;
use crate::path_length::height_limit;
use crate::planes::{PlaneTrees, Term};
use crate::{Error, IsolationForest};

/// The last byte is the version of the layout.
const MARK: [u8; 8] = *b"iforest\x02";
const HEADER: usize = MARK.len() + 6 * 4 + 8;

impl IsolationForest {
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, height, width) = match &self.trees {
            Trees::Axis(trees) => (0, trees.height(), 1),
            Trees::Planes(trees) => (1, trees.height(), trees.width()),
        };
        let mut bytes = MARK.to_vec();
        for number in
            [kind, height, self.columns() as u32, width as u32, self.sample_size as u32, self.trees() as u32]
        {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.threshold.to_le_bytes());
        let mut put = |numbers: &[u32]| bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        match &self.trees {
            Trees::Axis(trees) => trees.arrays().into_iter().for_each(put),
            Trees::Planes(trees) => {
                let (terms, expected, leaves) = trees.parts();
                for term in terms {
                    put(&[term.column, term.slope.to_bits(), term.point.to_bits()]);
                }
                put(expected);
                put(leaves);
            }
        }
        bytes
    }

    /// The forest that [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let Some((header, arrays)) = bytes.split_at_checked(HEADER) else {
            return Err(Error::Bytes("they are too short"));
        };
        let header = header.strip_prefix(&MARK).ok_or(Error::Bytes("they do not begin as one"))?;
        let (fields, threshold) = header.as_chunks::<4>().0.split_at(6);
        let [kind, height, columns, width, sample_size, count] =
            std::array::from_fn(|index| u32::from_le_bytes(fields[index]) as usize);
        let threshold = f64::from_le_bytes(std::array::from_fn(|index| threshold[index / 4][index % 4]));

        let sizes = count > 0 && columns > 0 && (1..=MAX_SAMPLE_SIZE).contains(&sample_size);
        if !sizes || height as u32 != height_limit(sample_size) || !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Bytes("its sizes are out of range"));
        }
        let fits = match kind {
            0 => width == 1,
            1 => (2..=columns).contains(&width),
            _ => return Err(Error::Bytes("it is of a kind that is not known")),
        };
        // Each node has three numbers, or three for each term and two.
        let per_node = if kind == 0 { 3 } else { 3 * width as u128 + 2 };
        let nodes = (count as u128) << height;
        if !fits || arrays.len() as u128 != nodes * per_node * 4 {
            return Err(Error::Bytes("it is cut off, or its sizes are wrong"));
        }
        let nodes = count << height;
        let mut numbers = arrays.as_chunks::<4>().0.iter().map(|&bytes| u32::from_le_bytes(bytes));
        let mut take = |length: usize| numbers.by_ref().take(length).collect::<Vec<u32>>();
        let trees = if kind == 0 {
            let arrays = std::array::from_fn(|_| take(nodes));
            Trees::Axis(AxisTrees::from_arrays(height as u32, columns, arrays)?)
        } else {
            let terms = take(nodes * width * 3);
            let term = |term: &[u32; 3]| Term {
                column: term[0],
                slope: f32::from_bits(term[1]),
                point: f32::from_bits(term[2]),
            };
            let terms = terms.as_chunks::<3>().0.iter().map(term).collect();
            let (expected, leaves) = (take(nodes), take(nodes));
            Trees::Planes(PlaneTrees::from_parts((height as u32, columns, width), terms, expected, leaves)?)
        };
        Ok(Self { trees, sample_size, threshold })
    }
}

#[cfg(test)]
mod tests {
    use linfa::DatasetBase;
    use linfa::traits::Fit;
    use ndarray::Array2;

    use super::*;

    fn forests() -> [IsolationForest; 2] {
        let table = Array2::from_shape_fn((300, 3), |(row, column)| ((row * 37 + column * 11) % 101) as f64);
        [0, 2].map(|extension| {
            let params = IsolationForest::params().trees(5).sample_size(40).extension(extension);
            params.fit(&DatasetBase::from(table.view())).unwrap()
        })
    }

    #[test]
    fn a_forest_comes_back_as_it_was() {
        for forest in forests() {
            assert_eq!(IsolationForest::from_bytes(&forest.to_bytes()).unwrap(), forest);
        }
    }

    #[test]
    fn bytes_that_are_cut_or_lengthened_are_refused() {
        for forest in forests() {
            let mut bytes = forest.to_bytes();
            for length in [0, 7, HEADER - 1, HEADER, bytes.len() - 1] {
                assert!(IsolationForest::from_bytes(&bytes[..length]).is_err(), "{length}");
            }
            bytes.push(0);
            assert!(IsolationForest::from_bytes(&bytes).is_err());
        }
    }

    /// Whatever is accepted must be safe to score with: places are looked up without a check.
    #[test]
    fn a_changed_byte_is_refused_or_scores_without_a_fault() {
        let table = Array2::from_shape_fn((40, 3), |(row, column)| (row * 7 + column) as f64);
        for forest in forests() {
            let bytes = forest.to_bytes();
            for at in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x81;
                if let Ok(forest) = IsolationForest::from_bytes(&bytes)
                    && forest.columns() == 3
                {
                    assert_eq!(forest.score_samples(&table).unwrap().len(), 40);
                }
            }
        }
    }
}
