//! How callers hear of what happens: at once from this process, and nobody waits for one who does not read.

use std::sync::Arc;
use std::time::Duration;

use jobkit::testing::ManualClock;
use jobkit::{AuditEntry, Origin};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::events::Listener;
use crate::support::http::{Server, Setup, TOKEN, answer};
use crate::support::store::{TestStore, promises};

promises![
    a_wait_ends_with_the_job_and_not_with_the_next_look,
    an_event_is_told_when_it_happens_and_not_at_the_next_look,
    a_listener_that_reads_slowly_holds_nobody_up_and_loses_nothing,
];

/// Time stands still in the server, so whatever is heard was hinted at.
async fn frozen(t: TestStore) -> (Server, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (Server::with(t, Setup { clock: clock.clone(), ..Setup::default() }).await, clock)
}

/// Looks have a least distance; this is the end of it.
async fn let_it_look_once(clock: &ManualClock, asleep: usize) {
    until_asleep(clock, asleep).await;
    clock.advance(Duration::from_millis(50));
    until_asleep(clock, asleep).await;
}

async fn until_asleep(clock: &ManualClock, count: usize) {
    while clock.sleepers() != count {
        tokio::task::yield_now().await;
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it is told without a look")
}

async fn noop(server: &Server) -> String {
    let enqueued = server.post("/v1/jobs", &json!({ "kind": "system.noop" })).await.expect(202);
    enqueued["id"].as_str().unwrap().to_owned()
}

async fn a_wait_ends_with_the_job_and_not_with_the_next_look(t: TestStore) {
    let (server, clock) = frozen(t).await;
    let job = noop(&server).await;
    let wait = server.bare(Method::GET, &format!("/v1/jobs/{job}/wait")).bearer_auth(TOKEN);
    let waiting = tokio::spawn(answer(wait));
    // The time-out of the caller, and whoever looks for it.
    let_it_look_once(&clock, 2).await;

    server.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.expect(200);

    assert_eq!(in_time(waiting).await.unwrap().expect(200)["state"], "cancelled");
}

async fn an_event_is_told_when_it_happens_and_not_at_the_next_look(t: TestStore) {
    let (server, clock) = frozen(t).await;
    let mut listener = Listener::start(&server, "", None).await;
    // Whoever looks, and whoever asks whether the listener may still listen.
    let_it_look_once(&clock, 2).await;

    let job = noop(&server).await;

    assert_eq!(in_time(listener.next()).await.data["jobs"], json!([job]));
}

/// A listener with little room, which has asked and reads no further than the head of the answer.
async fn dawdler(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream
}

async fn a_listener_that_reads_slowly_holds_nobody_up_and_loses_nothing(t: TestStore) {
    let server = Server::over(t).await;
    let mut slow = dawdler(&server).await;
    let mut quick = Listener::start(&server, "", None).await;

    // What is on the way fills the system's own room between the two first, and then the pages that wait.
    for n in 0..90 {
        let text = "x".repeat(if n < 20 { 400_000 } else { 1 });
        let entry = AuditEntry {
            at: None,
            actor: "user:ada".into(),
            action: "test.told".into(),
            object: n.to_string(),
            outcome: "ok".into(),
            tenant: None,
            origin: Origin::default(),
            details: json!({ "text": text }),
        };
        server.t.store.append_audit(&entry).await.unwrap();
        assert_eq!(quick.next().await.data["object"], json!(n.to_string()));
    }

    let (mut heard, mut piece) = (Vec::new(), vec![0; 1 << 20]);
    while told(&heard[heard.len().saturating_sub(1_000)..]).last().is_none_or(|last| last != "89") {
        let read = slow.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "the stream goes on");
        heard.extend_from_slice(&piece[..read]);
    }
    assert_eq!(told(&heard), (0..90).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// The objects of the events, the last of a whole stream or of its end.
fn told(heard: &[u8]) -> Vec<String> {
    let lines = heard.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data: "));
    let object = |line: &[u8]| {
        let head = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
        head.split_once("\"object\":\"").map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
    };
    lines.filter_map(object).collect()
}
