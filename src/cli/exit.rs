//! How a command ends: with a number a script can act on, and an error a person can act on.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use engine::audit::sources::SourceError;
use engine::http::TokenError;
use engine::identity::IdentityError;
use engine::limits::usage::LimitError;
use engine::models::ModelError;
use engine::queue::QueueError;
use engine::queue::reviews::ReviewError;
use engine::scheduler::ScheduleError;
use jobkit::ArgsError;
use serde_json::json;
use store::StoreError;

use crate::app::AppError;
use crate::app::outgoing::OutgoingError;
use crate::config::ConfigError;
use crate::demo::DemoError;

/// Documented in `--help`; scripts depend on these, so they are never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Unreachable = 4,
    TimedOut = 5,
}

pub const HELP: &str = "\
Exit codes:
  0  it worked
  1  the work failed: a job waited for was discarded, a check failed, a change was refused
  2  wrong usage, arguments or configuration
  3  not found
  4  the store cannot be reached
  5  timed out";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// What a command says when it cannot do what was asked.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    message: String,
    causes: Vec<String>,
    remedy: Option<String>,
}

pub type Result<T = Exit, E = CliError> = std::result::Result<T, E>;

impl CliError {
    pub fn new(exit: Exit, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), remedy: Some(remedy.into()) }
    }

    pub fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message, remedy)
    }

    /// With the chain of causes; what kind of failure it is, is read off the chain.
    pub fn from_chain(error: impl Into<Cause>) -> Self {
        let error = error.into();
        let (exit, remedy) = judge(&*error);
        let mut causes: Vec<String> = Vec::new();
        let message = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            // An error whose text is its cause's text would be told twice.
            let text = cause.to_string();
            if causes.last().unwrap_or(&message) != &text {
                causes.push(text);
            }
            next = cause.source();
        }
        Self { exit, message, causes, remedy: remedy.map(String::from) }
    }

    /// The same, with another code for scripts.
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub fn remedy_text(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// On one line.
    pub fn with_causes(&self) -> String {
        let causes = self.causes.iter().map(|cause| format!(": {cause}"));
        std::iter::once(self.message.clone()).chain(causes).collect()
    }

    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "error": self.message, "causes": self.causes, "remedy": self.remedy, "exit": self.exit as u8,
        })
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        match &self.remedy {
            Some(remedy) => write!(f, "\nremedy: {remedy}"),
            None => Ok(()),
        }
    }
}

/// The exit code and the remedy that follow from what is deepest known in the chain.
fn judge(error: &(dyn Error + 'static)) -> (Exit, Option<&'static str>) {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return match error {
                StoreError::Database { .. } => (
                    Exit::Unreachable,
                    Some("check store.url and that the database runs; `compline doctor` looks at each part"),
                ),
                StoreError::Busy { .. } => {
                    (Exit::Failed, Some("find who keeps a transaction open, in pg_stat_activity, and end it"))
                }
                StoreError::Unapproved(_) => (Exit::Failed, Some("ask anew: leave --approval out")),
                StoreError::LeaseLost | StoreError::Refused(_) => (Exit::Failed, None),
            };
        }
        if error.is::<ArgsError>() {
            return (Exit::Usage, Some("correct the job and enqueue it again; nothing was enqueued"));
        }
        if error.is::<ConfigError>() {
            return (Exit::Usage, Some("correct the configuration; config/compline.toml lists every key"));
        }
        if error.is::<crate::config::ReferenceError>() || error.is::<engine::seal::KeyError>() {
            return (Exit::Usage, Some("`compline config check` tells whether every secret can be had"));
        }
        next = error.source();
    }
    (Exit::Failed, None)
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::from_chain(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::from_chain(error)
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        Self::from_chain(error)
    }
}

impl From<QueueError> for CliError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Store(error) => error.into(),
            QueueError::Args(error) => Self::from_chain(error),
            QueueError::Invalid { .. } | QueueError::Follower { .. } => {
                Self { exit: Exit::Usage, ..Self::from_chain(error) }
            }
            QueueError::Seal { .. } => {
                let remedy = "`compline config check` tells whether every key can be had";
                Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy(remedy)
            }
        }
    }
}

impl From<IdentityError> for CliError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(error) => error.into(),
            IdentityError::Invalid { .. } => Self { exit: Exit::Usage, ..Self::from_chain(error) },
            IdentityError::Unknown(_) => Self { exit: Exit::NotFound, ..Self::from_chain(error) },
            error => Self::from_chain(error),
        }
    }
}

impl From<ScheduleError> for CliError {
    fn from(error: ScheduleError) -> Self {
        let exit = match &error {
            ScheduleError::Store(_) => return Self::from_chain(error),
            ScheduleError::Unknown(_) => Exit::NotFound,
            ScheduleError::Owned(_)
            | ScheduleError::Taken(_)
            | ScheduleError::Contended(_)
            | ScheduleError::Unreadable { .. } => Exit::Failed,
            ScheduleError::Definition { .. } | ScheduleError::Job { .. } | ScheduleError::Invalid { .. } => {
                Exit::Usage
            }
        };
        let remedy = match &error {
            ScheduleError::Unknown(_) => Some("`compline schedules list` shows them"),
            ScheduleError::Definition { .. } | ScheduleError::Job { .. } => {
                Some("correct the schedule; nothing was changed. config/compline.toml explains each key")
            }
            _ => None,
        };
        let remedy = remedy.map(String::from);
        Self { exit, remedy, ..Self::from_chain(error) }
    }
}

