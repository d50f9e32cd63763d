//! Events as they happen: nothing is missed, nothing is told twice, and a caller gets what it asked for.

use std::collections::BTreeSet;

use futures::StreamExt;
use jobkit::{AuditEntry, Origin};
use reqwest::Method;
use serde_json::{Value, json};
use store::Scope;
use store::state::JobState;

use crate::support::http::{Server, TOKEN, answer};
use crate::support::store::{TestStore, ada, completed, promises};

promises![
    what_happens_is_told_to_everybody_who_listens,
    a_listener_that_was_cut_off_goes_on_where_it_was,
    a_listener_gets_only_what_it_asked_for,
    who_is_cut_off_before_the_first_event_goes_on_from_there,
    what_an_action_is_called_ends_no_stream,
    an_id_that_is_none_is_refused,
];

/// One listener, as a program reads the stream.
pub struct Listener {
    body: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    read: String,
    /// The last `id`, of an event or of none.
    pub last: String,
}

#[derive(Debug)]
pub struct Told {
    pub id: String,
    pub action: String,
    pub data: Value,
}

impl Listener {
    pub async fn start(server: &Server, query: &str, last: Option<&str>) -> Self {
        let mut request = server.bare(Method::GET, &format!("/v1/events{query}")).bearer_auth(TOKEN);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.bytes_stream().boxed(), read: String::new(), last: String::new() }
    }

    /// Until it is said where the stream begins.
    pub async fn begin(&mut self) {
        while self.last.is_empty() {
            match self.read.split_once("\n\n") {
                Some((begin, rest)) => {
                    let id = begin.lines().find_map(|line| line.strip_prefix("id: "));
                    (self.last, self.read) = (id.unwrap_or_default().to_owned(), rest.to_owned());
                }
                None => self.more().await,
            }
        }
    }

    async fn more(&mut self) {
        let piece = self.body.next().await.expect("the stream goes on").unwrap();
        self.read.push_str(std::str::from_utf8(&piece).unwrap());
    }

    pub async fn next(&mut self) -> Told {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let (id, action, data) = (field("id"), field("event"), field("data"));
                self.read = rest.to_owned();
                if !id.is_empty() {
                    self.last.clone_from(&id);
                }
                if !data.is_empty() {
                    return Told { id, action, data: serde_json::from_str(&data).unwrap() };
                }
                continue;
            }
            self.more().await;
        }
    }
}

async fn enqueue(server: &Server, queue: &str) -> Value {
    let wanted = json!({ "kind": "system.noop", "queue": queue });
    server.post("/v1/jobs", &wanted).await.expect(202)["id"].clone()
}

async fn what_happens_is_told_to_everybody_who_listens(t: TestStore) {
    let server = Server::over(t).await;
    enqueue(&server, "default").await;
    let mut listeners = [Listener::start(&server, "", None).await, Listener::start(&server, "", None).await];

    let job = enqueue(&server, "default").await;
    let worker = server.t.worker().await;
    server.t.claim(worker, 1).await;
    server.post("/v1/queues/mail/pause", &json!({ "reason": "month end" })).await.expect(200);

    for listener in &mut listeners {
        let (first, claim, second) = (listener.next().await, listener.next().await, listener.next().await);
        assert_eq!((claim.action.as_str(), &claim.data["outcome"]), ("job.claim", &json!("running")));
        assert_eq!((first.action.as_str(), &first.data["jobs"]), ("job.enqueue", &json!([job])));
        assert_eq!((&first.data["actor"], &first.data["details"]), (&json!("token:api"), &json!({})));
        assert_eq!((second.action.as_str(), &second.data["object"]), ("queue.pause", &json!("mail")));
        assert_eq!(second.data["details"]["reason"], "month end");
        assert_ne!(first.id, second.id);
    }
}

async fn a_listener_that_was_cut_off_goes_on_where_it_was(t: TestStore) {
    let server = Server::over(t).await;
    let mut listener = Listener::start(&server, "", None).await;
    let first = enqueue(&server, "default").await;
    let last = listener.next().await;
    assert_eq!(last.data["jobs"], json!([first]));
    drop(listener);
    let mut missed = BTreeSet::new();
    for _ in 0..20 {
        missed.insert(enqueue(&server, "default").await.to_string());
    }

    let mut again = Listener::start(&server, "", Some(&last.id)).await;

    let mut told = BTreeSet::new();
    while told.len() < missed.len() {
        let event = again.next().await;
        for job in event.data["jobs"].as_array().unwrap() {
            assert!(told.insert(job.to_string()), "told twice: {job}");
        }
    }
    assert_eq!(told, missed);
    let live = enqueue(&server, "default").await;
    assert_eq!(again.next().await.data["jobs"], json!([live]));
}

