//! Jobs from deliveries that others post to us: `POST /v1/hooks/{name}`. A delivery is believed by its signature
//! alone, its job is made from it by configuration, and its id makes it one job however often it is sent.
//!
//! The HTTP layer brings the bytes as they came and answers with what is said here.

pub mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobkit::redact::SecretString;
use jobkit::{Clock, NewJob};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::signature::{Forged, Headers, Scheme, Timestamped, plausible, verify};
use super::refusals::Refusals;
use super::template::{Missing, Template, TemplateError, Text};
use crate::queue::{Queue, QueueError};
use crate::reference::ReferenceError;
use crate::triggers::settings::{self, SchemeName};
use store::triggers::Intake;
use store::{Actor, Inserted, Scope, Store, StoreError, chain};

/// What arguments may be made of.
pub const PLACES: &[&str] = &["body", "headers"];

/// One door for deliveries.
pub struct Hook {
    scheme: Scheme,
    secrets: Vec<SecretString>,
    target: Target,
    /// Names the delivery.
    key: Text,
}

/// The job that is made of what came in.
pub struct Target {
    pub kind: String,
    pub args: Template,
    pub queue: Option<String>,
    pub tenant: Option<String>,
}

impl Target {
    pub fn new(kind: &str, args: &str, queue: &str, tenant: &str) -> Result<Self, TemplateError> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let args = Template::parse(args)?;
        Ok(Self { kind: kind.into(), args, queue: given(queue), tenant: given(tenant) })
    }

    pub fn job(&self, from: &Value) -> Result<NewJob, Missing> {
        let job = NewJob::new(&self.kind, self.args.render(from)?);
        Ok(NewJob { queue: self.queue.clone(), tenant: self.tenant.clone(), ..job })
    }
}

/// What the sender is told.
#[derive(Debug)]
pub enum Receipt {
    /// 202, or 200 when the delivery had been taken before.
    Taken(Inserted),
    /// 404.
    Unknown,
    /// 401; nothing was written.
    Forged(Forged),
    /// 422: it is from whom it should be, and no job can be made of it.
    Unusable(String),
    /// 503: try again.
    Away(QueueError),
}

#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("triggers.webhooks.{name}: a secret cannot be had")]
    Secret {
        name: String,
        #[source]
        cause: ReferenceError,
    },
    #[error(
        "triggers.webhooks.{name}.secrets: one is shorter than 16 bytes, or is no base64 after `whsec_`; anybody could guess it"
    )]
    Guessable { name: String },
    #[error("triggers.webhooks.{name}: {key}")]
    Template {
        name: String,
        key: &'static str,
        #[source]
        cause: TemplateError,
    },
}

pub struct Webhooks {
    hooks: BTreeMap<String, Hook>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    refusals: Refusals,
}

impl Webhooks {
    pub fn new(hooks: BTreeMap<String, Hook>, queue: Arc<Queue>, clock: Arc<dyn Clock>) -> Self {
        Self { hooks, queue, refusals: Refusals::of("webhook", clock.clone()), clock }
    }

    pub fn source(name: &str) -> String {
        format!("webhook:{name}")
    }

    /// Whether it is worth reading the body of a delivery, by all that comes before it: a stranger's is not.
    pub fn look(&self, name: &str, headers: &Headers) -> Result<(), Receipt> {
        let Some(hook) = self.hooks.get(name) else { return Err(Receipt::Unknown) };
        plausible(&hook.scheme, headers, self.clock.now().as_second())
            .map_err(|forged| self.refused(name, forged))
    }

    fn refused(&self, name: &str, forged: Forged) -> Receipt {
        self.refusals.another(name, &forged);
        Receipt::Forged(forged)
    }

    pub async fn receive(&self, name: &str, headers: &Headers, body: &[u8]) -> Receipt {
        let Some(hook) = self.hooks.get(name) else { return Receipt::Unknown };
        if let Err(forged) = verify(&hook.scheme, &hook.secrets, headers, body, self.clock.now().as_second())
        {
            return self.refused(name, forged);
        }
        let (mark, delivery) = match hook.read(headers, body) {
            Ok(read) => read,
            Err(problem) => return Receipt::Unusable(problem),
        };
        let by = Actor::new(Self::source(name));
        // What was taken stays taken, whatever the hook or the kind have come to say since.
        match self.queue.taken(&by.name, &mark).await {
            Ok(None) => {}
            Ok(Some(id)) => return Receipt::Taken(Inserted { id, duplicate: true }),
            Err(problem) => return Receipt::Away(problem.into()),
        }
        let job = match hook.job(&delivery) {
            Ok(job) => job,
            Err(problem) => return Receipt::Unusable(problem),
        };
        if let Err(problem) = self.queue.freshen().await {
            return Receipt::Away(problem.into());
        }
        let rows = match self.queue.rows(&Scope::Installation, vec![job]) {
            Ok(rows) => rows,
            Err(problem @ QueueError::Seal { .. }) => return Receipt::Away(problem),
            Err(problem) => return Receipt::Unusable(chain(&problem)),
        };
        match self.queue.take(&by.name, &[Intake { mark, rows }], &by).await {
            Ok(taken) => taken.first().map_or(Receipt::Unknown, |taken| Receipt::Taken(*taken)),
            Err(QueueError::Store(StoreError::Refused(why))) => Receipt::Unusable(why),
            // Which words the database used is for our log and not for strangers.
            Err(QueueError::Store(problem)) if problem.blames_the_data() => {
                warn!("a delivery to the webhook {name} is refused: {}", chain(&problem));
                Receipt::Unusable("the store cannot hold the job that it makes".into())
            }
            Err(problem) => Receipt::Away(problem),
        }
    }
}

