//! A family for tests: its arguments say how a job behaves, and the scene is where test and job meet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobkit::{
    AuditEntry, Backoff, Ctx, Failure, HoldOff, Job, JobId, NewJob, NewModel, Origin, Outcome, Policy,
    Registry,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

pub struct Scene {
    /// How often each job began.
    pub begun: Mutex<BTreeMap<JobId, u32>>,
    /// The order in which jobs began.
    pub order: Mutex<Vec<JobId>>,
    /// When, by the steady clock.
    pub starts: Mutex<Vec<Duration>>,
    /// A job that waits at the gate goes on when it gets a permit.
    pub gate: Semaphore,
    /// What was done to the world, by key.
    pub effects: Mutex<Vec<String>>,
    pub running: Mutex<(u32, u32)>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            begun: Mutex::default(),
            order: Mutex::default(),
            starts: Mutex::default(),
            gate: Semaphore::new(0),
            effects: Mutex::default(),
            running: Mutex::default(),
        }
    }
}

impl Scene {
    pub fn begun(&self, id: JobId) -> u32 {
        self.begun.lock().unwrap().get(&id).copied().unwrap_or(0)
    }

    /// How many ran at once, at most.
    pub fn most_at_once(&self) -> u32 {
        self.running.lock().unwrap().1
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Succeed,
    Panic,
    /// Until the gate opens or it is told to stop.
    WaitAtGate,
    /// Does not listen when told to stop.
    Deaf,
    Snooze,
    GiveUp,
    FanOut(u32),
    AskAfter(Vec<JobId>),
    StepThenGate,
    /// Writes down that it was there, and on which attempt.
    GateThenAudit,
    Secret(String),
    /// The first time, asks that its bucket under this limit, or its queue, rests for a minute.
    HoldOff(Option<String>),
    /// Calls a provider that is down the first two times.
    Call,
    /// Takes a model in, makes it the champion and looks at the list.
    Train(Box<NewModel>),
}

struct ActJob(Arc<Scene>);

pub fn register(registry: &mut Registry, scene: &Arc<Scene>) {
    registry.add(ActJob(scene.clone())).add(Quick(scene.clone())).add(Sealed);
}

pub fn act(act: impl std::borrow::Borrow<Act>) -> NewJob {
    NewJob::new("test.act", json!({ "act": act.borrow() }))
}

#[derive(Serialize, Deserialize)]
pub struct ActArgs {
    act: Act,
}

fn policy() -> Policy {
    let first = Duration::from_secs(5);
    Policy::default().max_attempts(3).backoff(Backoff { first, jitter: 0.0, ..Backoff::default() })
}

impl Job for ActJob {
    type Args = ActArgs;
    const KIND: &'static str = "test.act";

    fn policy(&self) -> Policy {
        policy()
    }