/// It was told all that had happened since the oldest open transaction began, and once more after it was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_beside_an_open_transaction_is_told_what_comes_and_nothing_that_was_there() {
    let server = Server::over(TestStore::postgres().await).await;
    let mut slow = server.t.connection().await;
    slow.run("BEGIN").await;
    let late = server.t.row();
    server
        .t
        .store
        .insert_in(slow.transaction(), &Scope::Installation, std::slice::from_ref(&late), &ada())
        .await
        .unwrap();
    enqueue(&server, "before").await;

    let mut stays = Listener::start(&server, "", None).await;
    stays.begin().await;
    let mut again = Listener::start(&server, "", Some(&stays.last)).await;
    let after = enqueue(&server, "after").await;
    slow.run("COMMIT").await;

    for listener in [&mut stays, &mut again] {
        assert_eq!(listener.next().await.data["jobs"], json!([late.id]));
    }
    let mut once_more = Listener::start(&server, "", Some(&stays.last)).await;
    for listener in [&mut stays, &mut again, &mut once_more] {
        assert_eq!(listener.next().await.data["jobs"], json!([after]));
    }
}

async fn a_listener_gets_only_what_it_asked_for(t: TestStore) {
    let server = Server::over(t).await;
    let mut mail = Listener::start(&server, "?queue=mail", None).await;
    let mut ends = Listener::start(&server, "?action=job.finish&kind=test.kind", None).await;
    enqueue(&server, "other").await;
    let one = server.t.add(|_| {}).await;
    let mailed = enqueue(&server, "mail").await;
    let worker = server.t.worker().await;
    server.t.run(worker, completed()).await;

    let told = mail.next().await;
    assert_eq!((told.action.as_str(), &told.data["jobs"]), ("job.enqueue", &json!([mailed])));
    let told = ends.next().await;
    assert_eq!((&told.data["jobs"], &told.data["outcome"]), (&json!([one]), &json!("completed")));
    assert_eq!(server.t.state(one).await, JobState::Completed);
}

async fn who_is_cut_off_before_the_first_event_goes_on_from_there(t: TestStore) {
    let server = Server::over(t).await;
    enqueue(&server, "default").await;
    let mut listener = Listener::start(&server, "?queue=default", None).await;
    listener.begin().await;
    let last = listener.last.clone();
    drop(listener);
    let missed = enqueue(&server, "default").await;

    let mut again = Listener::start(&server, "?queue=default", Some(&last)).await;

    assert_eq!(again.next().await.data["jobs"], json!([missed]));
}

/// A job names what it did, and a new line in that name once ended the stream of everybody.
async fn what_an_action_is_called_ends_no_stream(t: TestStore) {
    let server = Server::over(t).await;
    let mut listener = Listener::start(&server, "", None).await;
    let entry = AuditEntry {
        at: None,
        actor: "job".into(),
        action: "test.a\nid: 7".into(),
        object: "x".into(),
        outcome: "ok".into(),
        tenant: None,
        origin: Origin::default(),
        details: json!({}),
    };

    server.t.store.append_audit(&entry).await.unwrap();
    let job = enqueue(&server, "default").await;

    let told = listener.next().await;
    assert_eq!((told.action.as_str(), &told.data["action"]), ("test.a id: 7", &json!("test.a\nid: 7")));
    assert_eq!(listener.next().await.data["jobs"], json!([job]));
}

async fn an_id_that_is_none_is_refused(t: TestStore) {
    let server = Server::over(t).await;
    for wrong in ["", "7", "x-y-z", "1-2-3-4", "-1-2-3", "1-9223372036854775807-1", "999999-1-1", "é"] {
        let request =
            server.bare(Method::GET, "/v1/events").bearer_auth(TOKEN).header("last-event-id", wrong);
        let problem = answer(request).await.expect(400);
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["field"]),
            (&json!("invalid_header"), &json!("Last-Event-ID"))
        );
    }
}
