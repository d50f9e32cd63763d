//! What types cannot say about settings: ranges, and keys that must agree with each other. Pure; nothing
//! is opened or resolved here.

mod artifacts;
mod buckets;
mod docusign;
mod http;
mod identity;
mod journal;
mod outgoing;
mod secrets;
mod triggers;
mod uploads;

use std::time::Duration;

use engine::adapters::buckets::parts;
use engine::bulk;
use engine::http::STRANGERS_SHARE;
use engine::queue::{MOST_ATTEMPTS, QueueError, problem_of_internal, problem_of_name};
use engine::reference::UrlRef;
use engine::scheduler::calendar::Calendar;
use engine::scheduler::{self, ScheduleError};
use engine::units::format_duration;
use jobkit::{ArgsError, Registry};

use super::keys::{dotted, nearest_name};
use super::listen::Listen;
use super::settings::{RowSecurity, Settings};

/// A finding about one key: what is wrong and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub key: String,
    pub text: String,
}

/// Shorter leases are lost to an ordinary pause: a slow disk, a stopped virtual machine.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const SHORTEST_HTTP_TIMEOUT: Duration = Duration::from_secs(1);
/// Who supervises us waits no longer for an end.
const LONGEST_STOP_DELAY: Duration = Duration::from_secs(60);
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// What keeps the process from starting, in a program that has these jobs.
pub fn errors(settings: &Settings, registry: &Registry) -> Vec<Finding> {
    // Bulk operations need the store, which is not there yet.
    let kinds: Vec<_> = registry.kinds().map(|info| info.kind).chain([bulk::KIND]).collect();
    let kinds = kinds.as_slice();
    let mut found = Findings::default();
    store(settings, &mut found);
    redis(settings, &mut found);
    worker(settings, &mut found);
    names_of_kinds(settings, kinds, &mut found);
    policies(settings, &mut found);
    limits(settings, kinds, &mut found);
    calls(settings, &mut found);
    found.at_least_one("breakers.failures", settings.breakers.failures as usize);
    if settings.breakers.cool_down.is_zero() {
        found.add("breakers.cool_down", "must be longer than nothing; the default is \"30s\"");
    }
    let internal =
        |kind: &str| kind == bulk::KIND || registry.get(kind).is_some_and(|info| info.policy.internal);
    for (path, text) in settings.approvals.problems(kinds, internal) {
        let path = [vec!["approvals".to_owned()], path].concat();
        found.add(dotted(&path), text);
    }
    encryption(settings, &mut found);
    audit(settings, &mut found);
    buckets::buckets(settings, &mut found);
    http(settings, &mut found);
    http::rate_limits(settings, &mut found);
    identity::identity(settings, &mut found);
    for (path, text) in
        triggers::problems(&settings.triggers, !settings.redis.url.is_empty(), kinds, registry)
    {
        found.add(dotted(&path), text);
    }
    let rules = [engine::alerts::RULES, registry.rules()].concat();
    outgoing::outgoing(settings, kinds, &rules, &mut found);
    schedules(settings, registry, &mut found);
    docusign::docusign(settings, &mut found);
    journal::journal(settings, &mut found);
    secrets::secrets(settings, &mut found);
    if settings.retention.every.is_zero() {
        found.add("retention.every", "must be longer than nothing; the default is \"1m\"");
    }
    artifacts::artifacts(settings, &mut found);
    uploads::uploads(settings, &mut found);
    if let Err(problem) = tracing_subscriber::EnvFilter::try_new(&settings.log.filter) {
        found.add(
            "log.filter",
            format!("{problem}; write a level such as \"info\", or \"info,compline=debug\""),
        );
    }
    found.0
}

/// What works and should not stay.
pub fn warnings(settings: &Settings) -> Vec<Finding> {
    let mut found = Findings::default();
    if settings.store.url.shows_a_password() {
        found.add(
            "store.url",
            "holds a password in the clear; write \"env:DATABASE_URL\" or \"file:PATH\" and put the URL there",
        );
    }
    if settings.redis.url.shows_a_password() {
        found.add(
            "redis.url",
            "holds a password in the clear; write \"env:REDIS_URL\" or \"file:PATH\" and put the URL there",
        );
    }
    if settings.worker.lease < settings.worker.poll * 3 {
        found.add("worker.lease", "is short beside worker.poll; make it at least three times as long");
    }
    found.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { key: key.into(), text: text.into() });
    }

    fn at_least_one(&mut self, key: impl Into<String>, value: usize) {
        if value == 0 {
            self.add(key, "must be at least 1");
        }
    }
}

