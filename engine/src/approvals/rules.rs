//! Which actions and kinds demand an approval, as the configuration says; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{Permission, Permissions};
use crate::units::duration;
use store::{ApprovalRow, Change, Demand, Role};

macro_rules! actions {
    ($($(#[$doc:meta])* $one:ident $text:literal;)+) => {
        /// What can demand an approval.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $one,)+
        }

        impl Action {
            pub const ALL: &[Action] = &[$(Action::$one),+];

            pub fn name(self) -> &'static str {
                match self { $(Action::$one => $text,)+ }
            }
        }
    };
}

actions! {
    /// A job of one of the kinds runs, whichever door it came by.
    JobsRun "jobs.run";
    /// By a person, one job or many.
    JobsRetry "jobs.retry";
    JobsCancel "jobs.cancel";
    JobsDiscard "jobs.discard";
    LimitsPause "limits.pause";
    LimitsResume "limits.resume";
    ModelsPromote "models.promote";
    UsersCreate "users.create";
    UsersSetRole "users.set_role";
    /// Whoever gives somebody a password can sign in as him.
    UsersResetPassword "users.reset_password";
    UsersResetTotp "users.reset_totp";
    TokensCreate "tokens.create";
    AuditRedact "audit.redact";
}

impl Action {
    pub fn of(change: Change) -> Self {
        match change {
            Change::Retry => Self::JobsRetry,
            Change::Cancel => Self::JobsCancel,
            Change::Discard => Self::JobsDiscard,
        }
    }

    /// It is about jobs, and so may be about those of some kinds alone.
    pub fn has_kinds(self) -> bool {
        matches!(self, Self::JobsRun | Self::JobsRetry | Self::JobsCancel | Self::JobsDiscard)
    }
}

/// What is to be done to somebody who now votes on it.
pub fn is_about(approval: &ApprovalRow, voter: &str) -> bool {
    let actions = [Action::UsersSetRole, Action::UsersResetPassword, Action::UsersResetTotp];
    let what: serde_json::Value = serde_json::from_str(&approval.what).unwrap_or_default();
    let user = what.get("user").and_then(serde_json::Value::as_str);
    actions.iter().any(|action| approval.action == action.name())
        && user.is_some_and(|user| voter.strip_prefix("user:") == Some(user))
}

impl std::str::FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().copied().find(|one| one.name() == text);
        found.ok_or_else(|| format!("`{text}` is no action that can demand an approval: {}", known()))
    }
}

/// What one action demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// One or two, beside whoever asks.
    pub people: u8,
    /// What each of them has.
    pub permission: String,
    /// Of jobs of these kinds alone; none is all, save for `jobs.run`, which names its kinds.
    pub kinds: Vec<String>,
    /// How long there is to give it and to use it.
    #[serde(with = "duration")]
    pub expires: Duration,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            people: 1,
            permission: Permission::ApprovalsGive.name().into(),
            kinds: Vec::new(),
            expires: Duration::from_secs(3 * 86_400),
        }
    }
}

const LONGEST: Duration = Duration::from_secs(366 * 86_400);
const SHORTEST: Duration = Duration::from_secs(60);

/// By the name of the action. Nothing demands one by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub BTreeMap<String, Rule>);

impl Rules {
    /// What is demanded before this is done to jobs of these kinds, if anything is.
    pub fn demand(&self, action: Action, kinds: &[String]) -> Option<Demand> {
        let rule = self.0.get(action.name())?;
        let all = rule.kinds.is_empty() && action != Action::JobsRun;
        let named = || kinds.iter().any(|kind| rule.kinds.contains(kind));
        (all || named()).then(|| Demand {
            people: rule.people,
            permission: rule.permission.clone(),
            expires: rule.expires,
        })
    }

    /// Whether anything of this sort may demand one.
    pub fn names(&self, action: Action) -> bool {
        self.0.contains_key(action.name())
    }

    /// What is demanded before a job of this kind runs.
    pub fn of_kind(&self, kind: &str) -> Option<Demand> {
        self.demand(Action::JobsRun, &[kind.to_owned()])
    }

