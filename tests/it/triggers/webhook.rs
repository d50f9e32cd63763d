//! Deliveries: what is believed becomes a job once, and what is not leaves nothing.

use compline::config::SecretRef;
use engine::triggers::settings::{SchemeName, Triggers as Settings, Webhook};
use engine::triggers::webhook::signature::Headers;
use engine::triggers::webhook::{Receipt, Webhooks};
use jobkit::Clock;
use serde_json::json;

use super::Door;
use crate::support::store::{TestStore, completed, promises};
use engine::triggers::door::{self, Doors};
use std::time::Duration;

promises![
    a_delivery_that_is_believed_becomes_one_job_however_often_it_is_sent,
    a_forged_delivery_leaves_nothing,
    a_delivery_that_no_job_can_be_made_of_leaves_nothing,
    what_came_by_a_door_is_forgotten_like_what_came_by_a_hook,
];

const BODY: &[u8] = br#"{"data": {"wait": 5}}"#;

fn webhooks(door: &Door, kind: &str) -> Webhooks {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_YSBrZXkgb2Ygc29tZSBsZW5ndGgsIHNheQ==").unwrap();
    let hook = Webhook {
        scheme: SchemeName::StandardWebhooks,
        secrets: vec![SecretRef::File(secret)],
        kind: kind.into(),
        args: r#"{"ms": "{/body/data/wait}"}"#.into(),
        ..Webhook::default()
    };
    let settings = Settings { webhooks: [("pay".to_owned(), hook)].into(), ..Settings::default() };
    engine::triggers::webhooks(&settings, &door.app.around()).unwrap()
}

/// As the sender signs.
fn headers(door: &Door, id: &str, body: &[u8]) -> Headers {
    use base64::Engine;
    let time = door.t.clock.now().as_second();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key of some length, say");
    let signed = [id.as_bytes(), b".", time.to_string().as_bytes(), b".", body].concat();
    let code = base64::engine::general_purpose::STANDARD.encode(ring::hmac::sign(&key, &signed));
    let header = |name: &str, value: String| (name.to_owned(), value);
    Headers::from([
        header("webhook-id", id.into()),
        header("webhook-timestamp", time.to_string()),
        header("webhook-signature", format!("v1,{code}")),
    ])
}

async fn a_delivery_that_is_believed_becomes_one_job_however_often_it_is_sent(t: TestStore) {
    let door = Door::new(&t, None);
    let hooks = webhooks(&door, "system.sleep");
    let sent = headers(&door, "msg_1", BODY);

    let Receipt::Taken(first) = hooks.receive("pay", &sent, BODY).await else { panic!("not taken") };
    let worker = t.worker().await;
    let queue = door.jobs().await[0].queue.clone();
    let job = t.store.claim(worker, &queue, 1).await.unwrap().remove(0);
    t.finish(worker, &job, completed()).await;
    let Receipt::Taken(again) = hooks.receive("pay", &sent, BODY).await else { panic!("not taken") };

    assert_eq!((first.duplicate, again.duplicate, again.id), (false, true, first.id));
    assert_eq!(door.args().await, [json!({ "ms": 5 })]);
    assert_eq!(t.everything_audited().await[0].actor, "webhook:pay");
}

async fn a_forged_delivery_leaves_nothing(t: TestStore) {
    let door = Door::new(&t, None);
    let hooks = webhooks(&door, "system.sleep");
    let sent = headers(&door, "msg_1", BODY);

    assert!(matches!(hooks.receive("pay", &sent, b"{}").await, Receipt::Forged(_)));
    assert!(matches!(hooks.receive("pay", &Headers::new(), BODY).await, Receipt::Forged(_)));
    assert!(matches!(hooks.receive("other", &sent, BODY).await, Receipt::Unknown));

    assert_eq!(door.jobs().await, []);
    assert_eq!(t.store.mark_sources().await.unwrap(), []);
    assert_eq!(t.everything_audited().await, []);
}

async fn a_delivery_that_no_job_can_be_made_of_leaves_nothing(t: TestStore) {
    let door = Door::new(&t, None);
    let hooks = webhooks(&door, "system.sleep");

    for body in [&b"not json"[..], b"{}", br#"{"data": {"wait": "long"}}"#] {
        let sent = headers(&door, "msg_1", body);
        assert!(matches!(hooks.receive("pay", &sent, body).await, Receipt::Unusable(_)));
    }

    assert_eq!(door.jobs().await, []);
    assert_eq!(t.store.mark_sources().await.unwrap(), []);
}

async fn what_came_by_a_door_is_forgotten_like_what_came_by_a_hook(t: TestStore) {
    let door = Door::new(&t, None);
    let doors = Doors::new(&door.app.around());
    let sealed = jobkit::door::Headers::from([("x-seal".to_owned(), vec!["good".to_owned()])]);
    let receive = async |letter: &str| match doors.receive("post", &sealed, letter.as_bytes()).await {
        door::Receipt::Taken { duplicate, .. } => duplicate,
        other => panic!("{other:?}"),
    };
    assert!(!receive("old").await);
    t.clock.advance(Duration::from_secs(90 * 86_400));
    assert!(!receive("new").await);
    t.clock.advance(Duration::from_secs(1));

    let services = door.start(&Settings::default());
    let forgotten = async {
        while t.store.taken("door:post", "old").await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), forgotten).await.expect("it is forgotten");

    assert!(receive("new").await);
    for service in services {
        service.stop().await;
    }
}