/// As far as can be told without going there.
fn check_url(url: &str) -> store::Result<()> {
    match url.starts_with("sqlite:") {
        true => store_sqlite::check_url(url),
        false => store_postgres::check_url(url),
    }
}

fn store(settings: &Settings, found: &mut Findings) {
    if let UrlRef::Literal(url) = &settings.store.url {
        let known = ["sqlite:", "postgres://", "postgresql://"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            found.add(
                "store.url",
                "must begin with sqlite:// or postgres://, or be a reference: \"env:DATABASE_URL\", \"file:PATH\"",
            );
        } else if let Err(problem) = check_url(url) {
            found.add("store.url", problem.to_string());
        }
        if url.starts_with("sqlite:") && settings.store.row_security == RowSecurity::Required {
            found.add("store.row_security", "\"required\" needs PostgreSQL; SQLite has no policies for rows");
        }
    }
    if settings.store.connections < 2 {
        found.add("store.connections", "must be at least 2");
    }
    if settings.store.acquire_timeout.is_zero() {
        found.add("store.acquire_timeout", "must be longer than nothing; the default is \"10s\"");
    }
}

fn redis(settings: &Settings, found: &mut Findings) {
    if let UrlRef::Literal(url) = &settings.redis.url {
        let known = ["redis://", "rediss://"];
        if !url.is_empty() && !known.iter().any(|scheme| url.starts_with(scheme)) {
            found.add(
                "redis.url",
                "must begin with redis:// or, with TLS, rediss://, or be a reference: \"env:REDIS_URL\", \"file:PATH\"; \
                 write \"\" for none",
            );
        }
    }
    if let UrlRef::Literal(url) = &settings.redis.url
        && !settings.redis.ca_file.as_os_str().is_empty()
        && !url.starts_with("rediss://")
    {
        found.add("redis.ca_file", "is of no use without TLS; redis.url must begin with rediss://");
    }
    if let Some(problem) = problem_of_name(&settings.redis.prefix) {
        found.add("redis.prefix", format!("{problem}; the default is \"compline\""));
    }
}

fn worker(settings: &Settings, found: &mut Findings) {
    let worker = &settings.worker;
    found.at_least_one("worker.concurrency", worker.concurrency);
    found.at_least_one("worker.prefetch", worker.prefetch);
    for (key, value, shortest) in
        [("worker.lease", worker.lease, SHORTEST_LEASE), ("worker.poll", worker.poll, SHORTEST_POLL)]
    {
        if value < shortest {
            found.add(key, format!("must be at least \"{}\"", format_duration(shortest)));
        }
    }
    if worker.queues.iter().any(|queue| queue.trim().is_empty()) {
        found.add("worker.queues", "has an empty name in it; write [] for all queues");
    }
    for (name, queue) in &settings.queues {
        if let Some(most) = queue.concurrency {
            found.at_least_one(dotted(&["queues".into(), name.clone(), "concurrency".into()]), most);
        }
    }
}

/// A section of a kind that nobody has would hold for no job, and its jobs would be run, and deleted, by rules
/// that nobody chose for them.
fn names_of_kinds(settings: &Settings, kinds: &[&str], found: &mut Findings) {
    let policies = settings.kinds.keys().map(|name| (vec!["kinds".into(), name.clone()], name));
    let retention = settings.retention.kinds.keys();
    let retention = retention.map(|name| (vec!["retention".into(), "kinds".into(), name.clone()], name));
    let of_schedules = settings.schedules.iter();
    let of_schedules = of_schedules
        .map(|(name, definition)| (vec!["schedules".into(), name.clone(), "kind".into()], &definition.kind));
    for (path, name) in policies.chain(retention).chain(of_schedules) {
        if !kinds.contains(&name.as_str()) {
            let remedy = match nearest_name(name, kinds) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known kinds: {}", kinds.join(", ")),
            };
            found.add(dotted(&path), format!("unknown kind `{name}`; {remedy}"));
        }
    }
}

