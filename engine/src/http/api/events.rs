//! `GET /v1/events`: what happens, as it happens. The audit log is the log of events: what is not in it did not happen,
//! and its positions are what callers go on from.
//!
//! One reader per process feeds everybody who listens. Who falls behind is told to come again from where it was; it
//! loses nothing and holds nobody up.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use jobkit::{AuditEntry, Clock, JobId};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;

use super::lookout::Lookout;
use crate::http::Shared;
use crate::http::extract::{Parameters, job_id};
use crate::http::problem::{Code, Problem, Result};
use crate::service::{Alarm, Patience, Service};
use crate::store::{self, JobFilter, Position, Store};

/// An entry of a large batch names ten thousand jobs, so a page is not long, or it would be heavy.
const PAGE: usize = 50;
/// So many pages may wait for one listener.
const MOST_WAITING: usize = 64;
/// Proxies take a connection that says nothing for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What the reader found in one look: all there is behind a place, as far as it goes.
#[derive(Clone)]
struct Page {
    behind: Position,
    entries: Arc<Vec<(Position, AuditEntry)>>,
}

/// Those who listen.
#[derive(Clone)]
pub struct Events {
    pages: broadcast::Sender<Page>,
    somebody: Arc<tokio::sync::Notify>,
}

impl Events {
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        hints: watch::Receiver<()>,
        alarm: &Alarm,
    ) -> (Self, Service) {
        let events = Self { pages: broadcast::Sender::new(MOST_WAITING), somebody: Arc::default() };
        let reading = events.clone().read(store, clock, hints);
        let reader = Service::start("reader of events", alarm, |stop| async move {
            stop.run_until_cancelled(reading).await.unwrap_or_default();
        });
        (events, reader)
    }

    fn subscribe(&self) -> broadcast::Receiver<Page> {
        let pages = self.pages.subscribe();
        self.somebody.notify_one();
        pages
    }

    /// Reads along while somebody listens. Everybody begins by reading for itself. Where the reader begins it says with
    /// an empty page, so that whoever stopped before that reads on for itself.
    async fn read(self, store: Arc<dyn Store>, clock: Arc<dyn Clock>, hints: watch::Receiver<()>) {
        let mut patience = Patience::new("reading events", clock.clone());
        let mut lookout = Lookout::new(hints, clock);
        let mut place: Option<Position> = None;
        loop {
            lookout.begin();
            if self.pages.receiver_count() == 0 {
                place = None;
                self.somebody.notified().await;
                lookout.hurry();
                continue;
            }
            let read = match place {
                None => store.audit_head().await.map(|head| (head, Vec::new())),
                Some(from) => store.audit_after(from, PAGE).await.map(|entries| (from, entries)),
            };
            match read {
                Ok((behind, entries)) => {
                    patience.succeeded();
                    let full = entries.len() == PAGE;
                    let news = !entries.is_empty();
                    let begins = place.is_none();
                    place = Some(entries.last().map_or(behind, |(position, _)| *position));
                    if news {
                        lookout.hurry();
                    }
                    if news || begins {
                        // Nobody listening any more is no trouble.
                        let _ = self.pages.send(Page { behind, entries: Arc::new(entries) });
                    }
                    if !full {
                        lookout.next(self.somebody.notified()).await;
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }
}

/// Which events a listener wants; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wish {
    jobs: HashSet<JobId>,
    kinds: HashSet<String>,
    queues: HashSet<String>,
    actions: HashSet<String>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Happened {
    pub at: Option<Timestamp>,
    /// Who did it.
    pub actor: String,
    /// What was done, such as `job.enqueue`, `job.finish` or `queue.pause`.
    pub action: String,
    /// To what: a queue, the kind of the jobs when they share one, or a thing of a family's own.
    pub object: String,
    /// How it ended.
    pub outcome: String,
    pub tenant: Option<String>,
    /// The jobs it was done to; with conditions, those of them that meet them.
    #[schema(value_type = Vec<Uuid>)]
    pub jobs: Vec<JobId>,
    #[schema(value_type = Object)]
    pub details: Value,
}

impl Wish {
    fn read(given: &Parameters) -> Result<Self> {
        let id = |text: &str| job_id("job", text).map_err(|_| "a job id".to_owned());
        Ok(Self {
            jobs: given.all("job", id)?.into_iter().collect(),
            kinds: given.texts("kind")?.into_iter().collect(),
            queues: given.texts("queue")?.into_iter().collect(),
            actions: given.texts("action")?.into_iter().collect(),
        })
    }

    /// An entry names its jobs and not their queues and kinds, so those are looked up.
    fn asks_about_jobs(&self) -> bool {
        !self.kinds.is_empty() || !self.queues.is_empty()
    }

    /// The event if it is wanted. `known` has kind and queue of the jobs; one that was pruned meets no condition.
    fn grant(&self, entry: &AuditEntry, known: &HashMap<JobId, (String, String)>) -> Option<Happened> {
        if !self.actions.is_empty() && !self.actions.contains(&entry.action) {
            return None;
        }
        let mut details = entry.details.clone();
        let jobs = jobs_of(entry);
        if let Some(fields) = details.as_object_mut() {
            fields.remove("jobs");
        }
        let asked = !self.jobs.is_empty() || self.asks_about_jobs();
        let meets = |id: &JobId| {
            let (kind, queue) = known.get(id).map_or(("", ""), |(kind, queue)| (kind, queue));
            (self.jobs.is_empty() || self.jobs.contains(id))
                && (self.kinds.is_empty() || self.kinds.contains(kind))
                && (self.queues.is_empty() || self.queues.contains(queue))
        };
        // What is done to a queue names it, and no job.
        let of_queue = self.jobs.is_empty()
            && self.kinds.is_empty()
            && entry.action.starts_with("queue.")
            && self.queues.contains(&entry.object);
        let jobs: Vec<_> = if asked { jobs.into_iter().filter(meets).collect() } else { jobs };
        (!asked || of_queue || !jobs.is_empty()).then(|| Happened {
            at: entry.at,
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            object: entry.object.clone(),
            outcome: entry.outcome.clone(),
            tenant: entry.tenant.clone(),
            jobs,
            details,
        })
    }
}

fn jobs_of(entry: &AuditEntry) -> Vec<JobId> {
    let ids = entry.details.get("jobs").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// Events as they happen, as server-sent events.
///
/// Each has an `id`. Who was cut off sends the last one it got as `Last-Event-ID` and misses nothing; without it the
/// stream begins now. A comment comes every 15 seconds at least. Who reads too slowly is sent away with a comment
/// that says so.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("job" = Option<Vec<Uuid>>, Query, description = "About one of these jobs."),
        ("kind" = Option<Vec<String>>, Query, description = "About jobs of one of these kinds."),
        ("queue" = Option<Vec<String>>, Query, description = "About one of these queues, or jobs in it."),
        ("action" = Option<Vec<String>>, Query, description = "One of these actions."),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received.", pattern = "^[0-9]+-[0-9]+-[0-9]+$"),
    ),
    responses((status = 200, description = "A stream that does not end by itself. The data of each event is JSON.", body = Happened, content_type = "text/event-stream")))]
pub async fn stream(
    State(api): State<Shared>,
    headers: HeaderMap,
    given: Parameters,
) -> Result<Response> {
    let wish = Wish::read(&given)?;
    let resumed = headers.get("last-event-id").map(position).transpose()?;
    // Before the first look, or what is written between the two would be in neither.
    let pages = api.events.subscribe();
    let head = api.store.audit_head().await?;
    let from = match resumed {
        // A database that was restored has lost it, and would tell nothing until it has come as far again.
        Some(position) if position > head => return Err(no_event("lies behind the end of the log")),
        Some(position) => position,
        None => head,
    };
    let listener = Listener { store: api.store.clone(), wish, pages, place: from, caught_up: false };
    let ending = api.ending.clone();
    let events = listener.events().take_until(async move { ending.cancelled().await });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    // A proxy that gathers answers would keep them for itself.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn position(value: &HeaderValue) -> Result<Position> {
    let text = value.to_str().unwrap_or_default();
    text.parse().map_err(|_| no_event("is the id of no event"))
}

fn no_event(what: &str) -> Problem {
    let name = "Last-Event-ID";
    let remedy = "send the id of the last event as it came, or leave it out to begin now";
    Problem::new(Code::InvalidHeader, format!("{name}: {what}"), remedy).at(name)
}

struct Listener {
    store: Arc<dyn Store>,
    wish: Wish,
    pages: broadcast::Receiver<Page>,
    place: Position,
    /// It has read all that was there when it came, and goes on with what the reader sends.
    caught_up: bool,
}

enum Next {
    Events(Vec<Event>),
    Last(Event),
}

impl Listener {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        let steps = stream::unfold(Some(self), |listener| async move {
            let mut listener = listener?;
            match listener.next().await {
                Ok(Next::Events(events)) => Some((events, Some(listener))),
                Ok(Next::Last(event)) => Some((vec![event], None)),
                Err(problem) => {
                    tracing::warn!("a stream of events ends: {problem}");
                    let event =
                        Event::default().comment("the store does not answer; come again with Last-Event-ID");
                    Some((vec![event], None))
                }
            }
        });
        steps.flat_map(|events| stream::iter(events.into_iter().map(Ok)))
    }

    async fn next(&mut self) -> store::Result<Next> {
        if !self.caught_up {
            let entries = self.store.audit_after(self.place, PAGE).await?;
            self.caught_up = entries.len() < PAGE;
            return Ok(Next::Events(self.wanted(&entries).await?));
        }
        match self.pages.recv().await {
            // The reader began behind what this one had read; what lies between is in no page.
            Ok(page) if page.behind > self.place => {
                self.caught_up = false;
                Ok(Next::Events(Vec::new()))
            }
            Ok(page) => Ok(Next::Events(self.wanted(&page.entries).await?)),
            Err(RecvError::Lagged(_)) => {
                let text = "you read too slowly; come again with Last-Event-ID and nothing is lost";
                Ok(Next::Last(Event::default().comment(text)))
            }
            Err(RecvError::Closed) => {
                Ok(Next::Last(Event::default().comment("this process ends; come again")))
            }
        }
    }

    /// Those that are wanted and were not told yet.
    async fn wanted(&mut self, entries: &[(Position, AuditEntry)]) -> store::Result<Vec<Event>> {
        let place = self.place;
        let fresh: Vec<_> = entries.iter().filter(|(position, _)| *position > place).collect();
        let known = match self.wish.asks_about_jobs() {
            true => self.look_up(fresh.iter().flat_map(|(_, entry)| jobs_of(entry)).collect()).await?,
            false => HashMap::new(),
        };
        let mut events = Vec::new();
        for (position, entry) in fresh {
            self.place = *position;
            let Some(happened) = self.wish.grant(entry, &known) else { continue };
            let event = Event::default().id(position.to_string()).event(&happened.action);
            // What is made of JSON can be written as JSON.
            events.extend(event.json_data(&happened).ok());
        }
        Ok(events)
    }

    async fn look_up(&self, ids: HashSet<JobId>) -> store::Result<HashMap<JobId, (String, String)>> {
        let ids: Vec<_> = ids.into_iter().collect();
        let mut known = HashMap::new();
        for some in ids.chunks(1_000) {
            let filter = JobFilter { ids: some.to_vec(), limit: Some(some.len()), ..JobFilter::default() };
            let jobs = self.store.jobs(&filter).await?;
            known.extend(jobs.into_iter().map(|job| (job.id, (job.kind, job.queue))));
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn entry(action: &str, object: &str, jobs: &[u128]) -> AuditEntry {
        let ids: Vec<_> = jobs.iter().map(|id| Uuid::from_u128(*id)).collect();
        AuditEntry {
            at: None,
            actor: "user:ada".into(),
            action: action.into(),
            object: object.into(),
            outcome: "ok".into(),
            tenant: None,
            details: json!({ "jobs": ids, "reason": "because" }),
        }
    }

    /// It came while nobody listened: it had read all there was before the reader had found its place.
    #[tokio::test]
    async fn what_is_written_before_the_reader_begins_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
        let clock = Arc::new(jobkit::testing::ManualClock::default());
        let store = store::sqlite::SqliteStore::open(&url, clock).await.unwrap();
        store.migrate().await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let (sender, pages) = broadcast::channel(8);
        let place = store.audit_head().await.unwrap();
        let wish = Wish::default();
        let mut listener = Listener { store: store.clone(), wish, pages, place, caught_up: true };

        store.append_audit(&entry("test.between", "x", &[])).await.unwrap();
        let behind = store.audit_head().await.unwrap();
        store.append_audit(&entry("test.after", "x", &[])).await.unwrap();
        let entries = Arc::new(store.audit_after(behind, 10).await.unwrap());
        assert!(sender.send(Page { behind, entries: Arc::default() }).is_ok());
        assert!(sender.send(Page { behind, entries }).is_ok());
        drop(sender);

        let mut told = Vec::new();
        while told.len() < 2 {
            let Next::Events(events) = listener.next().await.unwrap() else { panic!("it ended") };
            told.extend(events.iter().map(|event| format!("{event:?}")));
        }
        assert!(told[0].contains("test.between") && told[1].contains("test.after"), "{told:?}");
        assert_eq!(listener.place, store.audit_head().await.unwrap());
    }

    #[test]
    fn a_listener_gets_what_it_asked_for_and_only_those_jobs() {
        let known: HashMap<_, _> = [(1, ("a.b", "mail")), (2, ("a.c", "mail")), (3, ("a.b", "slow"))]
            .into_iter()
            .map(|(id, (kind, queue))| (JobId(Uuid::from_u128(id)), (kind.to_owned(), queue.to_owned())))
            .collect();
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<HashSet<_>>();
        let finish = || entry("job.finish", "job", &[1, 2, 3]);
        for (wish, entry, wanted) in [
            (Wish::default(), finish(), Some(vec![1, 2, 3])),
            (Wish::default(), entry("queue.pause", "mail", &[]), Some(vec![])),
            (Wish { actions: set(&["job.enqueue"]), ..Wish::default() }, finish(), None),
            (Wish { kinds: set(&["a.b"]), ..Wish::default() }, finish(), Some(vec![1, 3])),
            (
                Wish { kinds: set(&["a.b"]), queues: set(&["mail"]), ..Wish::default() },
                finish(),
                Some(vec![1]),
            ),
            (Wish { kinds: set(&["other"]), ..Wish::default() }, finish(), None),
            (
                Wish { queues: set(&["mail"]), ..Wish::default() },
                entry("queue.pause", "mail", &[]),
                Some(vec![]),
            ),
            (Wish { queues: set(&["slow"]), ..Wish::default() }, entry("queue.pause", "mail", &[]), None),
            (Wish { jobs: [JobId(Uuid::from_u128(2))].into(), ..Wish::default() }, finish(), Some(vec![2])),
            (Wish { jobs: [JobId(Uuid::from_u128(9))].into(), ..Wish::default() }, finish(), None),
        ] {
            let told = wish.grant(&entry, &known);
            let jobs = told.map(|told| told.jobs.iter().map(|id| id.0.as_u128()).collect::<Vec<_>>());
            assert_eq!(jobs, wanted, "{wish:?}");
        }
    }
}
