//! The models that jobs made: which there are, which of a name is to be used, and who made it from what.
//!
//! A model is an immutable file, known by a hash of its bytes. Training again makes another model of the same name with the next version number; which of them
//! is used is decided by promotion alone, so that a model that was trained by night changes no score before somebody has looked at it.

use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ports::{HostError, PortError};
use crate::{Ctx, JobId};

/// A model as the job that made it tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewModel {
    /// The first digits of the hash.
    pub id: String,
    pub sha256: String,
    /// Models of one name replace each other.
    pub name: String,
    /// Over what it needs of the data: models and data that fit have one.
    pub schema_sha256: String,
    /// The first and last day of what it was made from.
    pub window: Option<(Date, Date)>,
    pub entries: u64,
    /// Where its file is.
    pub path: String,
}

/// What is known of a model. All but its standing is for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    #[serde(flatten)]
    pub model: NewModel,
    /// From 1, for each name.
    pub version: u32,
    pub standing: Standing,
    pub made_by: JobId,
    pub made_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The one that is used; there is at most one of a name.
    Champion,
    /// Not used, and may come to be.
    Challenger,
    /// No longer used. Its file stays: what it scored has to be scored again one day.
    Retired,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Standing::Champion => "champion",
            Standing::Challenger => "challenger",
            Standing::Retired => "retired",
        }
    }
}

impl std::str::FromStr for Standing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Standing::Champion, Standing::Challenger, Standing::Retired];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("unknown standing `{text}`"))
    }
}

/// What a promotion does to one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingChange {
    pub id: String,
    pub from: Standing,
    pub to: Standing,
}

/// What happens when the model of this id is to be the champion among all models of its name. Nothing, if it is already. The champion before it is retired,
/// and so is every challenger that is older than the new one; newer ones go on. A model that was retired may come back.
pub fn promotion(of_name: &[ModelRecord], id: &str) -> Option<Vec<StandingChange>> {
    let chosen = of_name.iter().find(|record| record.model.id == id)?;
    if chosen.standing == Standing::Champion {
        return Some(Vec::new());
    }
    let to = |record: &ModelRecord| match record.standing {
        _ if record.model.id == id => Standing::Champion,
        Standing::Champion => Standing::Retired,
        Standing::Challenger if record.version < chosen.version => Standing::Retired,
        standing => standing,
    };
    let change = |record: &ModelRecord| {
        let change = StandingChange { id: record.model.id.clone(), from: record.standing, to: to(record) };
        (change.from != change.to).then_some(change)
    };
    Some(of_name.iter().filter_map(change).collect())
}

/// Whether a model that comes in is the one that is there under its id, and if not, why it is refused. An attempt before may have got this far; its file had
/// another path, which is then the one that is known.
pub fn is_known(known: &NewModel, model: &NewModel) -> Result<(), String> {
    let NewModel { id, sha256, name, .. } = known;
    if *sha256 != model.sha256 {
        return Err(format!("the id {id} belongs to another model, whose hash is {sha256}"));
    }
    if *name != model.name {
        return Err(format!(
            "the model {id} is there already, under the name `{name}`; a model has one name"
        ));
    }
    Ok(())
}

/// The list of models. What is written is appended, with an entry in the audit log, and refused once the attempt has lost its lease.
pub trait Models: Send + Sync + 'static {
    /// Takes a model in as a challenger, with the next version of its name. A model that is there already is answered as it is: the attempt before may have got
    /// this far.
    fn add<'a>(&'a self, ctx: &'a Ctx, model: &'a NewModel) -> BoxFuture<'a, Result<ModelRecord, HostError>>;
    /// Makes it the champion of its name, as [`promotion`] says.
    fn promote<'a>(
        &'a self,
        ctx: &'a Ctx,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<StandingChange>, HostError>>;
    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ModelRecord>, PortError>>;
    /// All of a name, the newest first.
    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<ModelRecord>, PortError>>;
}

#[cfg(test)]
mod tests;
