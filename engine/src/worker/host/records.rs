//! What families keep of things, as one running attempt sees it: its tenant's, or all when it has none. What it writes carries its fence,
//! and the audit log says that it was this job. Nothing of it is sealed, also when the kind is.

use futures::FutureExt;
use futures::future::BoxFuture;
use jobkit::{Ctx, HostError, Put, Record, RecordChange, RecordFilter, RecordId, Records};

use super::AttemptHost;
use store::{RecordPage, Scope};

/// Whose records the job sees.
fn scope(ctx: &Ctx) -> Scope {
    ctx.job().tenant.clone().map_or(Scope::Installation, Scope::Tenant)
}

impl AttemptHost {
    /// No route could name the rule of such news, and nobody would miss it.
    fn check_news(&self, change: &RecordChange) -> Result<(), HostError> {
        let rules = self.engine.registry.rules();
        let unknown = change.news.iter().find(|news| !rules.contains(&news.rule.as_str()));
        unknown.map_or(Ok(()), |news| {
            Err(HostError::Refused(format!("no family has registered the rule `{}` of alerts", news.rule)))
        })
    }
}

impl Records for AttemptHost {
    fn put<'a>(&'a self, ctx: &'a Ctx, change: RecordChange) -> BoxFuture<'a, Result<Put, HostError>> {
        async move {
            self.check_news(&change)?;
            Ok(self.engine.store.record_put(&self.attempting(ctx), &change).await?)
        }
        .boxed()
    }

    fn get<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        async move { Ok(self.engine.store.record(&scope(ctx), id).await?) }.boxed()
    }

    fn named<'a>(
        &'a self,
        ctx: &'a Ctx,
        collection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        async move { Ok(self.engine.store.record_named(&scope(ctx), collection, name).await?) }.boxed()
    }

    fn list<'a>(
        &'a self,
        ctx: &'a Ctx,
        filter: &'a RecordFilter,
    ) -> BoxFuture<'a, Result<Vec<Record>, HostError>> {
        async move { Ok(self.engine.store.records(&scope(ctx), &RecordPage::of(filter)).await?) }.boxed()
    }

    fn hold<'a>(
        &'a self,
        ctx: &'a Ctx,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        async move { Ok(self.engine.store.record_hold(&self.attempting(ctx), id).await?) }.boxed()
    }

    fn let_go<'a>(&'a self, _: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<(), HostError>> {
        async move { Ok(self.engine.store.record_let_go(self.held, id).await?) }.boxed()
    }
}
