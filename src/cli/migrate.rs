//! `migrate`: the schema of the store to this version, as a step of a deployment.

use super::Call;
use super::exit::{Exit, Result};
use crate::app::App;
use crate::telemetry::Voice;

pub async fn run(call: &Call) -> Result {
    let loaded = call.load(Voice::Command)?;
    let app = App::connect(&loaded.settings).await?;
    let migrated = app.store.migrate().await;
    app.close().await;
    let migrated = migrated?;
    call.print.answer(&migrated, || match migrated.from == migrated.to {
        true => format!("the store is at version {} already", migrated.to),
        false => format!("the store went from version {} to {}", migrated.from, migrated.to),
    })?;
    Ok(Exit::Ok)
}
