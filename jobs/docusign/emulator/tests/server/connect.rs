//! Deliveries to a receiver that checks signatures and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docusign_emulator::{Delivered, Delivery, Mode, Retry, Switches};
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Caller, definition, start};

#[derive(Debug, Clone)]
struct Came {
    head: String,
    body: Vec<u8>,
}

impl Came {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn event(&self) -> String {
        self.json()["event"].as_str().unwrap().to_owned()
    }

    /// Which of these keys signed it, in the order of the headers.
    fn signed_by<'a>(&self, keys: &[&'a str]) -> Vec<&'a str> {
        let signatures = self.head.lines().filter(|line| line.starts_with("X-DocuSign-Signature-"));
        signatures
            .filter_map(|line| {
                let tag = STANDARD.decode(line.split_once(": ").unwrap().1).unwrap();
                let of = |key: &&&str| {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
                    hmac::verify(&key, &self.body, &tag).is_ok()
                };
                keys.iter().find(of).copied()
            })
            .collect()
    }
}

struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// It answers 200 when nothing else is left to answer.
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let it = Self { url, came: Arc::default(), answers: Arc::default() };
        let (came, answers) = (it.came.clone(), it.answers.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut all = Vec::new();
                let (head, body) = loop {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap();
                    all.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&all).into_owned();
                    let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.split_once("Content-Length: ").unwrap().1;
                    let length: usize = length.lines().next().unwrap().parse().unwrap();
                    if all.len() == head.len() + 4 + length {
                        break (head.to_owned(), all[head.len() + 4..].to_vec());
                    }
                };
                came.lock().unwrap().push(Came { head, body });
                let status = answers.lock().unwrap().pop_front().unwrap_or(200);
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        it
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<String> {
        self.came().iter().map(Came::event).collect()
    }

    fn answers(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }
}

async fn sent(caller: &Caller, receiver: &Receiver, acknowledged: bool) -> String {
    let mut said = definition("t-1", "sent");
    said["eventNotification"] = json!({
        "url": receiver.url, "events": ["envelope-sent", "envelope-completed", "recipient-completed"],
        "requireAcknowledgment": acknowledged.to_string(), "includeHMAC": "true",
        "eventData": {"version": "restv2.1", "format": "json", "includeData": ["recipients"]},
    });
    let answer = caller.call("POST", "/envelopes", said).await.expect(201);
    answer["envelopeId"].as_str().unwrap().to_owned()
}

async fn sign(caller: &Caller, id: &str) {
    caller.control("POST", &format!("/envelopes/{id}/recipients/1/sign"), Value::Null).await.expect(200);
}

fn holding(options: &mut docusign_emulator::Options) {
    options.switches = Switches { connect: Delivery::Hold, ..Switches::default() };
}