/// What may be said about a kind is what may be said about a job when it is enqueued.
fn policies(settings: &Settings, found: &mut Findings) {
    for (name, kind) in &settings.kinds {
        let key = |last: &str| dotted(&["kinds".into(), name.clone(), last.into()]);
        if kind.priority.is_some_and(|priority| !(1..=9).contains(&priority)) {
            found.add(key("priority"), "must be from 1 (first) to 9 (last)");
        }
        if kind.max_attempts.is_some_and(|attempts| !(1..=MOST_ATTEMPTS).contains(&attempts)) {
            found.add(key("max_attempts"), format!("must be from 1 to {MOST_ATTEMPTS}"));
        }
        if kind.timeout == Some(Duration::ZERO) {
            found
                .add(key("timeout"), "must be longer than nothing; leave the key out to keep the kind's own");
        }
        if let Some(problem) = kind.queue.as_deref().and_then(problem_of_name) {
            found.add(key("queue"), format!("{problem}; leave the key out to keep the kind's own"));
        }
        if kind.encrypted == Some(true) && settings.encryption.current.is_empty() {
            found.add(key("encrypted"), "needs a key to encrypt with; set encryption.current");
        }
    }
}

fn http(settings: &Settings, found: &mut Findings) {
    let http = &settings.http;
    if let Listen::At(address) = http.listen
        && !address.ip().is_loopback()
        && http.token.is_none()
        && settings.identity.key.is_none()
    {
        found.add(
            "http.listen",
            format!("{address} can be reached from other machines; set http.token or identity.key, or listen on 127.0.0.1"),
        );
    }
    for (key, value) in [
        ("http.body_bytes", http.body_bytes),
        ("http.batch", http.batch),
        ("http.connections", http.connections),
    ] {
        found.at_least_one(key, value);
    }
    for (key, value) in [
        ("http.header_timeout", http.header_timeout),
        ("http.body_timeout", http.body_timeout),
        ("http.answer_timeout", http.answer_timeout),
        ("http.write_timeout", http.write_timeout),
    ] {
        if value < SHORTEST_HTTP_TIMEOUT {
            found.add(key, format!("must be at least \"{}\"", format_duration(SHORTEST_HTTP_TIMEOUT)));
        }
    }
    if http.memory_bytes / STRANGERS_SHARE < http.body_bytes {
        let least = http.body_bytes.saturating_mul(STRANGERS_SHARE);
        found.add(
            "http.memory_bytes",
            format!("must be at least {least}, {STRANGERS_SHARE} times http.body_bytes"),
        );
    }
    if http.stop_delay > LONGEST_STOP_DELAY {
        found.add("http.stop_delay", format!("must be at most \"{}\"", format_duration(LONGEST_STOP_DELAY)));
    }
    if let Some(origin) = http.cors_origins.iter().find(|origin| !is_origin(origin)) {
        found.add(
            "http.cors_origins",
            format!("`{origin}` is no origin; write a scheme, a host and a port if it is unusual, and no path: \"https://console.example.org\""),
        );
    }
}

/// As browsers send it: nothing behind the host and the port, and no wildcard.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(legal))
}

/// What a schedule says of its times, its calendar and its job, as every door checks it.
fn schedules(settings: &Settings, registry: &Registry, found: &mut Findings) {
    for (name, rules) in &settings.calendars {
        if let Err(problem) = Calendar::new(rules) {
            found.add(dotted(&["calendars".into(), name.clone(), problem.key.into()]), problem.problem);
        }
    }
    for (name, definition) in &settings.schedules {
        let key = |last: &[&str]| {
            let last = last.iter().map(|part| String::from(*part));
            dotted(&["schedules".into(), name.clone()].into_iter().chain(last).collect::<Vec<_>>())
        };
        if let Some(problem) = problem_of_name(name) {
            found.add(key(&[]), problem);
        }
        if definition.kind == bulk::KIND {
            found.add(key(&["kind"]), problem_of_internal(bulk::KIND));
        }
        match scheduler::check(name, definition.clone(), &settings.calendars, registry) {
            Err(ScheduleError::Definition { cause, .. }) => found.add(key(&[cause.field]), cause.problem),
            Err(ScheduleError::Job { cause, .. }) => {
                if let Some((field, problem)) = blamed(*cause) {
                    found.add(key(&[field]), problem);
                }
            }
            // The rest is of schedules that are stored.
            _ => {}
        }
    }
}

/// The key that a job's refusal blames. A kind that is not known has been told with what was probably meant.
fn blamed(refusal: QueueError) -> Option<(&'static str, String)> {
    match refusal {
        QueueError::Invalid { field, problem } => Some((field, problem)),
        QueueError::Args(ArgsError::Invalid { kind, problem }) => {
            Some(("args", format!("`{kind}` cannot take them: {problem}")))
        }
        _ => None,
    }
}

/// Whoever may enqueue a million jobs in a second is not limited.
const LARGEST_BURST: u32 = 1_000_000;

