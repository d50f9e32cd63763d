//! Built-in kinds for trying things out and for tests: they do nothing, slowly, wrongly, or step by step.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jobkit::{Backoff, Ctx, Failure, FailureExt, Job, Outcome, Policy, Registry};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders in which `system.steps` may write. Whoever may enqueue a job names the file that the worker opens,
    /// so there are none until an operator has thought of it.
    pub roots: Vec<PathBuf>,
}

pub fn register(registry: &mut Registry, config: Config) {
    registry.add(Noop).add(Sleep).add(Fail).add(Steps { roots: config.roots });
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
        let began_at = ctx.clock().now();
        ctx.sleep(Duration::from_millis(args.ms)).await?;
        Outcome::completed(json!({ "began_at": began_at, "ended_at": ctx.clock().now() }))
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
    /// It panics with the message instead of returning it.
    #[serde(default)]
    pub panic: bool,
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
            _ if args.panic => panic!("{}", args.message),
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
    /// Below one of the configured roots; it is made if it is not there.
    pub file: PathBuf,
}

/// Each step appends its idempotency key to a file unless it stands there already, as a provider with
/// idempotency keys would: a missing or doubled line is a bug of the engine.
pub struct Steps {
    roots: Vec<PathBuf>,
}

/// Each step reads the whole file to see what stands there.
const LONGEST_FILE: u64 = 16 << 20;

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
        let file = self.within(&args.file)?;
        for step in 1..=args.n {
            let name = format!("step {step}");
            ctx.step(&name, |key| {
                let file = file.clone();
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

impl Steps {
    /// The file as it is opened: without links, below a root.
    fn within(&self, file: &Path) -> Result<PathBuf, Failure> {
        jobkit::roots::within(file, &self.roots).or_transient()?.ok_or_else(|| {
            Failure::permanent(format!(
                "file: {} is in no folder of system.roots; name one that is, or add its folder there",
                file.display()
            ))
        })
    }
}

/// The look and the append are one action under the file's lock, whichever process does it. A line that a
/// kill cut short is no line: it is completed to one of its own and the key is written again.
fn append_once(path: &Path, key: &str) -> io::Result<()> {
    let mut file = open_regular(path)?;
    file.lock()?;
    let mut text = String::new();
    if (&file).take(LONGEST_FILE + 1).read_to_string(&mut text)? as u64 > LONGEST_FILE {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "the file is too long to look for a key in it"));
    }
    if text.split_inclusive('\n').any(|line| line.strip_suffix('\n') == Some(key)) {
        return Ok(());
    }
    let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{start}{key}\n").as_bytes())
}

/// A file or a new one, and not what waits when it is opened or never ends when it is read.
fn open_regular(path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(ErrorKind::InvalidInput, "it is no regular file");
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => return Err(refused()),
        _ => {}
    }
    let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    // It may have been another a moment ago.
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use jobkit::{StepKey, testing};

    use super::*;

    fn steps(root: &Path) -> Steps {
        Steps { roots: vec![root.into()] }
    }

    fn args(file: &Path) -> StepsArgs {
        StepsArgs { n: 3, ms: 0, file: file.into() }
    }

    #[tokio::test]
    async fn steps_write_the_key_of_each_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let bench = testing::Bench::default();

        bench.run(&steps(dir.path()), &args(&path), 1).await.unwrap();

        let keys = (1..=3).map(|step| format!("{}\n", StepKey::derive(bench.id, &format!("step {step}"))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), keys.collect::<String>());
    }

    /// As they stand in the file: it was once looked at with doubled lines left out.
    #[track_caller]
    fn assert_three_keys_once_each(path: &Path) {
        let text = std::fs::read_to_string(path).unwrap();
        let keys: std::collections::BTreeSet<_> = text.lines().collect();
        assert_eq!((text.lines().count(), keys.len()), (3, 3), "{text}");
    }

    #[tokio::test]
    async fn steps_write_each_key_once_whatever_crashes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("twice");
        testing::run_twice(&steps(dir.path()), &args(&path)).await.1.unwrap();
        assert_three_keys_once_each(&path);

        let path = dir.path().join("crashes");
        let fresh = || {
            // Each crash has a world of its own.
            let _ = std::fs::remove_file(&path);
            (steps(dir.path()), path.clone())
        };
        let tried = testing::crash_at_every_step(&args(&path), fresh, |_, path| {
            assert_three_keys_once_each(path);
        })
        .await
        .unwrap();
        assert_eq!(tried, 6);
    }

    #[tokio::test]
    async fn steps_write_only_below_the_roots_and_only_to_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("root/folder")).unwrap();
        std::fs::write(at("secret"), "").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("root/link")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("root/socket")).unwrap();
        File::create(at("root/long")).unwrap().set_len(LONGEST_FILE + 1).unwrap();

        for (file, why) in [
            (at("secret"), "system.roots"),
            (at("root/../secret"), "system.roots"),
            (at("root/link"), "system.roots"),
            ("/dev/zero".into(), "system.roots"),
            (at("root/folder"), "no regular file"),
            (at("root/socket"), "no regular file"),
            (at("root/long"), "too long"),
        ] {
            let failure = testing::run(&steps(&at("root")), &args(&file)).await.unwrap_err();
            assert!(failure.chain().contains(why), "{}: {}", file.display(), failure.chain());
        }
        drop(socket);
        assert_eq!(std::fs::read_to_string(at("secret")).unwrap(), "");
        let nowhere = Steps { roots: Vec::new() };
        assert!(testing::run(&nowhere, &args(&at("root/new"))).await.is_err());
        testing::run(&steps(&at("root")), &args(&at("root/new"))).await.unwrap();
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
        let args = FailArgs { message: "no".into(), times: Some(1), permanent: false, panic: false };
        assert!(matches!(bench.run(&Fail, &args, 1).await, Err(Failure::Transient(_))));
        assert_eq!(bench.run(&Fail, &args, 2).await.unwrap(), Outcome::done());
    }
}
