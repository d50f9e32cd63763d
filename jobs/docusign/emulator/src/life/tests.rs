use serde_json::Map;

use super::*;
use crate::check;
use crate::envelope::Expirations;
use crate::routing::tests::recipient;
use crate::switches::Anchors;

fn at(text: &str) -> Timestamp {
    format!("2026-03-{text}Z").parse().unwrap()
}

const NOON: &str = "01T12:00:00";

/// A draft to be signed by these, each with its order.
fn draft(recipients: &[(&str, &str, u32)]) -> Envelope {
    let said = json!({
        "emailSubject": "Report", "documents": [{"documentId": "1", "documentBase64": "aGVsbG8="}],
    });
    let said = said.as_object().unwrap();
    let mut envelope = check::envelope(said, &Default::default(), "me", Anchors::Look, at(NOON)).unwrap();
    envelope.recipients =
        recipients.iter().map(|(list, id, order)| recipient(list, id, *order, Stage::Created)).collect();
    envelope
}

fn sent(recipients: &[(&str, &str, u32)]) -> Envelope {
    let mut envelope = draft(recipients);
    send(&mut envelope, at(NOON)).unwrap();
    envelope
}

fn names(events: &[Event]) -> Vec<String> {
    let of = |event: &Event| event.recipient.as_ref().map_or(String::new(), |id| format!(" {id}"));
    events.iter().map(|event| format!("{}{}", event.name, of(event))).collect()
}

fn stages(envelope: &Envelope) -> Vec<&'static str> {
    envelope.recipients.iter().map(|recipient| recipient.stage.name()).collect()
}

#[test]
fn an_envelope_goes_from_one_to_the_next_and_copies_keep_nobody_waiting() {
    let mut envelope = draft(&[("signers", "1", 1), ("carbonCopies", "2", 2), ("signers", "3", 3)]);
    assert_eq!(names(&send(&mut envelope, at(NOON)).unwrap()), ["envelope-sent", "recipient-sent 1"]);

    let events = act(&mut envelope, "1", &Act::Sign, at("01T13:00:00")).unwrap();
    let wanted = [
        "recipient-delivered 1",
        "recipient-completed 1",
        "recipient-sent 2",
        "recipient-completed 2",
        "recipient-sent 3",
    ];
    assert_eq!(names(&events), wanted);
    assert_eq!((envelope.status, stages(&envelope)), (Status::Sent, vec!["completed", "completed", "sent"]));

    let events = act(&mut envelope, "3", &Act::View, at("01T14:00:00")).unwrap();
    assert_eq!(names(&events), ["recipient-delivered 3", "envelope-delivered"]);
    let events = act(&mut envelope, "3", &Act::Sign, at("01T15:00:00")).unwrap();
    assert_eq!(names(&events), ["recipient-completed 3", "envelope-completed"]);
    assert_eq!(envelope.reached[&Status::Completed], at("01T15:00:00"));
}

#[test]
fn who_is_not_asked_or_done_cannot_act() {
    let mut envelope = sent(&[("signers", "1", 1), ("signers", "2", 2), ("certifiedDeliveries", "3", 1)]);
    for (id, act_, code) in [
        ("2", Act::Sign, "RECIPIENT_NOT_IN_SEQUENCE"),
        ("9", Act::Sign, "UNKNOWN_ENVELOPE_RECIPIENT"),
        ("3", Act::Sign, "INVALID_RECIPIENT_TYPE"),
    ] {
        assert_eq!(act(&mut envelope, id, &act_, at(NOON)).unwrap_err().code, code, "{id}");
    }
    act(&mut envelope, "1", &Act::Sign, at(NOON)).unwrap();
    assert_eq!(act(&mut envelope, "1", &Act::Sign, at(NOON)).unwrap_err().code, "RECIPIENT_HAS_COMPLETED");
    let mut still = draft(&[("signers", "1", 1)]);
    assert_eq!(act(&mut still, "1", &Act::View, at(NOON)).unwrap_err().code, "ENVELOPE_INVALID_STATUS");
}

#[test]
fn whoever_comes_later_gets_it_when_it_is_their_turn() {
    let mut envelope = sent(&[("signers", "1", 1), ("signers", "2", 2)]);
    envelope.recipients.push(recipient("signers", "3", 1, Stage::Created));
    envelope.recipients.push(recipient("signers", "4", 3, Stage::Created));
    assert_eq!(names(&recipients_changed(&mut envelope, at(NOON))), ["recipient-sent 3"]);
    // And when those before them are taken away.
    envelope.recipients.retain(|recipient| !["1", "3"].contains(&recipient.id.as_str()));
    assert_eq!(names(&recipients_changed(&mut envelope, at(NOON))), ["recipient-sent 2"]);
    assert!(recipients_changed(&mut draft(&[("signers", "1", 1)]), at(NOON)).is_empty());
}

#[test]
fn who_declines_ends_it_for_all() {
    let mut envelope = sent(&[("signers", "1", 1), ("signers", "2", 2)]);
    let events = act(&mut envelope, "1", &Act::Decline("no".into()), at(NOON)).unwrap();
    assert_eq!(names(&events), ["recipient-delivered 1", "recipient-declined 1", "envelope-declined"]);
    assert_eq!((envelope.status, stages(&envelope)), (Status::Declined, vec!["declined", "created"]));
}

