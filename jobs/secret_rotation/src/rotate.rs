//! The job `secret_rotation.rotate`: one secret, from a new value to the proof that the old one is dead.
//!
//! Wanted and actual are compared at each step, and a step that is done already is passed over, so that it does not matter where an earlier attempt died. The
//! new value is in the store before anybody is told of it; it is tried as a client would before readers get it; and the old one goes when nobody uses it any more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::{Backoff, Ctx, Failure, Gravity, Job, News, Outcome, Policy, SecretString, Unique};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::managed::{Managed, Secrets};
use crate::phase::{Leave, Phase, Use, leave};
use crate::run::{self, Kept, Run, Step};
use crate::secret::VersionId;
use crate::store::Put;
use crate::target::{InUse, TargetError, Verdict};

/// The alert of a rotation that waits for a person.
pub const STUCK: &str = "secret_rotation.stuck";
/// So many values are tried on a target that takes none.
const VALUES: u32 = 3;
/// Somebody else goes on with it.
const BUSY: Duration = Duration::from_secs(2);
/// A rotation that fails so often for a while is told of, though it is tried on.
const LATE: u16 = 5;
/// A credential that is still used is looked at again after a tenth of its grace, and after so long at most.
const LOOK: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateArgs {
    /// One of `[secret_rotation.secrets]`.
    pub name: String,
    /// Somebody else may know it: no grace, and sessions of the old value are ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compromised: bool,
    /// A version that somebody left pending in the store, and that a person says is nobody's: it is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_pending: Option<VersionId>,
}

pub struct Rotate {
    pub secrets: Secrets,
}

/// The job's result: what an auditor asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    pub name: String,
    pub run: u64,
    pub version: VersionId,
    pub state: String,
    pub published_at: Option<Timestamp>,
    /// When the old one was seen to be refused.
    pub old_refused_at: Option<Timestamp>,
}

impl Job for Rotate {
    type Args = RotateArgs;
    const KIND: &'static str = "secret_rotation.rotate";

    fn policy(&self) -> Policy {
        Policy::default()
            .queue("secret_rotation")
            // About a day of a target that is away.
            .max_attempts(300)
            .backoff(Backoff { longest: Duration::from_secs(300), ..Backoff::default() })
            .unique(Unique::by_args())
            .timeout(Duration::from_secs(300))
    }

    fn check(&self, args: &RotateArgs) -> Result<(), String> {
        match self.secrets.named(&args.name) {
            Some(_) => Ok(()),
            None => Err(
                "name: no secret of [secret_rotation.secrets] is called so; `compline secrets list` has them"
                    .into(),
            ),
        }
    }

    async fn run(&self, args: RotateArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        self.check(&args).map_err(Failure::permanent)?;
        if ctx.job().tenant.is_some() {
            return Err(Failure::permanent(
                "secret_rotation.rotate is for the installation, and not for a tenant",
            ));
        }
        let Some(managed) = self.secrets.named(&args.name) else {
            return Err(Failure::permanent("no such secret"));
        };
        let number = number(managed, &args, ctx).await?;
        loop {
            let Some(kept) = begun(managed, &args, ctx, number).await? else {
                return Ok(Outcome::Snooze(BUSY));
            };
            let run = kept.run.number;
            if run > number {
                let told = format!("the rotation {number} is over, and {run} was begun since");
                return Ok(Outcome::Cancelled(told));
            }
            let outcome = Rotation { ctx, managed, secrets: &self.secrets, args: &args, kept }.go().await?;
            // What is over may be the one before: it is ended first, and then ours begins.
            if run >= number || !matches!(outcome, Outcome::Completed(_)) {
                return Ok(outcome);
            }
        }
    }
}

/// The rotation that this job is about. It keeps that for itself: another job may have brought it to its end meanwhile.
async fn number(managed: &Managed, args: &RotateArgs, ctx: &Ctx) -> Result<u64, Failure> {
    let known = ctx.records().get(ctx, &run::id(&managed.name)).await?.map(Kept::of).transpose()?;
    let number = wanted(known.as_ref(), args.compromised);
    ctx.step("run", async |_| Ok::<_, Failure>(number)).await
}