impl From<LimitError> for CliError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Store(error) => error.into(),
            LimitError::Unknown { .. } => Self { exit: Exit::NotFound, ..Self::from_chain(error) },
            LimitError::Invalid { .. } => Self { exit: Exit::Usage, ..Self::from_chain(error) },
        }
    }
}

impl From<ReviewError> for CliError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Store(error) => error.into(),
            ReviewError::Unknown(_) => {
                let remedy = "`compline jobs list` shows the jobs; reviews are kept when a job is deleted";
                Self { exit: Exit::NotFound, ..Self::from_chain(error) }.remedy(remedy)
            }
            ReviewError::NotCompleted { .. } => {
                let remedy = "wait until it has completed; `compline jobs wait` does";
                Self::from_chain(error).remedy(remedy)
            }
            ReviewError::Invalid { .. } | ReviewError::Item { .. } => {
                Self { exit: Exit::Usage, ..Self::from_chain(error) }
                    .remedy("correct it; nothing was written down")
            }
            ReviewError::Seal(_) => {
                let remedy = "`compline config check` tells whether every key can be had";
                Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy(remedy)
            }
        }
    }
}

impl From<ModelError> for CliError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Store(error) => error.into(),
            ModelError::Unknown(_) | ModelError::NoPlace(_) => {
                let remedy = "`compline models list` shows those that there are";
                Self { exit: Exit::NotFound, ..Self::from_chain(error) }.remedy(remedy)
            }
        }
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        match error {
            // Only opening refuses here: the URL names something that cannot be opened.
            AppError::Store(error @ StoreError::Refused(_)) => {
                Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy("correct store.url")
            }
            AppError::Store(error) => error.into(),
            AppError::Key(error) => Self::from_chain(error),
            AppError::Url { key, .. } => {
                Self::from_chain(error).remedy(format!("put the URL where {key} points"))
            }
            AppError::Redis(_) => {
                Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy("correct redis.url")
            }
            AppError::Audit(_) => Self { exit: Exit::Usage, ..Self::from_chain(error) }
                .remedy("put the key where audit.key points"),
            AppError::Trigger(_) => Self { exit: Exit::Usage, ..Self::from_chain(error) },
            AppError::Outgoing(error) => error.into(),
            AppError::Token(error) => error.into(),
            AppError::IdentityKey(error) => Self { exit: Exit::Usage, ..Self::from_chain(error) },
            AppError::Identity(error) => error.into(),
            AppError::Kind(error) => {
                let remedy = "a section [kinds.\"…\"] of the configuration names it; correct or remove that";
                Self::from_chain(error).remedy(remedy)
            }
            AppError::Schedule(error) => error.into(),
            AppError::Panicked(_) => {
                Self::from_chain(error).remedy("start it again, and report the bug with the log around it")
            }
            AppError::Bucket(_) | AppError::Setting { .. } => {
                Self { exit: Exit::Usage, ..Self::from_chain(error) }
            }
        }
    }
}

impl From<OutgoingError> for CliError {
    fn from(error: OutgoingError) -> Self {
        let remedy =
            "correct the configuration; `compline config check` tells whether every secret can be had";
        Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy(remedy)
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        Self { exit: Exit::Usage, ..Self::from_chain(error) }.remedy("put the token where http.token points")
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::App(error) => error.into(),
            DemoError::Queue(error) => error.into(),
            DemoError::File { .. } => {
                Self::from_chain(error).remedy("choose a folder you may write with --dir")
            }
            DemoError::Store(error) => error.into(),
            DemoError::Gone(_) => Self::from_chain(error).remedy("start it again, in another folder (--dir)"),
            DemoError::Stopped => Self::from_chain(error).remedy("start it again; what is there is used"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("enqueueing")]
    struct Enqueueing(#[source] StoreError);

    #[test]
    fn the_chain_decides_the_exit_code_and_is_told_in_full() {
        let cause = StoreError::Database { doing: "inserting jobs", cause: "connection refused".into() };

        let error = CliError::from_chain(Enqueueing(cause));

        assert_eq!(error.exit, Exit::Unreachable);
        let text = error.to_string();
        assert!(
            text.starts_with("error: enqueueing\n  because: inserting jobs\n  because: connection refused")
        );
        assert!(text.contains("\nremedy: check store.url"), "{text}");
    }

    #[test]
    fn what_was_typed_wrong_is_told_from_what_failed() {
        let invalid = ArgsError::Invalid { kind: "k".into(), problem: "missing field `n`".into() };
        assert_eq!(CliError::from_chain(invalid).exit, Exit::Usage);
        assert_eq!(CliError::from_chain(StoreError::Refused("no".into())).exit, Exit::Failed);
    }
}
