//! Tells a caller how its job ended: a job like any other, which waits for the first and posts a signed webhook.
//!
//! So there is no second mechanism: it is enqueued in the same transaction, tried again with back-off, shown, retried
//! and discarded like every job, and its row is the record of what was sent.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{
    Backoff, Callback, CallbackEvent, ChildResult, Ctx, Failure, Job, JobId, NewJob, OnParentFailure,
    Outcome, Policy, Registry,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::webhooks::{WebhookError, Webhooks};
use store::state::JobState;

pub const KIND: &str = "system.callback";
/// Apart from the work, so that a receiver that is slow holds up nothing but other callbacks.
pub const QUEUE: &str = "callbacks";

/// A result larger than this is left out; whoever wants it asks for the job.
const MOST_RESULT_BYTES: usize = 64 << 10;

/// Without webhooks every callback is refused at the door.
pub fn register(registry: &mut Registry, webhooks: Option<Arc<Webhooks>>) {
    registry.add(Call { webhooks });
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallArgs {
    pub job: JobId,
    pub kind: String,
    pub url: String,
    /// Empty means all.
    #[serde(default)]
    pub events: Vec<CallbackEvent>,
    /// Whether the result and the error may leave the house: those of an encrypted kind may not.
    #[serde(default)]
    pub outcome: bool,
}

/// The job that tells of the end of `job`.
pub fn job(
    job: JobId,
    kind: &str,
    callback: &Callback,
    encrypted: bool,
) -> Result<NewJob, serde_json::Error> {
    let args = CallArgs {
        job,
        kind: kind.into(),
        url: callback.url.clone(),
        events: callback.events.clone(),
        outcome: !encrypted,
    };
    let mut call = NewJob::of::<Call>(&args)?.after([job]);
    call.on_parent_failure = OnParentFailure::Run;
    Ok(call)
}

pub struct Call {
    webhooks: Option<Arc<Webhooks>>,
}

impl Call {
    fn webhooks(&self) -> Result<&Webhooks, String> {
        self.webhooks.as_deref().ok_or_else(|| "no address may be called by this program".into())
    }
}

impl Job for Call {
    type Args = CallArgs;
    const KIND: &'static str = KIND;

    fn policy(&self) -> Policy {
        // Tried for about three days, as those who receive webhooks have come to expect.
        let backoff = Backoff {
            first: Duration::from_secs(5),
            factor: 3.0,
            longest: Duration::from_secs(6 * 3_600),
            jitter: 0.2,
        };
        Policy::default()
            .internal()
            .queue(QUEUE)
            .max_attempts(20)
            .timeout(Duration::from_secs(60))
            .backoff(backoff)
    }

    fn check(&self, args: &CallArgs) -> Result<(), String> {
        let allowed = self.webhooks().and_then(|webhooks| webhooks.allowed(&args.url));
        allowed.map(drop).map_err(|problem| format!("url: {problem}"))
    }

    async fn run(&self, args: CallArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        // What was allowed when the job was enqueued, by SQL perhaps, may not be allowed here and now.
        let refused = |problem| Failure::permanent(format!("url: {problem}"));
        let webhooks = self.webhooks().map_err(refused)?;
        let target = webhooks.allowed(&args.url).map_err(refused)?;
        let ended = ctx.children(&[args.job]).await?;
        let Some(ended) = ended.first() else { return Err(Failure::permanent("the job is not known")) };
        let Some(event) = event(&ended.state) else {
            return match ended.state.parse::<JobState>() {
                // Somebody retried it before we came by: it ends once more, and that is what there is to tell.
                Ok(_) => Ok(Outcome::WaitFor(vec![args.job])),
                Err(_) => Err(Failure::permanent(format!("the job is {}; it was pruned", ended.state))),
            };
        };
        if !args.events.is_empty() && !args.events.contains(&event) {
            return Ok(Outcome::Cancelled(format!(
                "the job is {}, and nobody asked to hear of that",
                ended.state
            )));
        }
        let body = body(&args, ended, ctx.clock().now());
        ctx.step("post", |key| async move { webhooks.post(key.as_str(), &target, &body).await }).await?;
        Outcome::completed(json!({ "told": ended.state }))
    }
}

fn event(state: &str) -> Option<CallbackEvent> {
    match state {
        "completed" => Some(CallbackEvent::Completed),
        "cancelled" => Some(CallbackEvent::Cancelled),
        "discarded" => Some(CallbackEvent::Discarded),
        _ => None,
    }
}

fn body(args: &CallArgs, ended: &ChildResult, now: jiff::Timestamp) -> Value {
    let result = ended.result.as_ref().filter(|result| result.to_string().len() <= MOST_RESULT_BYTES);
    let (result, error) = match args.outcome {
        true => (result, ended.error.as_ref()),
        false => (None, None),
    };
    json!({
        "type": format!("job.{}", ended.state),
        "timestamp": now,
        "data": {
            "id": args.job,
            "kind": args.kind,
            "state": ended.state,
            "attempts": ended.attempts,
            "result": result,
            "error": error,
        },
    })
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Gone => Failure::permanent(error),
            WebhookError::Refused { retry_after: Some(after), .. } => Failure::retry_after(after, error),
            WebhookError::Away(_) | WebhookError::Refused { .. } | WebhookError::NoSecret => {
                Failure::transient(error)
            }
        }
    }
}