fn limits(settings: &Settings, kinds: &[&str], found: &mut Findings) {
    for (name, limit) in &settings.limits {
        let key = |last: &str| dotted(&["limits".into(), name.clone(), last.into()]);
        if let Some(problem) = problem_of_name(name) {
            found.add(dotted(&["limits".into(), name.clone()]), problem);
        }
        if limit.rate.is_none() && limit.concurrency.is_none() {
            found.add(
                dotted(&["limits".into(), name.clone()]),
                "limits nothing; set rate (\"50/s\"), concurrency, or both",
            );
        }
        if limit.concurrency == Some(0) {
            found.add(key("concurrency"), "must be at least 1; to stop jobs, pause their queue");
        }
        if let Some(burst) = limit.burst {
            if !(1..=LARGEST_BURST).contains(&burst) {
                found.add(key("burst"), format!("must be from 1 to {LARGEST_BURST}"));
            }
            if limit.rate.is_none() {
                found.add(key("burst"), "is part of a rate; set rate too");
            }
        }
        for pattern in &limit.kinds {
            let known = match pattern.strip_suffix(".*") {
                Some(family) => {
                    kinds.iter().any(|kind| kind.strip_prefix(family).is_some_and(|k| k.starts_with('.')))
                }
                None => kinds.contains(&pattern.as_str()),
            };
            if !known {
                let remedy = match nearest_name(pattern, kinds) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known kinds: {}", kinds.join(", ")),
                };
                found.add(
                    key("kinds"),
                    format!("`{pattern}` is no kind, nor a family with its kinds (`mail.*`); {remedy}"),
                );
            }
        }
        for problem in limit.queues.iter().filter_map(|queue| problem_of_name(queue)) {
            found.add(key("queues"), problem);
        }
    }
}

fn calls(settings: &Settings, found: &mut Findings) {
    for (name, calls) in &settings.calls {
        let key = |last: &str| dotted(&["calls".into(), name.clone(), last.into()]);
        if let Some(problem) = problem_of_name(name) {
            found.add(dotted(&["calls".into(), name.clone()]), problem);
        }
        if calls.rate.is_none() {
            found.add(dotted(&["calls".into(), name.clone()]), "limits nothing; set rate (\"50/s\")");
        }
        if let Some(burst) = calls.burst.filter(|burst| !(1..=LARGEST_BURST).contains(burst)) {
            found.add(key("burst"), format!("{burst}; must be from 1 to {LARGEST_BURST}"));
        }
    }
}

fn encryption(settings: &Settings, found: &mut Findings) {
    let encryption = &settings.encryption;
    if !encryption.current.is_empty() && !encryption.keys.contains_key(&encryption.current) {
        let known: Vec<_> = encryption.keys.keys().map(String::as_str).collect();
        let remedy = match known.is_empty() {
            true => "add it below [encryption.keys]".into(),
            false => format!("name one of: {}, or add it below [encryption.keys]", known.join(", ")),
        };
        found.add("encryption.current", format!("names a key that is not there; {remedy}"));
    }
}

fn audit(settings: &Settings, found: &mut Findings) {
    let audit = &settings.audit;
    if audit.checkpoint_every.is_zero() {
        found.add("audit.checkpoint_every", "must be longer than nothing; the default is \"60s\"");
    }
    if audit.checkpoint_entries == 0 {
        found.add("audit.checkpoint_entries", "must be at least 1; the default is 1000");
    }
    for (name, anchor) in &audit.anchors {
        let at = dotted(&["audit".into(), "anchors".into(), name.clone()]);
        match (anchor.directory.as_os_str().is_empty(), anchor.bucket.as_str()) {
            (true, "") => found.add(
                format!("{at}.directory"),
                "must name a directory outside of the database, or `bucket` a place such as \"s3://NAME/audit\"",
            ),
            (false, "") => {}
            (false, _) => found.add(format!("{at}.bucket"), "is one place too many: leave it out, or `directory`"),
            (true, address) => match parts(address) {
                Some((bucket, prefix)) if !prefix.is_empty() && settings.buckets.contains_key(bucket) => {}
                Some((bucket, prefix)) if !prefix.is_empty() => found.add(
                    format!("{at}.bucket"),
                    format!("lies in no bucket that is configured; add [buckets.{bucket}]"),
                ),
                _ => found.add(format!("{at}.bucket"), "must be a place in a bucket, such as \"s3://NAME/audit\""),
            },
        }
        if audit.key.is_none() {
            found.add(at, "has nothing to keep: set audit.key, so that checkpoints are signed");
        }
    }
}
