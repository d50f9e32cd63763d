//! The list of models as one running attempt sees it. No store keeps one yet, so whoever asks is told so.

use futures::FutureExt;
use futures::future::BoxFuture;
use jobkit::{Ctx, HostError, ModelRecord, Models, NewModel, PortError, StandingChange};

use super::AttemptHost;

const NOT_KEPT: &str = "this version keeps no list of models";

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, HostError>> {
    async { Err(HostError::Refused(NOT_KEPT.into())) }.boxed()
}

impl Models for AttemptHost {
    fn add<'a>(&'a self, _: &'a Ctx, _: &'a NewModel) -> BoxFuture<'a, Result<ModelRecord, HostError>> {
        refused()
    }

    fn promote<'a>(
        &'a self,
        _: &'a Ctx,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Vec<StandingChange>, HostError>> {
        refused()
    }

    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<ModelRecord>, PortError>> {
        async { Ok(None) }.boxed()
    }

    fn named<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<ModelRecord>, PortError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}
