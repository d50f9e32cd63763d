//! Where requests come from, for the audit log. An address is somebody's, so entries have a commitment to it, and what
//! opens that is kept apart and can be erased.
//!
//! One commitment stands for one address of one caller on one day in one process: what a caller did that day can be
//! seen together, also when nobody can tell any more from where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use audit::commitment::Opening;
use audit::note::NoRandomness;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jobkit::redact::ExposeSecret;
use jobkit::{Clock, Personal, SecretString};
use ring::rand::SystemRandom;
use store::{OpeningRow, Store, StoreError};

/// The name of what is committed to.
pub const ADDRESS: &str = "address";

/// Strangers have as many addresses as they like; what is forgotten here is committed to once more.
const MOST_KNOWN: usize = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this machine has no random numbers to give")]
    NoRandom(#[from] NoRandomness),
}

pub struct Sources {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    today: Mutex<Today>,
}

#[derive(Default)]
struct Today {
    day: Date,
    known: HashMap<(IpAddr, String), String>,
}

impl Sources {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, today: Mutex::default() }
    }

    /// The commitment for this address of this caller. What opens it is kept before anything can name it.
    pub async fn of(&self, address: IpAddr, caller: &str) -> Result<String, SourceError> {
        let now = self.clock.now();
        let day = now.to_zoned(TimeZone::UTC).date();
        let key = (address, caller.to_owned());
        if let Some(known) = self.today(day).known.get(&key) {
            return Ok(known.clone());
        }
        let opening = Opening::new(ADDRESS, SecretString::from(address.to_string()), &SystemRandom::new())?;
        let commitment = opening.commit().to_string();
        let row = OpeningRow {
            commitment: commitment.clone(),
            field: opening.field.clone(),
            salt: *opening.salt,
            value: Personal::new(opening.value.expose_secret().to_owned()),
            subject: caller.to_owned(),
            at: now,
        };
        self.store.put_opening(&row).await?;
        // Two requests at once may each have made one; both can be opened.
        self.today(day).known.insert(key, commitment.clone());
        Ok(commitment)
    }

    fn today(&self, day: Date) -> std::sync::MutexGuard<'_, Today> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        if today.day != day || today.known.len() >= MOST_KNOWN {
            *today = Today { day, known: HashMap::new() };
        }
        today
    }
}