#[test]
fn only_what_is_out_is_voided_and_resent() {
    let signer = [("signers", "1", 1)];
    let mut delivered = sent(&signer);
    act(&mut delivered, "1", &Act::View, at(NOON)).unwrap();
    let mut completed = sent(&signer);
    act(&mut completed, "1", &Act::Sign, at(NOON)).unwrap();
    let mut voided = sent(&signer);
    void(&mut voided, "why", at(NOON)).unwrap();
    for (mut envelope, may) in [
        (draft(&signer), false),
        (sent(&signer), true),
        (delivered, true),
        (completed, false),
        (voided, false),
    ] {
        let status = envelope.status;
        assert_eq!(resend(&mut envelope.clone(), at(NOON)).is_ok(), may, "{status:?}");
        let done = void(&mut envelope, "a reason", at(NOON)).map(|events| names(&events));
        match may {
            true => assert_eq!(done.unwrap(), ["envelope-voided"]),
            false => assert_eq!(done.unwrap_err().code, "ENVELOPE_CANNOT_VOID_INVALID_STATE", "{status:?}"),
        }
    }
}

#[test]
fn an_envelope_that_lacks_something_is_not_sent() {
    let whole = draft(&[("signers", "1", 1)]);
    let lacks: [fn(&mut Envelope); 3] = [
        |envelope| envelope.documents.clear(),
        |envelope| envelope.recipients.clear(),
        |envelope| envelope.subject.clear(),
    ];
    for lack in lacks {
        let mut envelope = whole.clone();
        lack(&mut envelope);
        assert_eq!(send(&mut envelope, at(NOON)).unwrap_err().code, "ENVELOPE_IS_INCOMPLETE");
    }
}

#[test]
fn time_reminds_warns_and_voids() {
    let mut envelope = sent(&[("signers", "1", 1)]);
    envelope.reminders =
        crate::envelope::Reminders { enabled: true, delay_days: 2, frequency_days: 3, most: None };
    envelope.expirations = Expirations { enabled: true, after_days: 10, warn_days: 1 };
    for (time, reminded, warned, status) in [
        ("03T11:59:59", 0, false, Status::Sent),
        ("03T12:00:00", 1, false, Status::Sent),
        ("06T12:00:00", 2, false, Status::Sent),
        ("10T12:00:00", 3, true, Status::Sent),
        ("11T11:59:59", 3, true, Status::Sent),
        ("11T12:00:00", 3, true, Status::Voided),
        ("31T12:00:00", 3, true, Status::Voided),
    ] {
        pass(&mut envelope, at(time));
        assert_eq!(
            (envelope.reminded, envelope.warned, envelope.status),
            (reminded, warned, status),
            "{time}"
        );
    }
    assert_eq!(envelope.reached[&Status::Voided], at("11T12:00:00"));
}

#[test]
fn reminders_stop_at_their_number_and_with_the_envelope() {
    let mut envelope = sent(&[("signers", "1", 1)]);
    envelope.reminders =
        crate::envelope::Reminders { enabled: true, delay_days: 1, frequency_days: 1, most: Some(2) };
    pass(&mut envelope, at("20T12:00:00"));
    assert_eq!(envelope.reminded, 2);
    let mut envelope = sent(&[("signers", "1", 1)]);
    envelope.reminders =
        crate::envelope::Reminders { enabled: true, delay_days: 1, frequency_days: 1, most: None };
    act(&mut envelope, "1", &Act::Sign, at("02T13:00:00")).unwrap();
    assert_eq!(due(&envelope), None);
}

#[test]
fn what_is_purged_is_gone_after_fourteen_days() {
    let mut envelope = sent(&[("signers", "1", 1)]);
    assert_eq!(
        purge(&mut envelope, "documents_queued", at(NOON)).unwrap_err().code,
        "ENVELOPE_NOT_COMPLETED"
    );
    act(&mut envelope, "1", &Act::Sign, at(NOON)).unwrap();
    assert_eq!(purge(&mut envelope, "all", at(NOON)).unwrap_err().code, "INVALID_REQUEST_PARAMETER");
    purge(&mut envelope, "documents_queued", at(NOON)).unwrap();
    assert!(pass(&mut envelope, at("15T11:59:59")).is_empty());
    assert_eq!(names(&pass(&mut envelope, at("15T12:00:00"))), ["envelope-purge"]);
    assert!(envelope.purged && envelope.documents[0].bytes.is_empty());
}

#[test]
fn the_recycle_bin_deletes_drafts_and_voids_what_is_out() {
    for (mut envelope, events, status) in [
        (draft(&[("signers", "1", 1)]), vec!["envelope-deleted"], Status::Deleted),
        (sent(&[("signers", "1", 1)]), vec!["envelope-voided"], Status::Voided),
    ] {
        assert_eq!(names(&delete(&mut envelope, at(NOON))), events);
        assert_eq!(envelope.status, status);
        assert!(delete(&mut envelope, at(NOON)).is_empty());
    }
}

#[test]
fn a_signer_leaves_their_name_and_the_day() {
    let mut envelope = sent(&[("signers", "1", 1)]);
    let signer = &mut envelope.recipients[0];
    signer.said = Map::from_iter([("name".into(), json!("Ann")), ("email".into(), json!("ann@example.com"))]);
    let tabs = json!({"signHereTabs": [{}], "dateSignedTabs": [{}], "fullNameTabs": [{}], "textTabs": [{"value": "x"}]});
    signer.tabs = tabs.as_object().unwrap().clone();
    act(&mut envelope, "1", &Act::Sign, at(NOON)).unwrap();
    let wanted = json!({
        "signHereTabs": [{"status": "signed"}], "dateSignedTabs": [{"value": "3/1/2026"}],
        "fullNameTabs": [{"value": "Ann"}], "textTabs": [{"value": "x"}],
    });
    assert_eq!(Value::Object(envelope.recipients[0].tabs.clone()), wanted);
}
