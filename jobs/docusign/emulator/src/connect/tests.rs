use super::*;

#[test]
fn subscriptions_are_read_in_both_forms() {
    let new = json!({"events": ["envelope-completed", "Recipient-Sent"]});
    let old = json!({
        "envelopeEvents": [{"envelopeEventStatusCode": "Completed"}],
        "recipientEvents": [{"recipientEventStatusCode": "sent"}],
    });
    for subscription in [new, old] {
        let subscription = subscription.as_object().unwrap();
        for (event, wanted) in [
            ("envelope-completed", true),
            ("recipient-sent", true),
            ("envelope-sent", false),
            ("recipient-completed", false),
        ] {
            assert_eq!(wants(subscription, event), wanted, "{subscription:?} {event}");
        }
    }
}

#[test]
fn each_key_makes_a_signature_of_its_own() {
    // RFC 4231, case 2, in base64.
    let body = b"what do ya want for nothing?";
    let jefe = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let headers = signatures(&["other".into(), "Jefe".into()], body);
    assert_eq!(headers[0], ("X-Authorization-Digest".into(), "HMACSHA256".into()));
    assert_eq!(headers[2], ("X-DocuSign-Signature-2".into(), jefe.into()));
    assert_eq!(headers[1].0, "X-DocuSign-Signature-1");
    assert_ne!(headers[1].1, jefe);
    assert!(signatures(&[], body).is_empty());
}

#[test]
fn a_delivery_is_tried_again_only_where_that_was_asked_for() {
    let at = |text: &str| -> Timestamp { format!("2026-03-{text}Z").parse().unwrap() };
    let made = at("01T12:00:00");
    for (how, wanted, tries, now, next) in [
        (Retry::Backoff, false, 1, "01T12:00:00", None),
        (Retry::Never, true, 1, "01T12:00:00", None),
        (Retry::Backoff, true, 1, "01T12:00:00", Some("01T12:00:15")),
        (Retry::Backoff, true, 2, "01T12:00:15", Some("01T12:00:45")),
        (Retry::Backoff, true, 5, "01T12:00:00", Some("01T12:04:00")),
        (Retry::Backoff, true, 45, "01T12:00:00", None),
        (Retry::Backoff, true, 20, "08T11:00:00", None),
        (Retry::Daily, true, 1, "01T12:00:00", Some("02T12:00:00")),
        (Retry::Daily, true, 9, "01T12:00:00", Some("02T12:00:00")),
        (Retry::Daily, true, 10, "01T12:00:00", None),
    ] {
        assert_eq!(
            next_try(how, wanted, tries, made, at(now)),
            next.map(at),
            "{how:?} {wanted} {tries} {now}"
        );
    }
}
