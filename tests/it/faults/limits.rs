//! Limits over several processes of the real binary: what must never happen, also when some are killed. How much of a
//! limit is used is for `scripts/campaigns/limits` to say. The jobs are witnesses themselves: they tell when they began
//! and ended.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use store::rule::{By, Lane, Rate, Rule, Rules};
use store::state::JobState;
use store::{JobFilter, NewRow, Scope};

use super::{Process, World};

const PLACES: usize = 7;
const STARTS: usize = 5;

on_both![
    no_more_run_at_once_than_a_limit_allows_though_processes_are_killed,
    no_second_sees_more_starts_than_a_rate_allows,
];

async fn no_more_run_at_once_than_a_limit_allows_though_processes_are_killed(world: World) {
    let rule = Rule { concurrency: Some(u32::try_from(PLACES).unwrap()), ..rule() };
    let world = world.limited(rule).await;
    world.enqueue_limited(60, 100).await;
    let mut workers = world.several();

    for enough in [10, 25, 40] {
        world.until_ended(enough).await;
        let victim = enough % workers.len();
        workers[victim].kill();
        workers[victim] = world.start("work", &format!("after-{enough}"));
    }
    world.until_ended(60).await;

    let runs = world.runs().await;
    assert_eq!(runs.len(), 60);
    for (begin, _) in &runs {
        // As many as there are at the beginning of one are the most there ever are.
        let at_once = runs.iter().filter(|(from, to)| from <= begin && begin < to).count();
        assert!(at_once <= PLACES, "{at_once} at once: {runs:?}");
    }
    for worker in workers {
        worker.stop().await;
    }
}

async fn no_second_sees_more_starts_than_a_rate_allows(world: World) {
    let rate = Rate { pace: format!("{STARTS}/s").parse().unwrap(), burst: 1 };
    let world = world.limited(Rule { rate: Some(rate), ..rule() }).await;
    world.enqueue_limited(30, 0).await;
    let workers = world.several();

    world.until_ended(30).await;

    let runs = world.runs().await;
    assert_eq!(runs.len(), 30);
    for (begin, _) in &runs {
        let second = *begin..*begin + Duration::from_secs(1);
        let starts = runs.iter().filter(|(from, _)| second.contains(from)).count();
        // Late by less than the time between two starts: one more.
        assert!(starts <= STARTS + 1, "{starts} in a second: {runs:?}");
    }
    for worker in workers {
        worker.stop().await;
    }
}

fn rule() -> Rule {
    let (kinds, queues) = (vec!["system.sleep".into()], Vec::new());
    Rule { name: "calls".into(), kinds, queues, by: By::All, rate: None, concurrency: None }
}

impl World {
    /// With a limit in force, as every process has it in its configuration.
    async fn limited(self, rule: Rule) -> Self {
        let mut place = self.place.with("COMPLINE__LIMITS__CALLS__KINDS", &json!(rule.kinds).to_string());
        if let Some(most) = rule.concurrency {
            place = place.with("COMPLINE__LIMITS__CALLS__CONCURRENCY", &most.to_string());
        }
        if let Some(rate) = rule.rate {
            place = place.with("COMPLINE__LIMITS__CALLS__RATE", &rate.pace.to_string());
        }
        self.store.put_limits(&Rules::new([rule])).await.unwrap();
        self.store.lanes_are_put(1).await.unwrap();
        Self { place, ..self }
    }

    async fn enqueue_limited(&self, count: usize, ms: u64) {
        let row = self.row("system.sleep", &json!({ "ms": ms }).to_string());
        let row = NewRow { lane: Some(Lane::stored("calls".into())), ..row };
        self.insert(&vec![row; count]).await;
    }

    fn several(&self) -> Vec<Process> {
        (0..self.processes).map(|number| self.start("work", &format!("worker-{number}"))).collect()
    }

    /// Looks all the while at who runs by the store.
    async fn until_ended(&self, count: usize) {
        let states = vec![JobState::Running];
        let filter = JobFilter { states, limit: Some(1_000), ..JobFilter::default() };
        self.until(&format!("{count} jobs ended"), async || {
            let running = self.store.jobs(&Scope::Installation, &filter).await.unwrap();
            let workers: BTreeSet<_> = running.iter().map(|job| job.worker).collect();
            // A rate reserves starts; those jobs are claimed and do not run yet.
            assert!(running.len() <= PLACES, "{} run, in {workers:?}", running.len());
            self.ended().await.len() >= count
        })
        .await;
    }

    /// From when to when each job ran, by its own word.
    async fn runs(&self) -> Vec<(Timestamp, Timestamp)> {
        let filter =
            JobFilter { states: vec![JobState::Completed], limit: Some(1_000), ..JobFilter::default() };
        let jobs = self.store.jobs(&Scope::Installation, &filter).await.unwrap();
        let told = |result: &Value, name: &str| result[name].as_str().unwrap().parse().unwrap();
        jobs.iter()
            .map(|job| {
                let result: Value = serde_json::from_str(job.result.as_deref().unwrap()).unwrap();
                (told(&result, "began_at"), told(&result, "ended_at"))
            })
            .collect()
    }
}
