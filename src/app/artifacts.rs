//! Where artifacts are kept, and for how long, as the configuration has it.

use std::sync::Arc;
use std::time::Duration;

use engine::adapters::artifacts::{BucketArtifacts, BucketQuarantine, DirArtifacts, MovedArtifacts};
use engine::artifacts::ArtifactStore;
use engine::artifacts::keeper::Keeper;

use super::{App, AppError};
use crate::config::settings::Settings;

/// Nothing connects before a file is written or read.
pub fn store(settings: &Settings) -> Result<Arc<dyn ArtifactStore>, AppError> {
    let folder = DirArtifacts::new(&settings.artifacts.directory);
    if settings.artifacts.url.is_empty() {
        return Ok(Arc::new(folder));
    }
    let bucket = BucketArtifacts::open(&settings.artifacts.url, &settings.buckets, &settings.containers)?;
    Ok(Arc::new(MovedArtifacts { bucket, before: folder }))
}

/// Where callers put files themselves: beside artifacts, when those are in a bucket.
pub(super) fn quarantine(settings: &Settings) -> Result<Option<BucketQuarantine>, AppError> {
    let url = &settings.artifacts.url;
    if url.is_empty() {
        return Ok(None);
    }
    let (_, quarantine) = BucketArtifacts::with_quarantine(url, &settings.buckets, &settings.containers)?;
    Ok(Some(quarantine))
}

pub(super) fn keeper(app: &App, keep: Option<Duration>) -> Keeper {
    let (store, clock, artifacts) = (app.store.clone(), app.clock.clone(), app.artifacts.clone());
    Keeper { store, clock, artifacts, keep }
}
