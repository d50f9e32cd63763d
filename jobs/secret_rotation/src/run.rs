//! What is kept of the rotations of a secret: one record for each, which says how far the last one is. It is held by whoever goes on with it, so that one is in
//! flight; and it has names of versions, never a value.

use jiff::Timestamp;
use jobkit::records::{Hold, Put, Record, RecordChange, RecordId};
use jobkit::{Ctx, Failure, News};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::phase::Phase;
use crate::secret::VersionId;

pub const COLLECTION: &str = "secret_rotation.secret";

/// In the record's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the rotation, from 1.
    pub number: u64,
    pub began_at: Timestamp,
    /// What was current when it began; none where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<VersionId>,
    pub to: VersionId,
    /// How many values the target did not take.
    #[serde(default)]
    pub refused: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// That the old one was seen to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// Somebody else may know the old value: no grace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compromised: bool,
    /// What a person has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where it goes on when a person has dealt with that; `rolled_back` where this run has to end, and another to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<Phase>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub record: Record,
    pub phase: Phase,
    pub run: Run,
}

pub fn id(secret: &str) -> RecordId {
    RecordId { collection: COLLECTION.into(), tenant: None, key: secret.into() }
}

impl Run {
    pub fn new(secret: &str, number: u64, from: Option<VersionId>, now: Timestamp) -> Self {
        Self {
            number,
            began_at: now,
            from,
            to: VersionId::of(secret, number, now, 0),
            refused: 0,
            published_at: None,
            retired_at: None,
            compromised: false,
            problem: None,
            goes_on: None,
        }
    }
}

/// One step on: what the log says, and when to look again.
pub struct Step {
    to: Phase,
    action: &'static str,
    details: Value,
    due_at: Option<Timestamp>,
    news: Vec<News>,
}

impl Step {
    pub fn to(to: Phase, action: &'static str) -> Self {
        Self { to, action, details: json!({}), due_at: None, news: Vec::new() }
    }

    pub fn due(mut self, at: Option<Timestamp>) -> Self {
        self.due_at = at;
        self
    }

    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub fn news(mut self, news: impl IntoIterator<Item = News>) -> Self {
        self.news.extend(news);
        self
    }
}

impl Kept {
    pub fn of(record: Record) -> Result<Self, Failure> {
        let unreadable = |problem: String| {
            Failure::permanent(format!(
                "the record of the secret `{}` cannot be read: {problem}",
                record.id.key
            ))
        };
        let run =
            serde_json::from_value(record.body.clone()).map_err(|cause| unreadable(cause.to_string()))?;
        let phase = Phase::parse(&record.state)
            .ok_or_else(|| unreadable(format!("this version knows no phase `{}`", record.state)))?;
        Ok(Self { record, phase, run })
    }

    /// Writes down how far it is. Somebody else who was quicker makes the job begin anew.
    pub async fn write(&mut self, ctx: &Ctx, step: Step) -> Result<(), Failure> {
        let kept = put(ctx, self.record.id.clone(), self.record.version, &self.run, step).await?;
        *self = kept;
        Ok(())
    }
}

/// Makes the record, or begins the next run in it.
pub async fn put(ctx: &Ctx, id: RecordId, from: u64, run: &Run, step: Step) -> Result<Kept, Failure> {
    let mut details = json!({ "run": run.number, "version": run.to });
    if let (Some(into), Some(more)) = (details.as_object_mut(), step.details.as_object()) {
        into.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let change = RecordChange {
        id,
        from,
        names: Vec::new(),
        state: step.to.name().into(),
        due_at: step.due_at,
        body: serde_json::to_value(run).map_err(Failure::permanent)?,
        action: step.action.into(),
        details,
        news: step.news,
        hold: Hold::Kept,
    };
    match ctx.records().put(ctx, change).await? {
        Put::Done(record) => Kept::of(record),
        Put::Moved | Put::Taken(_) => Err(Failure::NotNow {
            after: std::time::Duration::from_secs(1),
            why: "somebody else goes on with this rotation".into(),
        }),
    }
}