#[tokio::test]
async fn events_are_delivered_in_order_with_a_signature_for_each_key() {
    let receiver = Receiver::start().await;
    let (emulator, caller) = start(|options| options.hmac_keys = vec!["old".into()]).await;
    let id = sent(&caller, &receiver, true).await;
    emulator.delivered().await;
    // Rotated while it runs: the new key signs first, the old one beside it.
    emulator.set_hmac_keys(&["new".into(), "old".into()]);
    sign(&caller, &id).await;
    emulator.delivered().await;

    let wanted = ["envelope-sent", "recipient-completed", "recipient-completed", "envelope-completed"];
    assert_eq!(receiver.events(), wanted);
    let came = receiver.came();
    assert_eq!(came[0].signed_by(&["old", "new"]), ["old"]);
    assert_eq!(came[3].signed_by(&["old", "new"]), ["new", "old"]);
    assert!(came[0].head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"));
    assert!(came[0].head.contains("\r\nX-Authorization-Digest: HMACSHA256\r\n"));
    let last = came[3].json();
    assert_eq!((&last["data"]["envelopeId"], &last["retryCount"]), (&json!(id), &json!(0)));
    assert_eq!(last["data"]["envelopeSummary"]["status"], "completed");
    assert_eq!(last["data"]["envelopeSummary"]["recipients"]["signers"][0]["status"], "completed");
    assert_eq!(came[1].json()["data"]["recipientId"], "1");
}

#[tokio::test]
async fn what_waits_is_delivered_as_it_is_asked_for() {
    for (mode, wanted, result) in [
        (
            Mode::Normal,
            vec!["envelope-sent", "recipient-completed", "recipient-completed", "envelope-completed"],
            (4, 0),
        ),
        (
            Mode::Reverse,
            vec!["envelope-completed", "recipient-completed", "recipient-completed", "envelope-sent"],
            (4, 0),
        ),
        (
            Mode::Duplicate,
            vec![
                "envelope-sent",
                "envelope-sent",
                "recipient-completed",
                "recipient-completed",
                "recipient-completed",
                "recipient-completed",
                "envelope-completed",
                "envelope-completed",
            ],
            (8, 0),
        ),
        (Mode::Drop, vec![], (0, 4)),
    ] {
        let receiver = Receiver::start().await;
        let (emulator, caller) = start(holding).await;
        let id = sent(&caller, &receiver, true).await;
        sign(&caller, &id).await;
        assert_eq!(receiver.events(), Vec::<String>::new());
        let delivered = emulator.deliver(mode).await;
        assert_eq!(delivered, Delivered { acknowledged: result.0, failed: 0, dropped: result.1 });
        assert_eq!(receiver.events(), wanted, "{mode:?}");
        let again = caller.control("POST", "/connect/deliver?mode=normal", Value::Null).await.expect(200);
        assert_eq!(again, json!({"acknowledged": 0, "failed": 0, "dropped": 0}), "{mode:?}");
    }
    let (_emulator, caller) = start(holding).await;
    assert_eq!(caller.control("POST", "/connect/deliver?mode=odd", Value::Null).await.status, 400);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_only_where_that_was_asked_for() {
    for (acknowledged, tries) in [(true, 2), (false, 1)] {
        let receiver = Receiver::start().await;
        receiver.answers(&[503]);
        let (emulator, caller) = start(|_| {}).await;
        sent(&caller, &receiver, acknowledged).await;
        emulator.delivered().await;
        emulator.advance(Duration::from_secs(14)).unwrap();
        emulator.delivered().await;
        assert_eq!(receiver.came().len(), 1);
        emulator.advance(Duration::from_secs(1)).unwrap();
        emulator.delivered().await;
        assert_eq!(receiver.came().len(), tries);
        let last = receiver.came().pop().unwrap().json();
        assert_eq!(last["retryCount"], json!(tries - 1));
        assert_eq!(last["generatedDateTime"], "2026-03-01T10:00:00.0000000Z");
    }
}

#[tokio::test]
async fn a_repeated_delivery_keeps_its_time_or_has_a_new_one() {
    let receiver = Receiver::start().await;
    receiver.answers(&[503]);
    let (emulator, caller) = start(|options| options.switches.connect_retry_keeps_time = false).await;
    sent(&caller, &receiver, true).await;
    emulator.delivered().await;
    emulator.advance(Duration::from_secs(15)).unwrap();
    emulator.delivered().await;
    let came = receiver.came();
    assert_eq!(came[0].json()["generatedDateTime"], "2026-03-01T10:00:00.0000000Z");
    assert_eq!(came[1].json()["generatedDateTime"], "2026-03-01T10:00:15.0000000Z");
}

#[tokio::test]
async fn under_daily_retries_what_comes_later_waits_behind() {
    let receiver = Receiver::start().await;
    receiver.answers(&[500]);
    let (emulator, caller) = start(|options| options.switches.connect_retry = Retry::Daily).await;
    let id = sent(&caller, &receiver, true).await;
    emulator.delivered().await;
    sign(&caller, &id).await;
    // Nothing is due but what is held back.
    let failures = caller.get("/connect/failures").await.expect(200);
    assert_eq!(failures["failures"][0]["error"], "the receiver answered 500");
    assert_eq!(receiver.events(), ["envelope-sent"]);
    caller.call("PUT", &format!("/connect/envelopes/{id}/retry_queue"), json!({})).await.expect(200);
    emulator.delivered().await;
    let wanted = [
        "envelope-sent",
        "envelope-sent",
        "recipient-completed",
        "recipient-completed",
        "envelope-completed",
    ];
    assert_eq!(receiver.events(), wanted);
}

#[tokio::test]
async fn keys_are_made_and_deleted_by_the_api() {
    let (_emulator, caller) = start(|_| {}).await;
    let made = caller.call("POST", "/connect/secret", json!(null)).await.expect(201);
    let listed = caller.get("/connect/secret").await.expect(200);
    assert_eq!(listed["hmacSecrets"], json!([{"keyId": made["keyId"]}]), "a secret is shown once");
    let path = format!("/connect/secret/{}", made["keyId"].as_str().unwrap());
    caller.call("DELETE", &path, json!(null)).await.expect(200);
    assert_eq!(caller.call("DELETE", &path, json!(null)).await.status, 400);
}

#[tokio::test]
async fn nothing_is_delivered_beyond_this_machine_but_another_door_can_be_named() {
    let receiver = Receiver::start().await;
    let elsewhere = Receiver { url: "https://audit.example.com/hook?x=1".into(), ..Receiver::start().await };
    let (emulator, caller) = start(|_| {}).await;
    sent(&caller, &elsewhere, false).await;
    emulator.delivered().await;
    let messages = caller.control("GET", "/connect/messages", Value::Null).await.expect(200);
    assert_eq!(messages["messages"][0]["state"], "failed");

    let door = receiver.url.trim_end_matches("/hook?x=1").to_owned();
    let (emulator, caller) = start(|options| options.connect_to = Some(door)).await;
    sent(&caller, &elsewhere, false).await;
    emulator.delivered().await;
    assert!(receiver.came()[0].head.starts_with("POST /hook?x=1 HTTP/1.1"));
}
