//! `GET /v1/events`: what happens, as it happens. The audit log is the log of events: what is not in it did not happen,
//! and its positions are what callers go on from.
//!
//! One reader per process feeds everybody who listens. Who falls behind reads for itself until it is there again; it
//! loses nothing and holds nobody up.

mod wish;

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use jobkit::{AuditEntry, Clock, JobId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

pub use self::wish::Happened;
use self::wish::{Known, Wish, within};
use crate::http::Shared;
use crate::http::access::Still;
use crate::http::extract::Parameters;
use crate::http::problem::{Code, Problem, Result};
use crate::lookout::Lookout;
use crate::service::{Alarm, Patience, Service};
use store::{self, AuditPage, JobFilter, Place, Position, Scope, Store};

const PAGE: usize = 50;
/// An entry of a large batch names ten thousand jobs, and a page of such would be heavy.
const MOST_PAGE_BYTES: u64 = 256 << 10;
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
                None => {
                    let nothing = AuditPage { entries: Vec::new(), more: false };
                    store.audit_head().await.map(|head| (head.at, nothing))
                }
                Some(from) => {
                    let page = store.audit_page(from, PAGE, MOST_PAGE_BYTES).await;
                    page.map(|page| (from, page))
                }
            };
            match read {
                Ok((behind, AuditPage { entries, more })) => {
                    patience.succeeded();
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
                    if !more {
                        lookout.next(self.somebody.notified()).await;
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }
}

/// Events as they happen, as server-sent events.
///
/// Each has an `id`. Who was cut off sends the last one it got as `Last-Event-ID` and misses nothing; without it the
/// stream begins now. The first thing that comes is an `id` without data, which says where that is. A comment comes
/// every 15 seconds at least. A tenant hears of its own jobs and schedules; of what was done to jobs of others at the same time it
/// hears the part that is its own, without details.
#[utoipa::path(get, path = "/v1/events", tag = "events", security(("token" = ["events:read"])),
    params(
        ("job" = Option<Vec<Uuid>>, Query, description = "About one of these jobs."),
        ("kind" = Option<Vec<String>>, Query, description = "About jobs of one of these kinds."),
        ("queue" = Option<Vec<String>>, Query, description = "About one of these queues, or jobs in it."),
        ("action" = Option<Vec<String>>, Query, description = "One of these actions. Without it all come but those of reading, `access.…`."),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received.", pattern = "^[0-9]+-[0-9]+-[0-9]+(~[0-9]+:[0-9]+(,[0-9]+)*)?$"),
    ),
    responses((status = 200, description = "A stream that goes on for as long as whoever listens may. The data of each event is JSON.", body = Happened, content_type = "text/event-stream")))]
