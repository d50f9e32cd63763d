//! The schedules that the configuration owns: brought into the store when a process that runs jobs starts,
//! and compared with it whenever somebody looks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::calendar::CalendarRules;
use super::definition::{Definition, Stored};
use super::{Result, ScheduleError, Scheduler, TRIES};
use store::schedules::{ScheduleRow, Source};
use store::{Actor, Scope};

/// What the configuration says of schedules.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Declared {
    pub schedules: BTreeMap<String, Definition>,
    pub calendars: BTreeMap<String, CalendarRules>,
}

fn by() -> Actor {
    Actor::new("configuration")
}

impl Scheduler {
    /// What the configuration says of each schedule, checked as at every door.
    pub fn check_declared(&self) -> Result<()> {
        for (name, definition) in &self.declared.schedules {
            self.checked(&Scope::Installation, name, definition.clone())?;
        }
        Ok(())
    }

    /// Makes the store say what the configuration says. A process that starts later has the last word.
    pub(super) async fn sync(&self) -> Result<()> {
        for (name, definition) in &self.declared.schedules {
            self.sync_one(name, definition.clone()).await?;
        }
        for row in self.store.schedules(&Scope::Installation).await? {
            if row.source == Source::Api {
                self.renew_calendar(&row).await?;
            } else if !self.declared.schedules.contains_key(&row.name)
                && row.retired_at.is_none()
                && self.store.retire_schedule(&row.name, row.revision, &by()).await?
            {
                let name = &row.name;
                info!(
                    schedule = name,
                    "schedule {name} does not stand in the configuration any more, and is retired"
                );
            }
        }
        Ok(())
    }

    async fn sync_one(&self, name: &str, definition: Definition) -> Result<()> {
        let (stored, plan) = self.checked(&Scope::Installation, name, definition)?;
        for _ in 0..TRIES {
            let row = self.store.schedule(&Scope::Installation, name).await?;
            if row.as_ref().is_some_and(|row| is_applied(row, &stored)) {
                return Ok(());
            }
            if row.as_ref().is_some_and(|row| row.source == Source::Api) {
                warn!(
                    schedule = name,
                    "schedule {name} was made by hand; from here on the configuration owns it"
                );
            }
            if self
                .put_stored(&Scope::Installation, (name, Source::Config), &stored, &plan, row.as_ref(), &by())
                .await?
            {
                info!(schedule = name, "schedule {name} is as the configuration says: {}", plan.words());
                return Ok(());
            }
        }
        Err(ScheduleError::Contended(name.into()))
    }

    /// A schedule made by hand keeps a copy of its calendar, and the configuration may have newer holidays.
    async fn renew_calendar(&self, row: &ScheduleRow) -> Result<()> {
        let Ok(stored) = serde_json::from_str::<Stored>(&row.definition) else { return Ok(()) };
        let named = stored.definition.calendar.as_ref().and_then(|name| self.declared.calendars.get(name));
        if named.is_none_or(|rules| stored.calendar.as_ref() == Some(rules)) {
            return Ok(());
        }
        let renewed = Stored { calendar: named.cloned(), ..stored };
        match renewed.clone().plan() {
            // Should others have changed it meanwhile, they had the new calendar, or the next start has.
            Ok(plan) => {
                self.put_stored(
                    &Scope::Installation,
                    (&row.name, Source::Api),
                    &renewed,
                    &plan,
                    Some(row),
                    &by(),
                )
                .await?;
            }
            Err(problem) => {
                let name = &row.name;
                warn!(
                    schedule = name,
                    "schedule {name} keeps its old calendar, because with the new one: {problem}"
                );
            }
        }
        Ok(())
    }
}

/// Whether the store says what the configuration says.
pub(super) fn is_applied(row: &ScheduleRow, stored: &Stored) -> bool {
    row.source == Source::Config
        && row.retired_at.is_none()
        && stored.digest().is_ok_and(|digest| digest == row.digest)
}
