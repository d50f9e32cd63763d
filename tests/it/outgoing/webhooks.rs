use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use engine::webhooks::WebhookError;
use engine::webhooks::target::Target;
use jobkit::testing::ManualClock;
use serde_json::{Value, json};

use super::webhooks_to;
use crate::support::ports::free_port;
use crate::support::python::script;
use crate::support::receiver::{Answer, Received, Receiver, SECRET};

async fn post(receiver: &Receiver) -> Result<(), WebhookError> {
    let webhooks = webhooks_to(&[], &Arc::new(ManualClock::default()));
    let target = Target::parse(&receiver.url("/hooks?a=1")).unwrap();
    webhooks.post("msg_1", &target, &json!({ "type": "test", "data": {} })).await
}

/// What the library of those who wrote the specification makes of it.
fn verified(received: &Received) -> Value {
    let mut child =
        script("verify_webhook.py").arg(SECRET).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = format!("{}\n{}", serde_json::to_string(&received.headers).unwrap(), received.body);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_with_the_library_of_the_specification_believes_us() {
    let receiver = Receiver::start().await;

    post(&receiver).await.unwrap();

    let [received] = &receiver.received()[..] else { panic!("one message") };
    assert_eq!((received.id(), received.path.as_str()), ("msg_1", "/hooks?a=1"));
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(verified(received), json!({ "type": "test", "data": {} }));
    let forged = Received { body: received.body.replace("test", "tost"), ..received.clone() };
    assert_eq!(verified(&forged), Value::Null);
}

#[tokio::test]
async fn anything_but_2xx_is_a_failure_and_410_the_last() {
    let receiver = Receiver::start().await;
    let status = |answer: Result<(), WebhookError>| match answer {
        Ok(()) => "taken".to_owned(),
        Err(error) => error.to_string(),
    };
    for (answer, told) in [
        (Answer::Status(200), "taken"),
        (Answer::Status(299), "taken"),
        (Answer::Status(404), "the receiver answered with status 404"),
        (Answer::Status(503), "the receiver answered with status 503"),
        (Answer::Status(410), "the receiver answered with status 410: it wants no more of this"),
        (Answer::Cut, "the receiver did not answer"),
    ] {
        receiver.answers([answer]);
        assert_eq!(status(post(&receiver).await), told, "{answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Redirect]);

    let refused = post(&receiver).await.unwrap_err();

    assert!(matches!(refused, WebhookError::Refused { status: 302, .. }), "{refused:?}");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn an_error_does_not_repeat_the_address() {
    let webhooks = webhooks_to(&[], &Arc::new(ManualClock::default()));
    let target = Target::parse(&format!("http://127.0.0.1:{}/t0ken", free_port())).unwrap();

    let away = webhooks.post("msg_1", &target, &Value::Null).await.unwrap_err();

    let told = store::chain(&away);
    assert!(told.contains("refused") && !told.contains("t0ken"), "{told}");
    assert!(webhooks.client.reach(target.url()).await.is_err());
}
