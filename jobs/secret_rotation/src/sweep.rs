//! The job `secret_rotation.sweep`: finds the secrets that are as old as they may get, and has each rotated.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::{Ctx, Failure, Job, NewJob, Outcome, Policy, Unique};
use serde::{Deserialize, Serialize};

use crate::managed::Secrets;
use crate::phase::Phase;
use crate::rotate::{Rotate, RotateArgs};
use crate::run::{self, Kept};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepArgs {}

pub struct Sweep {
    pub secrets: Secrets,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    pub secrets: usize,
    /// Those that are rotated now.
    pub due: Vec<String>,
    /// Those whose rotation was begun and is not over.
    pub under_way: Vec<String>,
    /// Those that wait for a person.
    pub waiting: Vec<String>,
}

impl Job for Sweep {
    type Args = SweepArgs;
    const KIND: &'static str = "secret_rotation.sweep";

    fn policy(&self) -> Policy {
        Policy::default().queue("secret_rotation").unique(Unique::by_args()).timeout(Duration::from_secs(300))
    }

    async fn run(&self, _: SweepArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let (mut due, mut under_way, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for managed in self.secrets.all() {
            let known = ctx.records().get(ctx, &run::id(&managed.name)).await?.map(Kept::of).transpose()?;
            match stands(known.as_ref(), ctx.clock().now()) {
                Stands::Due => due.push(managed.name.clone()),
                Stands::UnderWay => under_way.push(managed.name.clone()),
                Stands::Waiting => waiting.push(managed.name.clone()),
                Stands::Well => {}
            }
        }
        // One whose rotation is under way has a job, which is the one that is found, unless that was given up or cancelled.
        let jobs = due.iter().chain(&under_way).map(|name| {
            let args = RotateArgs { name: name.clone(), compromised: false, clear_pending: None };
            NewJob::of::<Rotate>(&args)
        });
        let jobs = jobs.collect::<Result<Vec<_>, _>>().map_err(Failure::permanent)?;
        if !jobs.is_empty() {
            ctx.spawn("rotate", jobs).await?;
        }
        Outcome::completed(Swept { secrets: self.secrets.all().count(), due, under_way, waiting })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Well,
    Due,
    UnderWay,
    Waiting,
}

/// One that was never rotated is as old as it may get: nobody knows better.
fn stands(known: Option<&Kept>, now: Timestamp) -> Stands {
    match known {
        None => Stands::Due,
        Some(kept) if kept.phase == Phase::NeedsHuman => Stands::Waiting,
        Some(kept) if !kept.phase.is_over() => Stands::UnderWay,
        Some(kept) if kept.record.due_at.is_some_and(|due| due > now) => Stands::Well,
        Some(_) => Stands::Due,
    }
}

#[cfg(test)]
mod tests {
    use jobkit::testing::Bench;
    use serde_json::{Value, json};

    use super::*;
    use crate::phase::Adoption;
    use crate::tests::{args, house_with};

    async fn swept(bench: &Bench, sweep: &Sweep) -> Value {
        match bench.beside().run(sweep, &SweepArgs {}, 1).await {
            Ok(Outcome::Completed(Some(value))) => value,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_as_old_as_it_may_get_is_rotated_and_nothing_else() {
        let (rotate, _house) = house_with(Duration::ZERO, Adoption::Extend);
        let sweep = Sweep { secrets: rotate.secrets.clone() };
        let bench = Bench::default();

        assert_eq!(swept(&bench, &sweep).await["due"], json!(["app-db"]));
        bench.run(&rotate, &args(), 1).await.unwrap();
        assert_eq!(swept(&bench, &sweep).await["due"], json!([]));
        bench.clock.advance(Duration::from_secs(90 * 86_400 - 1));
        assert_eq!(swept(&bench, &sweep).await["due"], json!([]));
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(swept(&bench, &sweep).await["due"], json!(["app-db"]));

        let spawned = bench.host.spawned();
        assert_eq!(spawned.len(), 2);
        assert!(spawned.iter().all(|(_, job)| job.kind == Rotate::KIND));
    }

    /// Its job may have been given up while the target was away, or cancelled.
    #[tokio::test]
    async fn what_was_begun_is_gone_on_with_and_not_called_due() {
        let (rotate, _house) = house_with(crate::tests::GRACE, Adoption::Extend);
        let sweep = Sweep { secrets: rotate.secrets.clone() };
        let bench = Bench::default();
        bench.run(&rotate, &args(), 1).await.unwrap();

        let swept = swept(&bench, &sweep).await;

        assert_eq!((&swept["due"], &swept["under_way"]), (&json!([]), &json!(["app-db"])));
        assert_eq!(bench.host.spawned().len(), 1);
    }

    #[tokio::test]
    async fn what_waits_for_a_person_is_said_and_left() {
        let (rotate, house) = house_with(Duration::ZERO, Adoption::Extend);
        let sweep = Sweep { secrets: rotate.secrets.clone() };
        let bench = Bench::default();
        house.target.play("set", [crate::tests::Play::RefusesTheValue; 3]);
        bench.run(&rotate, &args(), 1).await.unwrap_err();

        let swept = swept(&bench, &sweep).await;

        assert_eq!((&swept["due"], &swept["waiting"]), (&json!([]), &json!(["app-db"])));
    }
}
