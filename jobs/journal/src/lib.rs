//! The journal family: scores the entries of a general ledger by how unusual they are, and says why.
//!
//! Auditors must test journal entries for signs of fraud (AU-C 240, ISA 240, AS 2401). A forest of random trees finds
//! the entries that differ from the rest in many small ways; each comes with its reasons in plain values, and with
//! hashes from which anybody can check that the same file gives the same scores again.
//!
//! The way of a ledger through the files of this crate: [`ingest`] makes [`mod@line`]s of any format, [`spool`] puts them aside in parts by their entries, and
//! [`passes`] goes over the parts: [`completeness`] says whether the ledger is all there, [`usual`] what is usual in it, [`scoring`] how unusual each entry is
//! and [`reasons`] why, [`controls`] asks every entry what an auditor asks, with [`calendar`] and [`benford`] at hand, and [`risk`] joins the two. [`run`] has these in stages that
//! can be repeated, told by [`settings`]; [`score_ledger`], [`train_model`] and [`check_drift`] are the jobs around it, within the bounds of [`jobkit::roots`]; several [`score_part`] may do its passes together, and [`clear_parts`] tidies up behind them. [`sample`] makes a ledger to try it on.
//!
//! What a run found is one struct, [`result`]; of it are made the [`workpaper`] that an auditor tests from and the
//! [`report`] that is filed. [`selection`] draws the entries to test, [`reasons`] says of an entry why it has its score, [`surrogate`] sums the scores up in
//! rules, [`scores_file`] writes the scores of all. What a ledger taught can be kept as a [`model`] and asked about another, as long as [`drift`] does not say
//! that they differ.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jobkit::{Databases, Objects, Registry};
use serde::{Deserialize, Serialize};

use queries::NamedQuery;

pub mod adapters;
pub mod amount;
mod asked_model;
mod attempt;
pub mod benford;
pub mod calendar;
pub mod check_drift;
pub mod clear_parts;
pub mod completeness;
pub mod controls;
pub mod drift;
pub mod heads;
pub mod ingest;
pub mod line;
pub mod model;
pub mod names;
pub mod output;
pub mod part;
pub mod passes;
pub mod queries;
pub mod reasons;
pub mod registry;
pub mod report;
pub mod result;
pub mod risk;
pub mod run;
pub mod sample;
pub mod score_ledger;
pub mod score_part;
pub mod scores_file;
pub mod scoring;
pub mod selection;
pub mod settings;
pub mod spool;
pub mod stored;
pub mod surrogate;
pub mod table;
pub mod train_model;
pub mod usual;
pub mod workpaper;
pub mod workplace;

pub use check_drift::{CheckDrift, CheckDriftArgs};
pub use clear_parts::ClearParts;
pub use score_ledger::{ScoreLedger, ScoreLedgerArgs};
pub use score_part::ScorePart;
pub use train_model::{TrainModel, TrainModelArgs};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where results go, in a folder per job, unless the job's arguments name another place for that folder.
    pub out_dir: PathBuf,
    /// Folders in which ledgers may lie, and below which buckets (`s3://BUCKET/FOLDER`). Whoever may enqueue a job names the file that the worker opens, so
    /// there are none until an operator has thought of it.
    pub roots: Vec<PathBuf>,
    /// Ledgers that are queries, by the names that jobs call them by.
    pub queries: BTreeMap<String, NamedQuery>,
    /// How many jobs share the work on a ledger, unless the arguments say otherwise; 1 for none but the job itself. All workers must then see `out_dir`.
    pub partitions: usize,
    /// What every run is told unless its job's arguments say otherwise.
    pub settings: settings::Settings,
}

impl Config {
    /// What is wrong with a number of partitions, and what to write.
    pub fn check_partitions(partitions: usize) -> Result<(), String> {
        match partitions {
            1..=MOST_PARTITIONS => Ok(()),
            other => Err(format!("{other}; write 1 to {MOST_PARTITIONS}")),
        }
    }

    /// Every key has a value, for whoever must know the keys.
    pub fn with_every_key() -> Self {
        let queries = [("*".to_owned(), NamedQuery::default())].into();
        Self { queries, settings: settings::Settings::with_every_key(), ..Self::default() }
    }
}

/// More jobs for one ledger wait longer for each other than they work.
pub const MOST_PARTITIONS: usize = 64;

impl Default for Config {
    fn default() -> Self {
        Self {
            out_dir: "results/journal".into(),
            roots: Vec::new(),
            queries: BTreeMap::new(),
            partitions: 1,
            settings: settings::Settings::default(),
        }
    }
}

/// From where ledgers come that are no files of this machine.
#[derive(Clone)]
pub struct Sources {
    pub objects: Arc<dyn Objects>,
    pub databases: Arc<dyn Databases>,
}

/// Adds the family's kinds.
pub fn register(registry: &mut Registry, config: Config, sources: Sources) {
    registry.add(ScorePart::new(config.clone()));
    registry.add(ClearParts::new(config.clone()));
    registry.add(TrainModel::new(config.clone(), sources.clone()));
    registry.add(CheckDrift::new(config.clone(), sources.clone()));
    registry.add(ScoreLedger::new(config, sources));
}
