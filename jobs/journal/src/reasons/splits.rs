//! What the forests credit to the columns of an entry's rows.

use iforest::IsolationForest;
use ndarray::Array2;

use crate::scoring::measures::Measures;

/// By how many splits earlier than expected each column set an entry apart, on average over the trees; below 0 where it made the entry look ordinary. The
/// columns of a row add up to the expected depth less the entry's.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// As [`Measures::value_row`].
    pub values: Vec<f64>,
    /// As [`Measures::pair_row`].
    pub pairs: [f64; 5],
}

/// Asks both forests about these entries.
pub fn splits<'a>(
    (of_values, of_pairs): (&IsolationForest, &IsolationForest),
    measured: impl Iterator<Item = &'a Measures> + Clone,
    has_amounts: bool,
) -> Result<Vec<Splits>, iforest::Error> {
    let values = earlier(of_values, measured.clone().map(|measures| measures.value_row(has_amounts)))?;
    let pairs = earlier(of_pairs, measured.map(|measures| measures.pair_row().into_iter()))?;
    let splits = values.rows().into_iter().zip(pairs.rows()).map(|(values, pairs)| Splits {
        values: values.to_vec(),
        pairs: std::array::from_fn(|column| pairs[column]),
    });
    Ok(splits.collect())
}

fn earlier(
    forest: &IsolationForest,
    rows: impl Iterator<Item = impl Iterator<Item = f64>>,
) -> Result<Array2<f64>, iforest::Error> {
    let cells: Vec<f64> = rows.flatten().collect();
    let shape = (cells.len() / forest.columns(), forest.columns());
    let table = Array2::from_shape_vec(shape, cells).map_err(linfa::Error::from)?;
    Ok(-forest.explain(&table)?.contributions)
}
