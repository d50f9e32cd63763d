//! One score for each entry: how unusual it is, by whatever sees it best.
//!
//! Four detectors and a few control tests look at an entry. Each of them says how small the share of entries is that it finds at least as unusual; the
//! strongest word counts, since the mean of a detector that sees something and of three that do not is nothing, and the one that said it names the reason.
//!
//! [`dims`] are the categories of an entry, [`facets`] its values in them; [`mod@reference`] counts values and pairs of values over all entries; [`measures`] says
//! in numbers how an entry stands to them; [`detectors`] say how unusual the numbers are; [`combine`] makes one score of it. All summaries add up, see
//! [`crate::usual`]. [`fitted`] is all of it once it is known, which can be asked about other ledgers too: [`carry`], [`schema`].

pub mod carry;
pub mod combine;
pub mod detectors;
pub mod dims;
pub mod facets;
pub mod fitted;
#[cfg(test)]
pub(crate) mod fixture;
mod limits;
pub mod measures;
pub mod reference;
pub mod schema;
pub mod whole;
