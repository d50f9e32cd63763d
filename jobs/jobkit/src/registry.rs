//! The list of all kinds, and the one place where typed jobs meet untyped rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::args::read;
use crate::evidence::Theme;
use crate::uploads::SCHEME;
use crate::{Ctx, Door, Failure, Job, Outcome, Policy, UploadId};

/// Arguments that the kind cannot take; says which field and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    #[error("unknown kind `{kind}`; known kinds: {known}")]
    UnknownKind { kind: String, known: String },
    #[error("args of `{kind}`: {problem}")]
    Invalid { kind: String, problem: String },
}

/// A job behind its kind's name.
pub trait RegisteredJob: Send + Sync {
    fn check_args(&self, args: &str) -> Result<(), String>;
    /// Of arguments that were checked.
    fn uploads(&self, args: &str) -> Vec<UploadId>;
    fn run<'a>(&'a self, args: &'a str, ctx: &'a Ctx) -> BoxFuture<'a, Result<Outcome, Failure>>;
}

struct Typed<J>(J);

impl<J: Job> Typed<J> {
    fn parse(&self, args: &str) -> Result<J::Args, String> {
        // A job without arguments is enqueued with `null` or `{}`, and both mean the same.
        match read(args) {
            Ok(args) => Ok(args),
            // What is missing is worth more than that `null` is no struct.
            Err(_) if args.trim() == "null" => read("{}"),
            Err(first) if is_empty_object(args) => read("null").map_err(|_| first),
            Err(error) => Err(error),
        }
    }
}

/// However it is written: arguments are kept as they came.
fn is_empty_object(args: &str) -> bool {
    let inside = args.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}

impl<J: Job> RegisteredJob for Typed<J> {
    fn check_args(&self, args: &str) -> Result<(), String> {
        self.0.check(&self.parse(args)?)
    }

    fn uploads(&self, args: &str) -> Vec<UploadId> {
        // Hardly any job names one, and each is enqueued by this way. What hides the word in escapes is found when it runs.
        if !args.contains(SCHEME) {
            return Vec::new();
        }
        self.parse(args).map(|args| self.0.uploads(&args)).unwrap_or_default()
    }

    fn run<'a>(&'a self, args: &'a str, ctx: &'a Ctx) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            // A row that cannot be read is a failed attempt of that job, never the worker's end. A newer version of the
            // program may have written it, and may be the one that tries next.
            let args = self.parse(args).map_err(|problem| {
                Failure::transient(format!("args cannot be read as {}: {problem}", J::KIND))
            })?;
            self.0.run(args, ctx).await
        })
    }
}

#[derive(Clone)]
pub struct KindInfo {
    pub kind: &'static str,
    pub policy: Arc<Policy>,
    pub job: Arc<dyn RegisteredJob>,
}

#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, KindInfo>,
    doors: BTreeMap<&'static str, Arc<dyn Door>>,
    rules: Vec<&'static str>,
    themes: Vec<&'static Theme>,
}

impl Registry {
    /// Adds a kind. Two jobs with one kind would make which of them runs a matter of luck.
    ///
    /// # Panics
    /// When the kind is already there: a mistake in the program, found at its first start.
    pub fn add<J: Job>(&mut self, job: J) -> &mut Self {
        let policy = Arc::new(job.policy());
        let info = KindInfo { kind: J::KIND, policy, job: Arc::new(Typed(job)) };
        let earlier = self.kinds.insert(J::KIND, info);
        assert!(earlier.is_none(), "kind `{}` is registered twice", J::KIND);
        self
    }

    /// Adds a place where a provider delivers.
    ///
    /// # Panics
    /// When there is one of the name, as with kinds.
    pub fn add_door(&mut self, door: Arc<dyn Door>) -> &mut Self {
        let name = door.name();
        let earlier = self.doors.insert(name, door);
        assert!(earlier.is_none(), "door `{name}` is registered twice");
        self
    }

    pub fn door(&self, name: &str) -> Option<&Arc<dyn Door>> {
        self.doors.get(name)
    }

    /// By name.
    pub fn doors(&self) -> impl Iterator<Item = &Arc<dyn Door>> {
        self.doors.values()
    }

    /// Adds a rule of alerts that jobs of the family raise; routes may name it.
    pub fn add_rule(&mut self, rule: &'static str) -> &mut Self {
        self.rules.push(rule);
        self
    }

    pub fn rules(&self) -> &[&'static str] {
        &self.rules
    }

    /// Adds what the family says in the evidence pack.
    ///
    /// # Panics
    /// When there is one of the id, as with kinds.
    pub fn add_theme(&mut self, theme: &'static Theme) -> &mut Self {
        let is_there = self.themes.iter().any(|earlier| earlier.id == theme.id);
        assert!(!is_there, "theme `{}` is registered twice", theme.id);
        self.themes.push(theme);
        self
    }

    pub fn themes(&self) -> &[&'static Theme] {
        &self.themes
    }

    pub fn get(&self, kind: &str) -> Option<&KindInfo> {
        self.kinds.get(kind)
    }

    pub fn kinds(&self) -> impl Iterator<Item = &KindInfo> {
        self.kinds.values()
    }

    /// Replaces what the family said about a kind by what the configuration says.
    pub fn override_policy(&mut self, kind: &str, change: impl FnOnce(&mut Policy)) -> Result<(), ArgsError> {
        match self.kinds.get_mut(kind) {
            Some(info) => {
                change(Arc::make_mut(&mut info.policy));
                Ok(())
            }
            None => Err(self.unknown(kind)),
        }
    }

    /// The door: what passes here can be parsed by the job that will run it.
    pub fn check_args(&self, kind: &str, args: &str) -> Result<&KindInfo, ArgsError> {
        let info = self.get(kind).ok_or_else(|| self.unknown(kind))?;
        match info.job.check_args(args) {
            Ok(()) => Ok(info),
            Err(problem) => Err(ArgsError::Invalid { kind: kind.into(), problem }),
        }
    }

    fn unknown(&self, kind: &str) -> ArgsError {
        let known: Vec<_> = self.kinds.keys().copied().collect();
        ArgsError::UnknownKind { kind: kind.into(), known: known.join(", ") }
    }
}
