//! What is right about triggers: pure, of the settings and the kinds that this program has.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::bulk;
use engine::queue::{NO_OBJECT, check_job, problem_of_internal, problem_of_name};
use engine::triggers::settings::{Chain, Folder, SchemeName, Triggers, Webhook};
use engine::triggers::template::{Template, Text};
use engine::triggers::{chain, folder, webhook};
use jobkit::roots::address;
use jobkit::{NewJob, Registry};

use crate::config::keys::nearest_name;

/// Keys below `triggers` with what is wrong and what to write instead, in a program that has these kinds.
pub(super) fn problems(
    triggers: &Triggers,
    redis: bool,
    kinds: &[&str],
    registry: &Registry,
) -> Vec<(Vec<String>, String)> {
    let mut found = Problems { found: Vec::new(), kinds, registry };
    if triggers.stream.enabled && !redis {
        found.add(&["stream", "enabled"], "needs a Redis; set redis.url");
    }
    if triggers.stream.claim_after < Duration::from_secs(1) {
        found.add(&["stream", "claim_after"], "must be at least \"1s\"; the default is \"1m\"");
    }
    for (name, hook) in &triggers.webhooks {
        found.webhook(name, hook);
    }
    for (name, folder) in &triggers.folders {
        found.folder(name, folder);
    }
    for (name, chain) in &triggers.chains {
        found.chain(name, chain);
    }
    for name in endless(triggers) {
        found.add(&["chains", name, "kind"], "leads back to its own `after`, so it would never end");
    }
    found.found
}

/// Chains whose jobs end in jobs of the kind that they begin with.
fn endless(triggers: &Triggers) -> Vec<&str> {
    let endless = |chain: &Chain| {
        let mut reached = BTreeSet::from([chain.kind.as_str()]);
        loop {
            let before = reached.len();
            let next = triggers.chains.values().filter(|next| reached.contains(next.after.as_str()));
            reached.extend(next.map(|next| next.kind.as_str()).collect::<Vec<_>>());
            if reached.contains(chain.after.as_str()) || reached.len() == before {
                return reached.contains(chain.after.as_str());
            }
        }
    };
    let chains = triggers.chains.iter().filter(|(_, chain)| !chain.kind.is_empty() && endless(chain));
    chains.map(|(name, _)| name.as_str()).collect()
}

struct Problems<'k> {
    found: Vec<(Vec<String>, String)>,
    kinds: &'k [&'k str],
    registry: &'k Registry,
}

impl Problems<'_> {
    fn add(&mut self, path: &[&str], text: impl Into<String>) {
        let path = std::iter::once("triggers").chain(path.iter().copied());
        self.found.push((path.map(str::to_owned).collect(), text.into()));
    }

    fn webhook(&mut self, name: &str, hook: &Webhook) {
        let at = |key| ["webhooks", name, key];
        self.name(&["webhooks", name], name);
        if hook.secrets.is_empty() {
            self.add(&at("secrets"), "must have a secret, or nobody could be believed; write [\"env:NAME\"]");
        }
        if hook.scheme == SchemeName::Plain && hook.header.is_empty() {
            self.add(&at("header"), "must name the header of the signature; the default is \"x-signature\"");
        }
        if hook.key().is_empty() {
            let text = "must say what names a delivery, such as \"{/body/id}\"; the scheme \"plain\" has no id of its own";
            self.add(&at("unique_key"), text);
        }
        match Text::parse(hook.key()) {
            Err(problem) => self.add(&at("unique_key"), problem.to_string()),
            Ok(key) if !hook.key().is_empty() && key.places().next().is_none() => {
                let text = "is the same for each delivery, so that only the first would make a job; name a place, such as \"{/body/id}\"";
                self.add(&at("unique_key"), text);
            }
            Ok(_) => {}
        }
        if hook.tolerance.is_zero() {
            self.add(&at("tolerance"), "must be longer than nothing; the default is \"5m\"");
        }
        self.target(&["webhooks", name], &hook.kind, &hook.args, &hook.queue, webhook::PLACES);
    }

    fn folder(&mut self, name: &str, folder: &Folder) {
        let at = |key| ["folders", name, key];
        self.name(&["folders", name], name);
        if !folder.path.is_absolute() && address(&folder.path).is_none() {
            let text = "must be an absolute path, since a process is started anywhere, or s3://BUCKET/FOLDER";
            self.add(&at("path"), text);
        }
        if folder.every < Duration::from_millis(100) {
            self.add(&at("every"), "must be at least \"100ms\"; the default is \"10s\"");
        }
        if !folder.marker.is_empty() && folder.marker == folder.suffix {
            self.add(&at("marker"), "is the suffix too, so no file could be told from its marker");
        }
        self.target(&["folders", name], &folder.kind, &folder.args, &folder.queue, folder::PLACES);
    }

    fn chain(&mut self, name: &str, chain: &Chain) {
        self.name(&["chains", name], name);
        self.kind(&["chains", name, "after"], &chain.after);
        self.target(&["chains", name], &chain.kind, &chain.args, &chain.queue, chain::PLACES);
    }

    fn kind(&mut self, path: &[&str], kind: &str) {
        let known = format!("known kinds: {}", self.kinds.join(", "));
        if kind.is_empty() {
            self.add(path, format!("must name a kind; {known}"));
        } else if !self.kinds.contains(&kind) {
            let meant = nearest_name(kind, self.kinds);
            let remedy = meant.map_or(known, |meant| format!("did you mean `{meant}`?"));
            self.add(path, format!("unknown kind `{kind}`; {remedy}"));
        }
    }

    /// It stands in a URL and in the audit log.
    fn name(&mut self, path: &[&str], name: &str) {
        if let Some(problem) = problem_of_name(name) {
            self.add(path, problem);
        }
    }

    fn target(&mut self, path: &[&str], kind: &str, args: &str, queue: &str, places: &[&str]) {
        let at = |key| [path, &[key]].concat();
        self.kind(&at("kind"), kind);
        if self.is_internal(kind) {
            self.add(&at("kind"), problem_of_internal(kind));
        } else if let Some(problem) = self.problem_of_args(kind, args, places) {
            self.add(&at("args"), problem);
        }
        if let Some(problem) = Some(queue).filter(|queue| !queue.is_empty()).and_then(problem_of_name) {
            self.add(&at("queue"), problem);
        }
    }

    fn is_internal(&self, kind: &str) -> bool {
        kind == bulk::KIND || self.registry.get(kind).is_some_and(|info| info.policy.internal)
    }

    /// What can be said before anything comes in: that a place is never there, and that what is always the same is
    /// never taken.
    fn problem_of_args(&self, kind: &str, args: &str, places: &[&str]) -> Option<String> {
        let template = match Template::parse(args) {
            Ok(template) => template,
            Err(problem) => return Some(problem.to_string()),
        };
        if !template.may_be_an_object() {
            return Some(NO_OBJECT.into());
        }
        let named = |place: &&str| {
            let name = place.split('/').nth(1);
            name.is_none_or(|name| places.contains(&name))
        };
        if let Some(place) = template.places().into_iter().find(|place| !named(place)) {
            let known: Vec<_> = places.iter().map(|name| format!("{{/{name}}}")).collect();
            return Some(format!("`{{{place}}}` is never there; use {}", known.join(", ")));
        }
        let job = NewJob::new(kind, template.constant()?);
        let (_, problem) = super::blamed(check_job(self.registry, &job).err()?)?;
        Some(problem)
    }
}