    async fn run(&self, args: ActArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let scene = &self.0;
        let id = ctx.job().id;
        let times = {
            let mut begun = scene.begun.lock().unwrap();
            let times = begun.entry(id).or_default();
            *times += 1;
            *times
        };
        scene.order.lock().unwrap().push(id);
        scene.starts.lock().unwrap().push(ctx.clock().steady());
        {
            let mut running = scene.running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        let ended = self.act(args.act, times, ctx).await;
        scene.running.lock().unwrap().0 -= 1;
        ended
    }
}

impl ActJob {
    async fn act(&self, act: Act, times: u32, ctx: &Ctx) -> Result<Outcome, Failure> {
        let scene = &self.0;
        match act {
            Act::Succeed => Ok(Outcome::Completed(Some(json!({ "times": times })))),
            Act::Panic => panic!("at the disco"),
            Act::WaitAtGate => {
                tokio::select! {
                    permit = scene.gate.acquire() => permit.unwrap().forget(),
                    () = ctx.cancelled().cancelled() => ctx.stop_if_cancelled()?,
                }
                Ok(Outcome::done())
            }
            Act::Deaf => std::future::pending().await,
            Act::Snooze if times == 1 => Ok(Outcome::Snooze(Duration::from_secs(60))),
            Act::Snooze => Ok(Outcome::done()),
            Act::GiveUp => Ok(Outcome::Cancelled("nothing to do".into())),
            Act::FanOut(n) => {
                let children = (0..n).map(|_| self::act(Act::Succeed)).collect();
                let ids = ctx.spawn("children", children).await?;
                let ended = ctx.children(&ids).await?;
                match ended.iter().all(|child| child.state == "completed") {
                    true => Outcome::completed(json!({ "children": ended.len() })),
                    false => Ok(Outcome::WaitFor(ids)),
                }
            }
            Act::AskAfter(jobs) => {
                let ended = ctx.children(&jobs).await?;
                let told: Vec<_> = ended.iter().map(|job| json!([job.state, job.result])).collect();
                Outcome::completed(json!({ "told": told }))
            }
            Act::StepThenGate => {
                ctx.step("effect", |key| async move {
                    scene.effects.lock().unwrap().push(key.to_string());
                    Ok::<_, Failure>(())
                })
                .await?;
                ctx.info("the effect is done");
                ctx.progress(1, 2, "at the gate").await;
                scene.gate.acquire().await.unwrap().forget();
                Ok(Outcome::done())
            }
            Act::GateThenAudit => {
                scene.gate.acquire().await.unwrap().forget();
                let entry = AuditEntry {
                    at: None,
                    actor: String::new(),
                    action: "test.act".into(),
                    object: "gate".into(),
                    outcome: "passed".into(),
                    tenant: None,
                    origin: Origin::default(),
                    details: json!({ "attempt": ctx.job().attempt }),
                };
                ctx.audit(entry).await?;
                Ok(Outcome::done())
            }
            Act::HoldOff(limit) if times == 1 => {
                let what = limit.as_deref().map_or(HoldOff::Queue, HoldOff::Limit);
                ctx.hold_off(what, Duration::from_secs(60), "429").await
            }
            Act::HoldOff(_) => Ok(Outcome::done()),
            Act::Call => {
                let down = times <= 2;
                let call =
                    async move { if down { Err(Failure::transient("down")) } else { Ok(Outcome::done()) } };
                ctx.breaker("provider").call(call).await
            }
            Act::Train(model) => {
                let models = ctx.models();
                let added = models.add(ctx, &model).await?;
                let changes = models.promote(ctx, &model.id).await?;
                let found = models.get(&model.id).await.map_err(Failure::transient)?;
                let named = models.named(&model.name).await.map_err(Failure::transient)?;
                Outcome::completed(
                    json!({ "added": added, "changes": changes, "found": found, "named": named }),
                )
            }
            Act::Secret(word) => Err(Failure::permanent(format!("{} letters", word.len()))),
        }
    }
}

/// Has little time.
struct Quick(Arc<Scene>);

impl Job for Quick {
    type Args = ActArgs;
    const KIND: &'static str = "test.quick";

    fn policy(&self) -> Policy {
        policy().timeout(Duration::from_secs(10))
    }

    async fn run(&self, args: ActArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        ActJob(self.0.clone()).run(args, ctx).await
    }
}

/// Encrypted at rest, and it writes its word wherever a job may write.
pub struct Sealed;

#[derive(Serialize, Deserialize)]
pub struct SealedArgs {
    pub word: String,
}

impl Job for Sealed {
    type Args = SealedArgs;
    const KIND: &'static str = "test.sealed";

    fn policy(&self) -> Policy {
        policy().encrypted()
    }

    async fn run(&self, args: SealedArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let said = format!("{} on attempt {}", args.word, ctx.job().attempt);
        let first = ctx.step("say", |_| async { Ok::<_, Failure>(said.clone()) }).await?;
        ctx.info(said.clone());
        ctx.progress(1, 2, said.clone()).await;
        match ctx.job().attempt {
            1 => Err(Failure::transient(said)),
            2 => panic!("{said}"),
            _ => Ok(Outcome::Completed(Some(json!({ "word": args.word, "first": first })))),
        }
    }
}