    /// What is wrong with them, each with the keys below `approvals` that are to be mended. `internal` says of a kind that
    /// nobody enqueues it by its name.
    pub fn problems(&self, kinds: &[&str], internal: impl Fn(&str) -> bool) -> Vec<(Vec<String>, String)> {
        let mut found = Vec::new();
        for (name, rule) in &self.0 {
            let action = match name.parse::<Action>() {
                Ok(action) => action,
                Err(problem) => {
                    found.push((vec![name.clone()], problem));
                    continue;
                }
            };
            let mut add = |key: &str, problem: String| found.push((vec![name.clone(), key.into()], problem));
            if !(1..=2).contains(&rule.people) {
                add("people", format!("{}; use 1 or 2", rule.people));
            }
            if let Err(problem) = rule.permission.parse::<Permission>() {
                add("permission", problem);
            }
            if !(SHORTEST..=LONGEST).contains(&rule.expires) {
                add("expires", "must be from \"1m\" to \"366d\"; the default is \"3d\"".into());
            }
            if action == Action::JobsRun && rule.kinds.is_empty() {
                add("kinds", "name the kinds whose jobs wait; without one, none does".into());
            }
            if !action.has_kinds() && !rule.kinds.is_empty() {
                add("kinds", format!("{name} is not about jobs; leave it out"));
            }
            for kind in &rule.kinds {
                if !kinds.contains(&kind.as_str()) {
                    add("kinds", format!("there is no kind `{kind}`"));
                } else if action == Action::JobsRun && internal(kind) {
                    add("kinds", crate::queue::problem_of_internal(kind));
                }
            }
        }
        found
    }

    /// Permissions that each action asks of those who vote, with how many people it wants.
    pub fn wanted(&self) -> impl Iterator<Item = (&str, u8, Permission)> {
        self.0
            .iter()
            .filter_map(|(name, rule)| Some((name.as_str(), rule.people, rule.permission.parse().ok()?)))
    }
}

/// Whether a user of this role could vote where this is asked for.
pub fn may_give(role: Role, permission: Permission) -> bool {
    Permissions::of_role(role).has(permission)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_is_demanded_unless_it_is_named() {
        let rules = rules(
            r#"
            "jobs.run" = { kinds = ["a", "b"], people = 2 }
            "jobs.retry" = { kinds = ["a"] }
            "jobs.cancel" = {}
            "models.promote" = { permission = "models:promote", expires = "1h" }
            "#,
        );
        use Action::{JobsCancel, JobsDiscard, JobsRetry, JobsRun, ModelsPromote};
        for (action, kinds, people) in [
            (JobsRun, &["a"][..], Some(2)),
            (JobsRun, &["c"], None),
            (JobsRun, &[], None),
            (JobsRetry, &["a"], Some(1)),
            (JobsRetry, &["c", "a"], Some(1)),
            (JobsRetry, &["b"], None),
            (JobsCancel, &["b"], Some(1)),
            (JobsDiscard, &["a"], None),
            (ModelsPromote, &[], Some(1)),
        ] {
            let kinds: Vec<_> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            assert_eq!(
                rules.demand(action, &kinds).map(|demand| demand.people),
                people,
                "{action:?} {kinds:?}"
            );
        }
        let demand = rules.demand(ModelsPromote, &[]).unwrap();
        assert_eq!(
            (demand.permission.as_str(), demand.expires),
            ("models:promote", Duration::from_secs(3_600))
        );
        assert!(Rules::default().demand(JobsCancel, &[]).is_none());
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_key() {
        let internal = |kind: &str| kind == "in";
        for (text, key, told) in [
            (r#""jobs.rum" = {}"#, "jobs.rum", "jobs.run"),
            (r#""jobs.run" = {}"#, "jobs.run kinds", "name the kinds"),
            (r#""jobs.run" = { kinds = ["z"] }"#, "jobs.run kinds", "no kind `z`"),
            (r#""jobs.run" = { kinds = ["in"] }"#, "jobs.run kinds", "engine alone"),
            (r#""jobs.cancel" = { people = 3 }"#, "jobs.cancel people", "use 1 or 2"),
            (r#""jobs.cancel" = { people = 0 }"#, "jobs.cancel people", "use 1 or 2"),
            (r#""jobs.cancel" = { permission = "fly" }"#, "jobs.cancel permission", "no permission"),
            (r#""jobs.cancel" = { expires = "1s" }"#, "jobs.cancel expires", "1m"),
            (r#""audit.redact" = { kinds = ["a"] }"#, "audit.redact kinds", "not about jobs"),
        ] {
            let problems = rules(text).problems(&["a", "in"], internal);
            let [(path, problem)] = problems.as_slice() else { panic!("{text}: {problems:?}") };
            assert_eq!(path.join(" "), key, "{text}");
            assert!(problem.contains(told), "{problem}");
        }
        let good = rules(r#""jobs.run" = { kinds = ["a"] }"#);
        assert_eq!(good.problems(&["a"], internal), []);
    }
}
