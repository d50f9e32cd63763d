//! The list of models as one running attempt sees it: what it writes carries its fence, and the audit log says that it
//! was this job.

use futures::FutureExt;
use futures::future::BoxFuture;
use jobkit::{Ctx, HostError, ModelRecord, Models, NewModel, PortError, StandingChange};

use super::AttemptHost;
use crate::approvals::rules::Action;
use store::{ModelFilter, Promoter};

impl Models for AttemptHost {
    fn add<'a>(&'a self, ctx: &'a Ctx, model: &'a NewModel) -> BoxFuture<'a, Result<ModelRecord, HostError>> {
        async move { Ok(self.engine.store.model_add(&self.attempting(ctx), model).await?) }.boxed()
    }

    fn promote<'a>(
        &'a self,
        ctx: &'a Ctx,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<StandingChange>, HostError>> {
        async move {
            // Whoever may make a model would else be whoever may promote it.
            if self.engine.queue.approvals.names(Action::ModelsPromote) {
                let remedy = format!("compline models promote {id} asks them");
                return Err(HostError::Refused(format!(
                    "people approve which model scores, and no job: {remedy}"
                )));
            }
            Ok(self.engine.store.model_promote(&Promoter::Attempt(self.attempting(ctx)), id).await?)
        }
        .boxed()
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ModelRecord>, PortError>> {
        async move {
            let found = self.engine.store.model(id).await;
            found.map_err(|cause| PortError::new(format!("looking for the model {id}"), cause))
        }
        .boxed()
    }

    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<ModelRecord>, PortError>> {
        async move {
            let found = self.engine.store.models(&ModelFilter::named(name)).await;
            found.map_err(|cause| PortError::new(format!("listing the models of the name `{name}`"), cause))
        }
        .boxed()
    }
}
