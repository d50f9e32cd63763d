//! What a schedule would do, one that is there or one that is only described. Nothing is kept of it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape;
use crate::http::extract::{Body, Object, moment, moment_if_any};
use crate::http::problem::{Code, Problem, Result};
use crate::http::{Api, Shared};
use crate::queue::problem_of_name;
use crate::scheduler::Supposed;
use crate::scheduler::definition::{Definition, MisfireRule, Plan};
use crate::scheduler::policy::Overlap;
use crate::scheduler::simulate::{Event, MOST_SIMULATED, Outcome};
use crate::units::parse_duration;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewOf {
    /// The name of a schedule. Either this or `definition`.
    #[serde(default)]
    pub schedule: Option<String>,
    /// A schedule that is only described; without a `kind` its times alone are asked for.
    #[serde(default)]
    #[schema(value_type = Option<shape::Definition>)]
    pub definition: Option<Object<Definition>>,
    /// How many fire times; 10 when nothing is said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub count: Option<usize>,
    /// From this time on, else from now.
    #[serde(default, deserialize_with = "moment_if_any")]
    pub after: Option<Timestamp>,
}

const DEFAULT_COUNT: usize = 10;
const MOST_PREVIEWED: usize = 1_000;

#[derive(Debug, Serialize, ToSchema)]
pub struct Previewed {
    /// When it fires.
    pub words: String,
    pub zone: String,
    /// The next fire times; fewer than were asked for when its end comes before.
    pub times: Vec<Time>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Time {
    pub fire_time: Timestamp,
    /// In the schedule's zone, with the day of the week.
    pub local: String,
}

/// The next fire times, in words and as instants.
#[utoipa::path(post, path = "/v1/schedule-previews", tag = "schedules", security(("token" = ["schedules:read"])), request_body = PreviewOf,
    responses(
        (status = 200, description = "When it fires next.", body = Previewed),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This program cannot read what is stored.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn preview(State(api): State<Shared>, body: Body<PreviewOf>) -> Result<Json<Previewed>> {
    let PreviewOf { schedule, definition, count, after } = body.value;
    let count = count.unwrap_or(DEFAULT_COUNT);
    if !(1..=MOST_PREVIEWED).contains(&count) {
        return Err(wrong("count", format!("{count}; use 1 to {MOST_PREVIEWED}"), "ask for fewer at a time"));
    }
    let plan = plan(&api, schedule, definition).await?;
    let preview = api.scheduler.preview(plan, after, count).await?;
    let times = preview.times.into_iter().map(|time| Time { fire_time: time.fire_time, local: time.local });
    Ok(Json(Previewed { words: preview.words, zone: preview.zone, times: times.collect() }))
}

fn wrong(field: &str, detail: impl std::fmt::Display, remedy: &'static str) -> Problem {
    let field = format!("/{field}");
    Problem::new(Code::InvalidBody, format!("{field}: {detail}"), remedy).at(field)
}

/// Of a schedule that is there, or of one that is only described.
async fn plan(api: &Api, name: Option<String>, definition: Option<Object<Definition>>) -> Result<Plan> {
    let remedy =
        "give the name of a schedule, or describe one, as in {\"definition\": {\"cron\": \"@daily\"}}";
    match (name, definition) {
        (Some(name), None) => match problem_of_name(&name) {
            None => Ok(api.scheduler.plan(&api.scope(), &name).await?),
            Some(problem) => Err(wrong("schedule", problem, remedy)),
        },
        (None, Some(Object(definition))) => {
            let plan = api.scheduler.described(&api.scope(), definition);
            plan.map_err(|error| Problem::of_schedule("/definition", error))
        }
        (Some(_), Some(_)) => Err(wrong("definition", "is given together with schedule", remedy)),
        (None, None) => Err(wrong("schedule", "is missing, and so is definition", remedy)),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulationOf {
    /// The name of a schedule. Either this or `definition`.
    #[serde(default)]
    pub schedule: Option<String>,
    /// A schedule that is only described; without a `kind` its times alone are asked for.
    #[serde(default)]
    #[schema(value_type = Option<shape::Definition>)]
    pub definition: Option<Object<Definition>>,
    /// The first time.
    #[serde(deserialize_with = "moment")]
    pub from: Timestamp,
    /// The end, not included.
    #[serde(deserialize_with = "moment")]
    pub until: Timestamp,
    /// When nobody was there.
    #[serde(default)]
    #[schema(value_type = Vec<Outage>, max_items = 100)]
    pub outages: Vec<Object<Outage>>,
    /// How long each job takes, such as `"10m"`, to see what overlaps.
    #[serde(default)]
    pub takes: Option<String>,
    /// Another policy for missed times than the schedule's own.
    #[serde(default)]
    #[schema(value_type = Option<shape::Missed>)]
    pub misfire: Option<MisfireRule>,
    /// Another policy for overlap than the schedule's own.
    #[serde(default)]
    #[schema(value_type = Option<shape::Overlapping>)]
    pub overlap: Option<Overlap>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    #[serde(deserialize_with = "moment")]
    pub from: Timestamp,
    /// Not included.
    #[serde(deserialize_with = "moment")]
    pub until: Timestamp,
}

const MOST_OUTAGES: usize = 100;
const LONGEST_JOB: Duration = Duration::from_secs(366 * 86_400);

#[derive(Debug, Serialize, ToSchema)]
pub struct Simulation {
    /// When it fires.
    pub words: String,
    /// In the order of the fire times.
    pub events: Vec<SimulatedTime>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SimulatedTime {
    pub fire_time: Timestamp,
    pub outcome: Fate,
    /// When its job starts, if it has one.
    pub starts: Option<Timestamp>,
}

/// What becomes of a fire time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// At its time.
    Fired,
    /// After an outage.
    CaughtUp,
    /// The misfire policy gives it no job.
    Missed,
    /// An earlier job still ran, and the overlap policy gives it none.
    LeftOut,
    /// The outage goes on beyond the end: nobody has decided yet.
    Undecided,
}

impl From<Event> for SimulatedTime {
    fn from(Event { fire_time, outcome }: Event) -> Self {
        let (outcome, starts) = match outcome {
            Outcome::Fired { starts } => (Fate::Fired, Some(starts)),
            Outcome::CaughtUp { starts } => (Fate::CaughtUp, Some(starts)),
            Outcome::Missed => (Fate::Missed, None),
            Outcome::LeftOut => (Fate::LeftOut, None),
            Outcome::Undecided => (Fate::Undecided, None),
        };
        Self { fire_time, outcome, starts }
    }
}

/// What would fire, be missed and be caught up between two times.
///
/// Over a change of the clock, through outages, under another policy. At most 10,000 fire times.
#[utoipa::path(post, path = "/v1/schedule-simulations", tag = "schedules", security(("token" = ["schedules:read"])), request_body = SimulationOf,
    responses(
        (status = 200, description = "What would become of each fire time.", body = Simulation),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This program cannot read what is stored.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn simulation(State(api): State<Shared>, body: Body<SimulationOf>) -> Result<Json<Simulation>> {
    let SimulationOf { schedule, definition, from, until, outages, takes, misfire, overlap } = body.value;
    const ORDER: &str = "correct one of the two; the end comes after the beginning";
    if until <= from {
        return Err(wrong("until", "does not lie after from", ORDER));
    }
    if outages.len() > MOST_OUTAGES {
        let detail = format!("{} of them; at most {MOST_OUTAGES}", outages.len());
        return Err(wrong("outages", detail, "simulate a shorter time"));
    }
    let mut times = Vec::with_capacity(outages.len());
    for (index, Object(Outage { from, until })) in outages.into_iter().enumerate() {
        if until <= from {
            return Err(wrong(&format!("outages/{index}/until"), "does not lie after from", ORDER));
        }
        times.push((from, until));
    }
    let takes = takes.as_deref().map_or(Ok(Duration::ZERO), parse_duration);
    let takes = takes.and_then(|takes| match takes <= LONGEST_JOB {
        true => Ok(takes),
        false => Err("must be at most \"366d\"".into()),
    });
    let takes = takes.map_err(|problem| wrong("takes", problem, "write a duration such as \"10m\""))?;
    let plan = plan(&api, schedule, definition).await?;
    let supposed = Supposed { from, until, outages: times, takes, misfire, overlap };
    let words = plan.words();
    match api.scheduler.simulate(plan, supposed).await? {
        Some(events) => {
            Ok(Json(Simulation { words, events: events.into_iter().map(SimulatedTime::from).collect() }))
        }
        None => {
            let detail = format!("there are more than {MOST_SIMULATED} fire times until then");
            Err(wrong("until", detail, "simulate a shorter time"))
        }
    }
}
