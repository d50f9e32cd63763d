//! Built-in kinds for trying things out and for tests: they do nothing, slowly, wrongly, or step by step.

use std::path::PathBuf;
use std::time::Duration;

use jobkit::{Backoff, Ctx, Failure, FailureExt, Job, Outcome, Policy, Registry};
use serde::{Deserialize, Serialize};

pub fn register(registry: &mut Registry) {
    registry.add(Noop).add(Sleep).add(Fail).add(Steps);
}

/// A short first wait, so that trying out a retry does not take an afternoon.
fn policy() -> Policy {
    Policy::default().backoff(Backoff { first: Duration::from_secs(1), ..Backoff::default() })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoArgs {}

pub struct Noop;

impl Job for Noop {
    type Args = NoArgs;
    const KIND: &'static str = "system.noop";

    fn policy(&self) -> Policy {
        policy()
    }

    async fn run(&self, _: NoArgs, _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SleepArgs {
    pub ms: u64,
}

pub struct Sleep;

impl Job for Sleep {
    type Args = SleepArgs;
    const KIND: &'static str = "system.sleep";

    fn policy(&self) -> Policy {
        policy()
    }

    async fn run(&self, args: SleepArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        ctx.sleep(Duration::from_millis(args.ms)).await?;
        Ok(Outcome::done())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailArgs {
    pub message: String,
    /// How many attempts fail before one succeeds; without it all do.
    #[serde(default)]
    pub times: Option<u16>,
    #[serde(default)]
    pub permanent: bool,
}

pub struct Fail;

impl Job for Fail {
    type Args = FailArgs;
    const KIND: &'static str = "system.fail";

    fn policy(&self) -> Policy {
        policy()
    }

    async fn run(&self, args: FailArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        match args.times {
            Some(times) if ctx.job().attempt > times => Ok(Outcome::done()),
            _ if args.permanent => Err(Failure::permanent(args.message)),
            _ => Err(Failure::transient(args.message)),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepsArgs {
    pub n: u32,
    /// How long each step takes.
    #[serde(default)]
    pub ms: u64,
    pub file: PathBuf,
}

/// Each step appends its idempotency key to a file unless it stands there already, as a provider with
/// idempotency keys would: a missing or doubled line is a bug of the engine.
pub struct Steps;

impl Job for Steps {
    type Args = StepsArgs;
    const KIND: &'static str = "system.steps";

    fn policy(&self) -> Policy {
        policy()
    }

    fn check(&self, args: &StepsArgs) -> Result<(), String> {
        match args.n {
            1..=10_000 => Ok(()),
            n => Err(format!("n: {n}; use 1 to 10000")),
        }
    }

    async fn run(&self, args: StepsArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        for step in 1..=args.n {
            let name = format!("step {step}");
            ctx.step(&name, |key| {
                let file = args.file.clone();
                async move {
                    ctx.sleep(Duration::from_millis(args.ms)).await?;
                    ctx.cpu(move |_| append_once(&file, key.as_str())).await?.or_transient()
                }
            })
            .await?;
            if args.ms > 0 {
                ctx.progress(step.into(), args.n.into(), name).await;
            }
        }
        Outcome::completed(serde_json::json!({ "steps": args.n }))
    }
}

/// The look and the append are one action under the file's lock, whichever process does it. A line that a
/// kill cut short is no line: it is completed to one of its own and the key is written again.
fn append_once(path: &std::path::Path, key: &str) -> std::io::Result<()> {
    use std::io::{Read, Write};

    let mut file = std::fs::OpenOptions::new().create(true).append(true).read(true).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if text.split_inclusive('\n').any(|line| line.strip_suffix('\n') == Some(key)) {
        return Ok(());
    }
    let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{start}{key}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use jobkit::testing;

    use super::*;

    #[tokio::test]
    async fn steps_write_each_key_once_whatever_crashes() {
        let args = |file| StepsArgs { n: 3, ms: 0, file };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("twice");
        testing::run_twice(&Steps, &args(path.clone())).await.1.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);

        let path = dir.path().join("crashes");
        let fresh = || {
            // Each crash has a world of its own.
            let _ = std::fs::remove_file(&path);
            (Steps, path.clone())
        };
        let tried = testing::crash_at_every_step(&args(path.clone()), fresh, |_, path| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut keys: Vec<_> = text.lines().collect();
            keys.dedup();
            assert_eq!(keys.len(), 3, "{text}");
        })
        .await
        .unwrap();
        assert_eq!(tried, 6);
    }

    #[test]
    fn a_line_cut_short_is_written_again_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        std::fs::write(&path, "one\ntw").unwrap();

        append_once(&path, "two").unwrap();
        append_once(&path, "two").unwrap();

        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntw\ntwo\n");
    }

    #[tokio::test]
    async fn fail_fails_as_often_as_asked() {
        let bench = testing::Bench::default();
        let args = FailArgs { message: "no".into(), times: Some(1), permanent: false };
        assert!(matches!(bench.run(&Fail, &args, 1).await, Err(Failure::Transient(_))));
        assert_eq!(bench.run(&Fail, &args, 2).await.unwrap(), Outcome::done());
    }
}