pub async fn stream(
    State(api): State<Shared>,
    still: Still,
    headers: HeaderMap,
    given: Parameters,
) -> Result<Response> {
    let wish = Wish::read(&given)?;
    let resumed = headers.get("last-event-id").map(place).transpose()?;
    // Before the first look, or what is written between the two would be in neither.
    let pages = api.events.subscribe();
    let head = api.store.audit_head().await?;
    let from = match resumed {
        // A database that was restored has lost it, and would tell nothing until it has come as far again.
        Some(place) if place.lies_behind(&head) => return Err(no_event("lies behind the end of the log")),
        Some(place) => place,
        None => head,
    };
    let (store, scope) = (api.store.clone(), api.scope());
    let listener = Listener { store, scope, wish, pages, place: from, caught_up: false };
    let events = listener.events().take_until(async move {
        tokio::select! {
            () = api.ending.cancelled() => {}
            () = still.over(api.clone()) => {}
        }
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    // A proxy that gathers answers would keep them for itself.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn place(value: &HeaderValue) -> Result<Place> {
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
    /// Pages are of the whole log; what a tenant hears of them is decided here, and whose a job is, by the store.
    scope: Scope,
    wish: Wish,
    pages: broadcast::Receiver<Page>,
    place: Place,
    /// It has read all that was there when it came, and goes on with what the reader sends.
    caught_up: bool,
}

enum Next {
    Events(Vec<Event>),
    Last(Event),
}

impl Listener {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        // Who is cut off before the first event can go on from here.
        let begin = Event::default().id(self.place.to_string()).comment("it begins behind this");
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
        let events = steps.flat_map(|events| stream::iter(events.into_iter().map(Ok)));
        stream::iter([Ok(begin)]).chain(events)
    }

    async fn next(&mut self) -> store::Result<Next> {
        if !self.caught_up {
            let page = self.store.audit_page(self.place.at, PAGE, MOST_PAGE_BYTES).await?;
            self.caught_up = !page.more;
            return Ok(Next::Events(self.wanted(&page.entries).await?));
        }
        match self.pages.recv().await {
            // The reader began behind what this one had read; what lies between is in no page.
            Ok(page) if page.behind > self.place.at => {
                self.caught_up = false;
                Ok(Next::Events(Vec::new()))
            }
            Ok(page) => Ok(Next::Events(self.wanted(&page.entries).await?)),
            // Pages were dropped while it read slowly, or looked up jobs: what was in them is in the log.
            Err(RecvError::Lagged(_)) => {
                self.caught_up = false;
                Ok(Next::Events(Vec::new()))
            }
            Err(RecvError::Closed) => {
                Ok(Next::Last(Event::default().comment("this process ends; come again")))
            }
        }
    }

    /// Those that are wanted and were not told yet.
    async fn wanted(&mut self, entries: &[(Position, AuditEntry)]) -> store::Result<Vec<Event>> {
        let place = self.place.clone();
        let fresh: Vec<_> = place.news(entries).filter(|(position, _)| *position > place.at).collect();
        let jobs = fresh.iter().flat_map(|(_, entry)| self.wish.unknown_jobs(&self.scope, entry)).collect();
        let known = self.look_up(jobs).await?;
        let mut events = Vec::new();
        for (position, entry) in fresh {
            let Some(entry) = within(&self.scope, entry, &known) else { continue };
            let Some(happened) = self.wish.grant(&entry, &known) else { continue };
            let told = place.clone().moved_to(*position);
            let event = Event::default().id(told.to_string()).event(on_one_line(&happened.action));
            // What is made of JSON can be written as JSON.
            events.extend(event.json_data(&happened).ok());
        }
        if let Some((last, _)) = entries.last().filter(|(last, _)| *last > place.at) {
            self.place = place.moved_to(*last);
        }
        Ok(events)
    }

    async fn look_up(&self, ids: HashSet<JobId>) -> store::Result<Known> {
        let ids: Vec<_> = ids.into_iter().collect();
        let mut known = Known::new();
        for some in ids.chunks(1_000) {
            let filter = JobFilter { ids: some.to_vec(), limit: Some(some.len()), ..JobFilter::default() };
            let jobs = self.store.briefs(&self.scope, &filter).await?;
            known.extend(jobs.into_iter().map(|job| (job.id, (job.kind, job.queue))));
        }
        Ok(known)
    }
}

/// An action comes from a job too, and a new line would end the field, and the stream with it.
fn on_one_line(action: &str) -> Cow<'_, str> {
    match action.contains(['\r', '\n']) {
        true => Cow::Owned(action.replace(['\r', '\n'], " ")),
        false => Cow::Borrowed(action),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(action: &str) -> AuditEntry {
        AuditEntry {
            at: None,
            actor: "user:ada".into(),
            action: action.into(),
            object: "x".into(),
            outcome: "ok".into(),
            tenant: None,
            origin: jobkit::Origin::default(),
            details: json!({ "reason": "because" }),
        }
    }

    async fn store() -> (tempfile::TempDir, Arc<dyn Store>) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
        let clock = Arc::new(jobkit::testing::ManualClock::default());
        let store = store_sqlite::SqliteStore::open(&url, clock).await.unwrap();
        store.migrate().await.unwrap();
        (folder, Arc::new(store))
    }

    async fn listener(store: &Arc<dyn Store>, pages: broadcast::Receiver<Page>) -> Listener {
        let place = store.audit_head().await.unwrap();
        let (store, scope) = (store.clone(), Scope::Installation);
        Listener { store, scope, wish: Wish::default(), pages, place, caught_up: true }
    }

    /// Who read slowly was sent away, and one with conditions might never have come further.
    #[tokio::test]
    async fn a_listener_that_falls_behind_reads_on_for_itself() {
        let (_folder, store) = store().await;
        let (sender, pages) = broadcast::channel(1);
        let mut listener = listener(&store, pages).await;
        for number in 0..3 {
            let behind = store.audit_head().await.unwrap().at;
            store.append_audit(&entry(&format!("test.{number}"))).await.unwrap();
            let entries = Arc::new(store.audit_after(behind, 10).await.unwrap());
            assert!(sender.send(Page { behind, entries }).is_ok());
        }

        let mut told = Vec::new();
        while told.len() < 3 {
            let Next::Events(events) = listener.next().await.unwrap() else { panic!("it ended") };
            told.extend(events.iter().map(|event| format!("{event:?}")));
        }

        for (number, event) in told.iter().enumerate() {
            assert!(event.contains(&format!("test.{number}")), "{told:?}");
        }
    }

    #[test]
    fn an_action_stays_on_its_line() {
        for (action, line) in [("job.finish", "job.finish"), ("a\nid: 7\r\n", "a id: 7  ")] {
            assert_eq!(on_one_line(action), line);
        }
    }

    /// It came while nobody listened: it had read all there was before the reader had found its place.
    #[tokio::test]
    async fn what_is_written_before_the_reader_begins_is_not_lost() {
        let (_folder, store) = store().await;
        let (sender, pages) = broadcast::channel(8);
        let mut listener = listener(&store, pages).await;

        store.append_audit(&entry("test.between")).await.unwrap();
        let behind = store.audit_head().await.unwrap().at;
        store.append_audit(&entry("test.after")).await.unwrap();
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
}
