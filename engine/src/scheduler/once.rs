//! What people ask of a schedule once, however often the request for it is sent.

use super::{Result, ScheduleError, Scheduler};
use store::schedules::Fired;
use store::{Actor, Inserted, Once, Request, Scope};

impl Scheduler {
    /// As [`Scheduler::run_now`], once for each key that callers choose.
    pub async fn run_once(
        &self,
        scope: &Scope,
        name: &str,
        request: &Request,
        by: &Actor,
    ) -> Result<Once<Inserted>> {
        let firing = self.run(scope, name).await?;
        let first = |fired: Fired| match fired {
            Fired::Lost => Err(ScheduleError::Unknown(name.into())),
            Fired::Enqueued(fired) => {
                fired.first().map(|(_, job)| *job).ok_or_else(|| ScheduleError::Contended(name.into()))
            }
        };
        match self.store.fire_once(scope, request, &firing, by).await? {
            Once::Done(fired) => {
                let rows: Vec<_> = firing.jobs.iter().map(|(_, row)| row.clone()).collect();
                self.queue.ring_for(&rows);
                Ok(Once::Done(first(fired)?))
            }
            Once::Again(fired) => Ok(Once::Again(first(fired)?)),
            Once::Other => Ok(Once::Other),
        }
    }
}