/// Forgets what was delivered long ago: a sender that tries again does so within days.
pub struct Forgetter {
    pub sources: Vec<String>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
}

const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
const FORGET_AT_ONCE: usize = 10_000;

impl Forgetter {
    /// Until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.forget()).await.unwrap_or_default();
    }

    async fn forget(self) {
        loop {
            for source in &self.sources {
                if let Err(problem) = self.forget_of(source).await {
                    // There is time; the next round forgets them.
                    tracing::debug!("{}", chain(&problem));
                }
            }
            self.clock.sleep(FORGET_EVERY).await;
        }
    }

    async fn forget_of(&self, source: &str) -> Result<(), StoreError> {
        while self.store.forget_marks_unseen(source, REMEMBERED, FORGET_AT_ONCE).await?
            == FORGET_AT_ONCE as u64
        {}
        Ok(())
    }
}

const LONGEST_KEY: usize = 512;

impl Hook {
    pub fn load(name: &str, settings: &settings::Webhook) -> Result<Self, HookError> {
        let template = |key| move |cause| HookError::Template { name: name.into(), key, cause };
        let secrets = settings
            .secrets
            .iter()
            .map(|secret| secret.resolve().map_err(|cause| HookError::Secret { name: name.into(), cause }));
        let secrets: Vec<_> = secrets.collect::<Result<_, _>>()?;
        let scheme = scheme(settings);
        if !secrets.iter().all(|secret| scheme.can_use(secret)) {
            return Err(HookError::Guessable { name: name.into() });
        }
        let target = Target::new(&settings.kind, &settings.args, &settings.queue, &settings.tenant);
        Ok(Self {
            scheme,
            secrets,
            target: target.map_err(template("args"))?,
            key: Text::parse(settings.key()).map_err(template("unique_key"))?,
        })
    }

    /// What the delivery is named, and what templates see of it; pure.
    fn read(&self, headers: &Headers, body: &[u8]) -> Result<(String, Value), String> {
        let body: Value =
            serde_json::from_slice(body).map_err(|problem| format!("the body is not JSON: {problem}"))?;
        let from = json!({ "body": body, "headers": headers });
        let key = self.key.render(&from).map_err(|problem| format!("unique_key: {problem}"))?;
        // PostgreSQL keeps no text with NUL in it.
        if key.is_empty() || key.len() > LONGEST_KEY || key.contains('\0') {
            return Err(format!("unique_key: must be 1 to {LONGEST_KEY} bytes, without NUL"));
        }
        Ok((key, from))
    }

    fn job(&self, delivery: &Value) -> Result<NewJob, String> {
        self.target.job(delivery).map_err(|problem| format!("args: {problem}"))
    }
}

fn scheme(settings: &settings::Webhook) -> Scheme {
    let tolerance = settings.tolerance;
    match settings.scheme {
        SchemeName::Github => Scheme::GitHub,
        SchemeName::StandardWebhooks => Scheme::StandardWebhooks { tolerance },
        SchemeName::Plain => Scheme::Plain {
            header: settings.header.clone(),
            prefix: settings.prefix.clone(),
            encoding: settings.encoding,
            timestamp: (!settings.timestamp_header.is_empty())
                .then(|| Timestamped { header: settings.timestamp_header.clone(), tolerance }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(args: &str, key: &str) -> Hook {
        let settings = settings::Webhook {
            kind: "billing.paid".into(),
            args: args.into(),
            unique_key: key.into(),
            queue: "billing".into(),
            ..settings::Webhook::default()
        };
        Hook::load("billing", &settings).unwrap()
    }

    #[test]
    fn a_delivery_becomes_a_job_by_its_templates() {
        let headers = Headers::from([("webhook-id".into(), "msg_1".into())]);
        let hook = hook(r#"{"invoice": "{/body/data/id}", "note": "by {/headers/webhook-id}"}"#, "");

        let (key, delivery) = hook.read(&headers, br#"{"data": {"id": 7}}"#).unwrap();
        let job = hook.job(&delivery).unwrap();

        assert_eq!(key, "msg_1");
        assert_eq!(job.args, json!({ "invoice": 7, "note": "by msg_1" }));
        assert_eq!((job.kind.as_str(), job.queue.as_deref()), ("billing.paid", Some("billing")));
    }

    #[test]
    fn what_no_job_can_be_made_of_is_named() {
        let headers = Headers::from([("webhook-id".into(), "msg_1".into())]);
        for (args, key, body, expected) in [
            ("{}", "", "not json", "the body is not JSON"),
            (r#""{/body/data}""#, "", "{}", "args: there is no `/body/data` in what came in"),
            ("{}", "{/body/id}", "{}", "unique_key: there is no `/body/id`"),
            ("{}", "{/body/id}", r#"{"id": ""}"#, "unique_key: must be 1 to 512 bytes"),
        ] {
            let hook = hook(args, key);
            let read = hook.read(&headers, body.as_bytes()).and_then(|(_, delivery)| hook.job(&delivery));
            let problem = read.unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
