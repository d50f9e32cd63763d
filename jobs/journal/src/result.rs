//! The one result of a run, from which every output is made: the workpaper, the report, the page of the console.
//!
//! It is written as `results.json` and bounded whatever the ledger's size: what may be long is [`Listed`], which keeps
//! the first and the true count. It holds no time and no name of a machine, so that the same inputs, parameters, model
//! and seed give the same bytes again; [`Results::command`] is what a doubter runs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::drift::{Drift, highest};
use crate::output::{Pending, RunTag};

mod challenge;
pub mod compare;
mod completeness;
mod distribution;
mod finding;
mod listed;
mod origin;
mod selected;

pub use challenge::{Challenge, Parted, Placed};
pub use completeness::{
    AccountMovement, Completeness, ControlTotal, Duplicate, Gap, Imbalance, RollForward, Told, Verdict,
};
pub use distribution::{
    Benford, BenfordKind, DigitCount, Distributions, Histogram, HourCell, ScatterPoint, WeekHours,
};
pub use finding::{
    Band, BandCount, ControlTest, Detector, EntryLine, Reason, Rule, Surrogate, TestHit, TestedEntry,
    TopEntry,
};
pub use listed::Listed;
pub use origin::{Input, Model, Parameter, Population, RejectedLine, Total, Window};
pub use selected::{Chosen, Method, Selection, Stratum};

pub const RESULTS: &str = "results.json";
/// Another number for every change that an older reader would misunderstand.
pub const SCHEMA: u32 = 1;

/// How much is listed of what may be long. Nobody reads more on paper; the file of all scores has everything.
pub const MOST_REJECTED: usize = 100;
pub const MOST_FINDINGS: usize = 1_000;
pub const MOST_ACCOUNTS: usize = 10_000;
pub const MOST_HITS: usize = 1_000;
pub const MOST_TOP: usize = 1_000;
pub const MOST_LINES: usize = 100;
pub const MOST_SELECTED: usize = 10_000;
pub const MOST_POINTS: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub schema: u32,
    /// Name and version of the program.
    pub program: String,
    /// What gives these results again.
    pub command: String,
    pub inputs: Vec<Input>,
    pub population: Population,
    pub completeness: Completeness,
    /// What of a ledger of this size is known in part only, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_part: Vec<String>,
    pub parameters: Vec<Parameter>,
    pub parameters_sha256: String,
    pub model: Model,
    /// How the entries of each population stand to those that the model was made from; none where the ledger taught itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// In what another model would have differed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// Over the length of the id, the id, and the bits of the score of every entry, in the order of their ranks.
    pub scores_sha256: String,
    pub tests: Vec<ControlTest>,
    /// Low, medium, high.
    pub bands: Vec<BandCount>,
    pub distributions: Distributions,
    /// The riskiest first.
    pub top: Listed<TopEntry>,
    /// Entries that were asked for by their ids, whatever their risk is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<TopEntry>,
    pub surrogate: Surrogate,
    pub selections: Vec<Selection>,
}

#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    #[error("these results have the form {found}, and this program reads the form {SCHEMA}; make them again")]
    OtherSchema { found: u32 },
    #[error("these are no results of a run")]
    NotResults(#[source] serde_json::Error),
}

impl Results {
    /// Refuses another form by its number, before a field that moved makes a riddle of it.
    pub fn parse(json: &[u8]) -> Result<Self, ResultsError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        let Form { schema } = serde_json::from_slice(json).map_err(ResultsError::NotResults)?;
        if schema != SCHEMA {
            return Err(ResultsError::OtherSchema { found: schema });
        }
        serde_json::from_slice(json).map_err(ResultsError::NotResults)
    }

    pub fn write(&self, folder: &Path, tag: &RunTag) -> io::Result<PathBuf> {
        let mut file = Pending::create(folder, RESULTS, tag)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.commit()
    }

    /// Over the hashes of all inputs in their order; of one input, its own.
    pub fn inputs_sha256(&self) -> String {
        use sha2::{Digest, Sha256};

        if let [input] = &*self.inputs {
            return input.sha256.clone();
        }
        let mut hash = Sha256::new();
        for input in &self.inputs {
            hash.update(input.sha256.as_bytes());
            hash.update(b"\n");
        }
        crate::output::hex(hash)
    }

    /// Whether the model still fits, where one scored the ledger.
    pub fn drift_in_words(&self) -> Option<&'static str> {
        (!self.drift.is_empty()).then(|| highest(&self.drift).verdict())
    }

    /// The four things from which every number here follows, as the covers show them.
    pub fn provenance(&self) -> [(&'static str, String); 4] {
        [
            ("Input SHA-256", self.inputs_sha256()),
            ("Parameters SHA-256", self.parameters_sha256.clone()),
            ("Model", self.model.provenance()),
            ("Seed", self.model.seed.to_string()),
        ]
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
