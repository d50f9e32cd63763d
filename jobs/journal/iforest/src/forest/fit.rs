//! Fitting a forest, from nothing or with the trees it has.

use linfa::traits::{Fit, FitWith};
use linfa::{DatasetBase, Float};
use ndarray::{ArrayBase, ArrayView2, Data, Ix2};

use super::{IsolationForest, Trees, first_infinite, threshold_of};
use crate::axis::{self, AxisTrees};
use crate::path_length::height_limit;
use crate::planes::PlaneTrees;
use crate::rng::TreeRng;
use crate::sample::{Sample, Weights};
use crate::{Error, IsolationForestValidParams};

/// Weights of the dataset say how likely a row is to be drawn into a tree's sample; a row of weight 0 never is.
impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, Error> for IsolationForestValidParams {
    type Object = IsolationForest;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<IsolationForest, Error> {
        self.grow(&dataset.records.view(), dataset.weights(), 0)
    }
}

/// Adds trees that are grown from the dataset to a forest: the same as if all had been grown at once, where the seed and the dataset are the same. They must
/// be from samples of the same size and of the same extension; the threshold is set anew.
impl<'a, F: Float, D: Data<Elem = F>, T: 'a> FitWith<'a, ArrayBase<D, Ix2>, T, Error>
    for IsolationForestValidParams
where
    D: 'a,
{
    type ObjectIn = Option<IsolationForest>;
    type ObjectOut = IsolationForest;

    fn fit_with(
        &self,
        forest: Option<IsolationForest>,
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<IsolationForest, Error> {
        let Some(mut forest) = forest else { return self.fit(dataset) };
        let table = dataset.records.view();
        forest.check_columns(table.ncols())?;
        if forest.extension() != self.extension() {
            return Err(Error::OtherExtension { grown: forest.extension(), asked: self.extension() });
        }
        let more = self.grow(&table, dataset.weights(), forest.trees())?;
        if forest.sample_size != more.sample_size {
            return Err(Error::OtherSample { grown: forest.sample_size, asked: more.sample_size });
        }
        match (&mut forest.trees, more.trees) {
            (Trees::Axis(trees), Trees::Axis(more)) => trees.append(more),
            (Trees::Planes(trees), Trees::Planes(more)) => trees.append(more),
            _ => return Err(Error::OtherExtension { grown: forest.extension(), asked: self.extension() }),
        }
        forest.threshold = threshold_of(self.threshold(), || forest.score_samples(&table))?;
        Ok(forest)
    }
}

impl IsolationForestValidParams {
    /// Trees from number `first` on.
    fn grow<F: Float>(
        &self,
        table: &ArrayView2<'_, F>,
        weights: Option<&[f32]>,
        first: usize,
    ) -> Result<IsolationForest, Error> {
        if table.nrows() == 0 {
            return Err(Error::NoRows);
        }
        if table.ncols() == 0 {
            return Err(Error::NoColumns);
        }
        if self.extension() >= table.ncols() {
            return Err(Error::Extension { extension: self.extension(), columns: table.ncols() });
        }
        if let Some(place) = first_infinite(table) {
            return Err(place);
        }
        let weights = weights.map(|weights| Weights::new(weights, table.nrows())).transpose()?;
        let drawable = weights.as_ref().map_or(table.nrows(), Weights::positive);
        let sample_size = self.sample_size().min(drawable);
        let height = height_limit(sample_size);
        let sample = |tree| {
            let mut rng = TreeRng::new(self.seed(), first + tree);
            (Sample::draw(table, sample_size, weights.as_ref(), &mut rng), rng)
        };
        let trees = if self.extension() == 0 {
            Trees::Axis(AxisTrees::build(self.trees(), height, table.ncols(), |number, tree| {
                let (sample, rng) = sample(number);
                axis::grow::grow(tree, &sample, rng);
                Ok(())
            })?)
        } else {
            Trees::Planes(PlaneTrees::build(
                self.trees(),
                height,
                table.ncols(),
                self.extension() + 1,
                sample,
            ))
        };
        let mut forest = IsolationForest { trees, sample_size, threshold: 0.5 };
        forest.threshold = threshold_of(self.threshold(), || forest.score_samples(table))?;
        Ok(forest)
    }
}
