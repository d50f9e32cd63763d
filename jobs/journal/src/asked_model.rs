//! The model that a job asks for: looked up in the list once, so that every attempt goes by the same one whoever is promoted meanwhile, and found within the
//! bounds of files.

use std::path::Path;

use jobkit::{Ctx, Failure, ModelRecord, NewModel, roots};

use crate::attempt::{Ledgers, within};
use crate::output::Pending;
use crate::registry::{Unfound, Wanted};
use crate::run::{Chosen, InList, Request, RunError};

/// Under which name a job asks for a model; the step has that name too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Model,
    Challenger,
}

impl Role {
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Challenger => "challenger",
        }
    }

    pub(crate) fn check(self, asked: &str) -> Result<(), String> {
        match asked.trim().is_empty() {
            true => Err(format!("{}: is empty; write a name, NAME@VERSION or an id", self.field())),
            false => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{field}: {unfound}")]
struct NotListed {
    field: &'static str,
    unfound: Unfound,
}

/// In the list, once: a step.
pub(crate) async fn find(role: Role, asked: &str, ctx: &Ctx) -> Result<ModelRecord, Failure> {
    ctx.step(role.field(), async |_| look_up(role, asked, ctx).await).await
}

/// Where its file is. What was fetched lives as long as the attempt.
pub(crate) async fn place(
    ledgers: &Ledgers,
    (role, record): (Role, ModelRecord),
    request: &Request,
    ctx: &Ctx,
    fetched: &mut Vec<Pending>,
) -> Result<Chosen, Failure> {
    let field = role.field();
    let NewModel { name, sha256, path, .. } = record.model;
    let asked = Path::new(&path);
    let (path, file) = match roots::address(asked) {
        Some(_) => ledgers.find((field, field), asked, request, ctx).await?.keep(asked, fetched),
        // Training writes where results go.
        None => {
            let folders = ledgers.config.roots.iter().chain([&ledgers.config.out_dir]);
            let file = within(field, asked, folders).map_err(|error| match error {
                RunError::Outside { field, path } => RunError::ModelOutside { field, path },
                error => error,
            })?;
            (file.clone(), file)
        }
    };
    Ok(Chosen { path, file, listed: Some(InList { name, version: record.version, sha256 }) })
}

async fn look_up(role: Role, asked: &str, ctx: &Ctx) -> Result<ModelRecord, Failure> {
    let wanted = Wanted::parse(asked.trim());
    let models = ctx.models();
    let records = match &wanted {
        Wanted::Champion(name) | Wanted::Version(name, _) => models.named(name).await,
        Wanted::Id(wanted) => {
            models.get(crate::model::id(wanted)).await.map(|found| found.into_iter().collect())
        }
    };
    let records: Vec<ModelRecord> = records.map_err(Failure::transient)?;
    let picked = wanted.pick(&records);
    picked.cloned().map_err(|unfound| Failure::permanent(NotListed { field: role.field(), unfound }))
}