/// The one that is under way, or the next.
fn wanted(known: Option<&Kept>, is_compromised: bool) -> u64 {
    let Some(kept) = known else { return 1 };
    let is_over = kept.phase.is_over() || kept.run.goes_on == Some(Phase::RolledBack);
    // Readers have its value, which may be the one that somebody else knows.
    let is_known = is_compromised && kept.run.published_at.is_some();
    kept.run.number + u64::from(is_over || is_known)
}

/// The record with the run that is under way, or with the next one; none when another attempt has it.
async fn begun(
    managed: &Managed,
    args: &RotateArgs,
    ctx: &Ctx,
    number: u64,
) -> Result<Option<Kept>, Failure> {
    let id = run::id(&managed.name);
    let held = ctx.records().hold(ctx, &id).await?.map(Kept::of).transpose()?;
    let Some(mut kept) = held else {
        if ctx.records().get(ctx, &id).await?.is_some() {
            return Ok(None);
        }
        return begin(managed, args, ctx, (number, 0)).await.map(Some);
    };
    if kept.phase == Phase::NeedsHuman {
        go_on(managed, &mut kept, ctx).await?;
    }
    if kept.phase.is_over() && kept.run.number < number {
        return begin(managed, args, ctx, (number, kept.record.version)).await.map(Some);
    }
    if args.compromised && !kept.run.compromised && !kept.phase.is_over() && kept.run.number <= number {
        kept.run.compromised = true;
        kept.write(ctx, Step::to(kept.phase, "secret_rotation.compromised")).await?;
    }
    Ok(Some(kept))
}

/// A person was asked. Whoever asks for the rotation again has dealt with it; a job that was waiting already comes to the same question again.
async fn go_on(managed: &Managed, kept: &mut Kept, ctx: &Ctx) -> Result<(), Failure> {
    let to = kept.run.goes_on.take().unwrap_or(Phase::Planned);
    kept.run.problem = None;
    if to != Phase::RolledBack {
        return kept.write(ctx, Step::to(to, "secret_rotation.resume")).await;
    }
    // Readers get another one. Should it be current after all, the store keeps it.
    managed.store.forget(&managed.path, &kept.run.to).await?;
    kept.write(ctx, Step::to(to, "secret_rotation.roll_back")).await
}

async fn begin(
    managed: &Managed,
    args: &RotateArgs,
    ctx: &Ctx,
    (number, version): (u64, u64),
) -> Result<Kept, Failure> {
    let labels = managed.store.labels(&managed.path).await?;
    let mut run = Run::new(&managed.name, number, labels.current, ctx.clock().now());
    run.compromised = args.compromised;
    let told = json!({ "target": managed.target.name(), "compromised": run.compromised });
    let step = Step::to(Phase::Planned, "secret_rotation.plan").details(told);
    run::put(ctx, run::id(&managed.name), version, &run, step).await
}

struct Rotation<'a> {
    ctx: &'a Ctx,
    managed: &'a Managed,
    secrets: &'a Secrets,
    args: &'a RotateArgs,
    kept: Kept,
}

