//! Where files that are handed in lie, and who looks at them, as the configuration has it.

use std::sync::Arc;

use engine::adapters::clamav::{Address, ClamAv};
use engine::uploads::Place;
use engine::uploads::quarantine::Quarantine;
use engine::uploads::scanner::Scanner;

use super::{AppError, artifacts};
use crate::config::settings::Settings;
use crate::config::uploads::Uploads;

/// Nothing connects before a file is there.
pub fn place(settings: &Settings) -> Result<Place, AppError> {
    let quarantine = artifacts::quarantine(settings)?.map(|found| Arc::new(found) as Arc<dyn Quarantine>);
    let settings = &settings.uploads;
    let scanner = clamav(settings)?.map(|scanner| Arc::new(scanner) as Arc<dyn Scanner>);
    Ok(Place { directory: settings.directory.clone(), rules: settings.rules(), scanner, quarantine })
}

/// None where nothing is scanned.
pub fn clamav(settings: &Uploads) -> Result<Option<ClamAv>, AppError> {
    if settings.clamav.is_empty() {
        return Ok(None);
    }
    let address = settings.clamav.parse::<Address>();
    let address = address.map_err(|problem| AppError::Setting { field: "uploads.clamav", problem })?;
    Ok(Some(ClamAv { address, timeout: settings.clamav_timeout, oldest: settings.clamav_oldest }))
}