impl Rotation<'_> {
    async fn go(mut self) -> Result<Outcome, Failure> {
        loop {
            self.ctx.stop_if_cancelled()?;
            let phase = self.kept.phase;
            match self.next().await {
                Ok(None) => {}
                Ok(Some(outcome)) => return Ok(outcome),
                // Trying again is of no use, but whoever mends it can have it go on from here.
                Err(failure @ Failure::Permanent(_)) if phase != Phase::NeedsHuman => {
                    self.ask(failure.chain(), phase).await?;
                }
                Err(failure @ Failure::Transient(_)) if self.ctx.job().attempt == LATE => {
                    self.late().await?;
                    return Err(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// One step, or how the attempt ends.
    async fn next(&mut self) -> Result<Option<Outcome>, Failure> {
        match self.kept.phase {
            Phase::Planned => self.create().await?,
            Phase::Created => self.set().await?,
            Phase::Set => self.test().await?,
            Phase::Tested => self.publish().await?,
            Phase::Published => self.overlap().await?,
            Phase::Overlap => return Ok(self.retire().await?.map(Outcome::Snooze)),
            Phase::Retired => self.finish().await?,
            Phase::Done | Phase::RolledBack => return self.result().map(Some),
            Phase::NeedsHuman => {
                let problem = self.kept.run.problem.clone().unwrap_or_default();
                return Err(Failure::permanent(problem));
            }
        }
        Ok(None)
    }

    fn result(&self) -> Result<Outcome, Failure> {
        let run = &self.kept.run;
        Outcome::completed(Rotated {
            name: self.managed.name.clone(),
            run: run.number,
            version: run.to.clone(),
            state: self.kept.phase.name().into(),
            published_at: run.published_at,
            old_refused_at: run.retired_at,
        })
    }

    async fn step(&mut self, step: Step) -> Result<(), Failure> {
        self.kept.write(self.ctx, step).await
    }

    async fn value_of(&self, version: &VersionId) -> Result<Option<SecretString>, Failure> {
        Ok(self.managed.store.read(&self.managed.path, version).await?)
    }

    /// The value that this run is about; none when the store has lost it, and a person was asked.
    async fn new_value(&mut self) -> Result<Option<SecretString>, Failure> {
        let (name, to) = (&self.managed.name, self.kept.run.to.clone());
        let found = self.value_of(&to).await?;
        if found.is_none() {
            let problem = format!(
                "the store has lost the version {to}; bring it back, or `compline secrets rotate {name}` begins another rotation"
            );
            self.ask(problem, Phase::RolledBack).await?;
        }
        Ok(found)
    }

    async fn old_value(&self) -> Result<Option<SecretString>, Failure> {
        match &self.kept.run.from {
            Some(from) => self.value_of(from).await,
            None => Ok(None),
        }
    }

    async fn create(&mut self) -> Result<(), Failure> {
        let (store, path) = (&self.managed.store, &self.managed.path);
        let to = self.kept.run.to.clone();
        if self.value_of(&to).await?.is_none() {
            let current = self.old_value().await?;
            let value = self.managed.target.make(current.as_ref(), &*self.secrets.randomness)?;
            if let Put::Other(other) = store.put_pending(path, &to, &value).await? {
                if self.args.clear_pending.as_ref() != Some(&other) {
                    return self.foreign(other).await;
                }
                store.forget(path, &other).await?;
                let told = json!({ "cleared": other });
                // It is planned still, and made at the next turn.
                return self
                    .step(Step::to(Phase::Planned, "secret_rotation.clear_pending").details(told))
                    .await;
            }
        }
        self.step(Step::to(Phase::Created, "secret_rotation.create")).await
    }

    /// Somebody else began a rotation and left it. A value that the target lets in is as good as one of ours.
    async fn foreign(&mut self, other: VersionId) -> Result<(), Failure> {
        let is_let_in = match &self.value_of(&other).await? {
            Some(value) => match self.managed.target.test(value).await {
                Ok(verdict) => verdict == Verdict::Accepted,
                Err(TargetError::Value { .. } | TargetError::Refused { .. }) => false,
                Err(problem) => return Err(problem.into()),
            },
            None => false,
        };
        if is_let_in {
            self.kept.run.to = other;
            return self.step(Step::to(Phase::Created, "secret_rotation.adopt")).await;
        }
        let name = &self.managed.name;
        let problem = format!(
            "the version {other} is pending in the store, is not ours, and is not let in; if nobody is about to use it, \
             `compline secrets rotate {name} --clear-pending {other}` destroys it and goes on"
        );
        self.ask(problem, Phase::Planned).await
    }

    async fn set(&mut self) -> Result<(), Failure> {
        let Some(new) = self.new_value().await? else { return Ok(()) };
        let old = self.old_value().await?;
        if self.managed.target.test(&new).await? == Verdict::Refused {
            match self.managed.target.set(&new, old.as_ref()).await {
                Ok(()) => {}
                Err(problem @ TargetError::Value { .. }) => return self.another(&problem).await,
                Err(problem) => return Err(problem.into()),
            }
        }
        self.step(Step::to(Phase::Set, "secret_rotation.set")).await
    }

    /// The target does not take this value. Nobody has got it, so another is made.
    async fn another(&mut self, problem: &TargetError) -> Result<(), Failure> {
        self.managed.store.forget(&self.managed.path, &self.kept.run.to).await?;
        let run = &mut self.kept.run;
        run.refused += 1;
        run.to = VersionId::of(&self.managed.name, run.number, run.began_at, run.refused);
        if run.refused.is_multiple_of(VALUES) {
            let told = format!("{problem}; so it is with {VALUES} values");
            return self.ask(told, Phase::Planned).await;
        }
        self.step(Step::to(Phase::Planned, "secret_rotation.value_refused")).await
    }

    async fn test(&mut self) -> Result<(), Failure> {
        let Some(new) = self.new_value().await? else { return Ok(()) };
        match self.managed.target.test(&new).await? {
            Verdict::Accepted => self.step(Step::to(Phase::Tested, "secret_rotation.test")).await,
            // Somebody has changed it since. It is set again.
            Verdict::Refused => {
                self.step(Step::to(Phase::Created, "secret_rotation.test_failed")).await?;
                let target = self.managed.target.name();
                Err(Failure::transient(format!("{target} refuses the new value that it was given")))
            }
        }
    }

    async fn publish(&mut self) -> Result<(), Failure> {
        let (store, path) = (&self.managed.store, &self.managed.path);
        let Run { from, to, .. } = &self.kept.run;
        if store.labels(path).await?.current.as_ref() != Some(to)
            && !store.publish(path, from.as_ref(), to).await?
        {
            // The answer to an earlier call may have been lost.
            let current = store.labels(path).await?.current;
            if current.as_ref() != Some(to) {
                let current = current.map_or_else(|| "none".to_owned(), |version| version.to_string());
                let problem = format!(
                    "somebody else published the version {current} while this one was made; `compline secrets rotate {}` begins another \
                     rotation from there",
                    self.managed.name
                );
                return self.ask(problem, Phase::RolledBack).await;
            }
        }
        self.kept.run.published_at = Some(self.ctx.clock().now());
        self.step(Step::to(Phase::Published, "secret_rotation.publish")).await
    }

    async fn overlap(&mut self) -> Result<(), Failure> {
        let until = self.until(self.grace());
        self.step(Step::to(Phase::Overlap, "secret_rotation.overlap").due(until)).await
    }

    /// Without an overlap at the target there is nothing to wait for.
    fn grace(&self) -> Duration {
        let none = self.kept.run.compromised || !self.managed.target.has_overlap();
        if none { Duration::ZERO } else { self.managed.grace }
    }

    fn until(&self, wait: Duration) -> Option<Timestamp> {
        let wait = SignedDuration::try_from(wait).ok()?;
        self.kept.run.published_at?.checked_add(wait).ok()
    }

    /// How long to wait, or none when it went on.
    async fn retire(&mut self) -> Result<Option<Duration>, Failure> {
        let Some(new) = self.new_value().await? else { return Ok(None) };
        // A store that was set back gives readers what is about to die.
        let current = self.managed.store.labels(&self.managed.path).await?.current;
        if current.as_ref() != Some(&self.kept.run.to) {
            let (name, current) =
                (&self.managed.name, current.map_or_else(|| "none".to_owned(), |it| it.to_string()));
            let problem = format!(
                "the version that readers get is {current}, and not the one that was published; nothing was retired, and \
                 `compline secrets rotate {name}` begins another rotation from there"
            );
            return self.ask(problem, Phase::RolledBack).await.map(|()| None);
        }
        let Some(old) = self.old_value().await? else {
            // There was none, or the store has lost it: then nobody can be shown to be refused.
            return self.retired(false, 0).await.map(|()| None);
        };
        let now = self.ctx.clock().now();
        let until = self.until(self.grace()).unwrap_or(now);
        if now < until && !self.kept.run.compromised {
            return Ok(Some(Duration::try_from(until.duration_since(now)).unwrap_or(LOOK)));
        }
        let used = self.managed.target.in_use(&old).await?;
        let (sessions, who) = match &used {
            InUse::By { count, who } => (Some(*count), who.join(", ")),
            InUse::Unknown => (None, String::new()),
        };
        let seen = Use {
            sessions,
            grace_is_over: true,
            max_grace_is_over: self.until(self.managed.max_grace).is_none_or(|until| now >= until),
            is_compromised: self.kept.run.compromised,
        };
        let mut ended = 0;
        match leave(self.managed.adoption, seen) {
            Leave::Wait | Leave::Extend => {
                let told =
                    format!("the old value is still used by {} sessions ({who})", sessions.unwrap_or(0));
                self.ctx.info(told);
                return Ok(Some((self.managed.grace / 10).clamp(Duration::from_secs(1), LOOK)));
            }
            Leave::Ask => {
                let (name, sessions) = (&self.managed.name, sessions.unwrap_or(0));
                let problem = format!(
                    "the old value is used by {sessions} sessions ({who}) after its longest grace; have them read the new one, or write \
                     adoption = \"cut\" to have them ended, and `compline secrets rotate {name}` goes on"
                );
                return self.ask(problem, Phase::Overlap).await.map(|()| None);
            }
            Leave::Retire { cut } => {
                // Also what is refused already: it may live under another name.
                self.managed.target.retire(&old, &new).await?;
                if cut {
                    ended = self.managed.target.cut(&old).await?;
                }
            }
        }
        // Proof, and not hope.
        if self.managed.target.test(&old).await? == Verdict::Accepted {
            let target = self.managed.target.name();
            return Err(Failure::transient(format!("{target} lets the old value in after it was retired")));
        }
        self.retired(true, ended).await.map(|()| None)
    }

    async fn retired(&mut self, is_seen: bool, sessions_ended: u64) -> Result<(), Failure> {
        self.kept.run.retired_at = is_seen.then(|| self.ctx.clock().now());
        let told =
            json!({ "old": self.kept.run.from, "old_is_refused": is_seen, "sessions_ended": sessions_ended });
        self.step(Step::to(Phase::Retired, "secret_rotation.retire").details(told)).await
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        if let Some(old) = self.kept.run.from.clone() {
            self.managed.store.forget(&self.managed.path, &old).await?;
        }
        let next = SignedDuration::try_from(self.managed.every).ok();
        let next = next.and_then(|every| self.kept.run.published_at?.checked_add(every).ok());
        let text = format!("the secret `{}` is rotated", self.managed.name);
        let ended = News::ended(STUCK, &self.managed.name, text);
        self.step(Step::to(Phase::Done, "secret_rotation.done").due(next).news([ended])).await
    }

    /// A person has to decide, and is told. Whoever asks for the rotation again has it go on there.
    async fn ask(&mut self, problem: String, goes_on: Phase) -> Result<(), Failure> {
        self.kept.run.problem = Some(problem);
        self.kept.run.goes_on = Some(goes_on);
        let name = &self.managed.name;
        let text = format!(
            "the rotation of the secret `{name}` waits for a person; `compline secrets show {name}` says for what"
        );
        let news = News::began(STUCK, name, Gravity::Critical, text);
        self.step(Step::to(Phase::NeedsHuman, "secret_rotation.ask").news([news])).await
    }

    async fn late(&mut self) -> Result<(), Failure> {
        let (name, job) = (&self.managed.name, self.ctx.job().id);
        let text = format!(
            "the rotation of the secret `{name}` fails again and again; `compline jobs show {job}` says why"
        );
        let news = News::began(STUCK, name, Gravity::Warning, text);
        self.step(Step::to(self.kept.phase, "secret_rotation.late").news([news])).await
    }
}

#[cfg(test)]
mod tests;
