//! The verbs of the API, each once as it works and once as it refuses. The official SDKs do the same from outside.

use serde_json::{Value, json};

use crate::client::{definition, start};

#[tokio::test]
async fn a_draft_is_sent_signed_and_given_out() {
    let (emulator, caller) = start(|_| {}).await;
    let id = caller.draft("t-1").await;
    let draft = caller.get(&format!("/envelopes/{id}/documents/1")).await;
    caller.call("PUT", &format!("/envelopes/{id}"), json!({"status": "sent"})).await.expect(200);
    // Once more is harmless.
    caller.call("PUT", &format!("/envelopes/{id}"), json!({"status": "sent"})).await.expect(200);
    let signed = caller.control("POST", &format!("/envelopes/{id}/recipients/1/sign"), Value::Null).await;
    assert_eq!(signed.expect(200), json!({"envelopeId": id, "status": "completed"}));

    let shown = caller.get(&format!("/envelopes/{id}?include=recipients,custom_fields")).await.expect(200);
    assert_eq!(shown["status"], "completed");
    assert_eq!(shown["completedDateTime"], "2026-03-01T10:00:00.0000000Z");
    assert_eq!(shown["recipients"]["signers"][0]["status"], "completed");
    assert_eq!(shown["customFields"]["textCustomFields"][0]["value"], "t-1");

    let document = caller.get(&format!("/envelopes/{id}/documents/1")).await;
    assert_eq!(Some(&document.body), emulator.document(&id, "1").as_ref());
    assert_ne!(document.body, draft.body, "it grows with the signature");
    for (name, begins, kind) in [
        ("combined", &b"%PDF"[..], "application/pdf"),
        ("archive", b"PK", "application/zip"),
        ("certificate", b"%PDF", "application/pdf"),
    ] {
        let got = caller.get(&format!("/envelopes/{id}/documents/{name}")).await;
        assert_eq!(got.headers["content-type"], kind);
        assert!(got.body.starts_with(begins) && got.is_whole(), "{name}");
        assert_eq!(Some(&got.body), emulator.document(&id, name).as_ref(), "{name} is the same each time");
    }
    let events = caller.get(&format!("/envelopes/{id}/audit_events")).await.expect(200);
    let action = |event: &Value| event["eventFields"][4]["value"].as_str().unwrap().to_owned();
    let actions: Vec<String> = events["auditEvents"].as_array().unwrap().iter().map(action).collect();
    assert_eq!(actions, ["Registered", "Sent Invitations", "Viewed", "Signed", "Completed"]);
}

#[tokio::test]
async fn envelopes_are_found_by_transaction_field_date_and_id() {
    let (emulator, caller) = start(|_| {}).await;
    let (first, second) = (caller.draft("t-1").await, caller.sent("t-2").await);
    emulator.advance(std::time::Duration::from_secs(3600)).unwrap();
    let mut caller = caller;
    caller.sign_in(&emulator).await;
    let third = caller.sent("t-3").await;
    let ids = |answer: &Value| -> Vec<String> {
        let all = answer["envelopes"].as_array().unwrap().iter();
        all.map(|envelope| envelope["envelopeId"].as_str().unwrap().to_owned()).collect()
    };
    for (query, wanted) in [
        ("transaction_ids=t-1,t-3".to_owned(), vec![&first, &third]),
        (format!("envelope_ids={second},{first}"), vec![&second, &first]),
        ("from_date=2026-03-01".into(), vec![&first, &second, &third]),
        ("from_date=2026-03-01T10:30:00Z".into(), vec![&third]),
        ("from_date=2026-03-01&to_date=2026-03-01T10:30:00Z".into(), vec![&first, &second]),
        ("from_date=2026-03-01&custom_field=key%3Dt-2".into(), vec![&second]),
        ("from_date=2026-03-01&status=sent".into(), vec![&second, &third]),
        ("from_date=2026-03-01&from_to_status=created&order=desc".into(), vec![&third, &second, &first]),
        ("from_date=2026-03-01&count=1&start_position=1".into(), vec![&second]),
    ] {
        let found = caller.get(&format!("/envelopes?{query}")).await.expect(200);
        assert_eq!(ids(&found).iter().collect::<Vec<_>>(), wanted, "{query}");
    }
    let page = caller.get("/envelopes?from_date=2026-03-01&count=2").await.expect(200);
    assert_eq!((&page["totalSetSize"], &page["resultSetSize"]), (&json!("3"), &json!("2")));
    let next = page["nextUri"].as_str().unwrap();
    assert_eq!(ids(&caller.get(&format!("/{next}")).await.expect(200)), [third.clone()]);

    let body = json!({"envelopeIds": [first, third], "transactionIds": []});
    let status = caller.call("PUT", "/envelopes/status?envelope_ids=request_body", body).await.expect(200);
    assert_eq!(ids(&status), [first.clone(), third.clone()]);

    // After seven days a transaction is not known any more.
    emulator.advance(std::time::Duration::from_secs(7 * 86_400)).unwrap();
    caller.sign_in(&emulator).await;
    let gone = caller.get("/envelopes?transaction_ids=t-3").await.expect(200);
    assert_eq!(ids(&gone), Vec::<String>::new());
    let unknown = &gone["envelopeTransactionStatuses"][0];
    assert_eq!(unknown["errorDetails"]["errorCode"], "ENVELOPE_DOES_NOT_EXIST");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_its_code() {
    let (_emulator, caller) = start(|_| {}).await;
    let (draft, sent, done) = (caller.draft("t-1").await, caller.sent("t-2").await, caller.sent("t-3").await);
    caller.control("POST", &format!("/envelopes/{done}/recipients/1/sign"), Value::Null).await.expect(200);
    let nobody = "00000000-0000-4000-8000-000000000000";
    let envelope = |id: &str| format!("/envelopes/{id}");
    for (method, path, body, status, code) in [
        (
            "PUT",
            envelope(&draft),
            json!({"status": "voided", "voidedReason": "r"}),
            400,
            "ENVELOPE_CANNOT_VOID_INVALID_STATE",
        ),
        (
            "PUT",
            envelope(&done),
            json!({"status": "voided", "voidedReason": "r"}),
            400,
            "ENVELOPE_CANNOT_VOID_INVALID_STATE",
        ),
        ("PUT", envelope(&sent), json!({"status": "voided"}), 400, "INVALID_REQUEST_PARAMETER"),
        ("PUT", envelope(&done), json!({"emailSubject": "x"}), 400, "ENVELOPE_INVALID_STATUS"),
        ("PUT", envelope(&done) + "?resend_envelope=true", json!({}), 400, "ENVELOPE_INVALID_STATUS"),
        ("PUT", envelope(&sent), json!({"purgeState": "documents_queued"}), 400, "ENVELOPE_NOT_COMPLETED"),
        ("PUT", envelope(nobody), json!({"status": "sent"}), 404, "ENVELOPE_DOES_NOT_EXIST"),
        ("GET", envelope(nobody), json!(null), 404, "ENVELOPE_DOES_NOT_EXIST"),
        ("GET", envelope(&sent) + "/documents/7", json!(null), 400, "DOCUMENT_DOES_NOT_EXIST"),
        ("PUT", envelope(&sent) + "/documents/1", json!("x"), 400, "ENVELOPE_INVALID_STATUS"),
        ("POST", "/envelopes".into(), json!(null), 400, "INVALID_REQUEST_BODY"),
        ("POST", "/envelopes".into(), json!({"status": "sent"}), 400, "ENVELOPE_IS_INCOMPLETE"),
        ("POST", "/envelopes".into(), json!({"status": "odd"}), 400, "ENVELOPE_INVALID_STATUS"),
        ("POST", envelope(&done) + "/recipients", json!({"signers": []}), 400, "ENVELOPE_INVALID_STATUS"),
        ("GET", envelope(&sent) + "/recipients/9/tabs", json!(null), 400, "UNKNOWN_ENVELOPE_RECIPIENT"),
        ("GET", "/envelopes?from_date=soon".into(), json!(null), 400, "INVALID_REQUEST_PARAMETER"),
        ("PUT", "/folders/inbox".into(), json!({"envelopeIds": []}), 400, "FOLDER_DOES_NOT_EXIST"),
        ("GET", "/nowhere".into(), json!(null), 404, "RESOURCE_NOT_FOUND"),
    ] {
        let answer = caller.call(method, &path, body).await;
        assert_eq!(answer.refused(), (status, code.to_owned()), "{method} {path}");
        assert!(answer.headers.contains_key("x-docusign-tracetoken"), "{method} {path}");
    }
}

#[tokio::test]
async fn documents_beside_the_json_are_the_same_as_within() {
    let (_emulator, caller) = start(|_| {}).await;
    let mut said = definition("t-1", "sent");
    said["documents"] = json!([{"documentId": "1", "name": "report.txt"}]);
    let body = format!(
        "--b\r\nContent-Type: application/json\r\nContent-Disposition: form-data\r\n\r\n{said}\r\n--b\r\nContent-Type: \
         text/plain\r\nContent-Disposition: file; filename=\"report.txt\"; documentid=1\r\n\r\nsign /here/\r\n--b--\r\n"
    );
    let path = format!("/restapi/v2.1/accounts/{}/envelopes", docusign_emulator::ACCOUNT_ID);
    let kind = ("Content-Type", "multipart/form-data; boundary=b");
    let beside = caller.send("POST", &path, &[kind], body.as_bytes()).await.unwrap().expect(201);
    let within = caller.sent("t-2").await;
    let document = async |id: &str| caller.get(&format!("/envelopes/{id}/documents")).await.expect(200);
    let (one, other) = (document(beside["envelopeId"].as_str().unwrap()).await, document(&within).await);
    let size = |all: &Value| all["envelopeDocuments"][0]["sizeBytes"].clone();
    assert_eq!(size(&one), size(&other));
}

#[tokio::test]
async fn an_asynchronous_envelope_is_found_by_its_transaction() {
    let (emulator, caller) = start(|_| {}).await;
    let mut said = definition("t-1", "sent");
    said["asynchronous"] = json!("true");
    let answer = caller.call("POST", "/envelopes", said).await.expect(201);
    assert_eq!((&answer["status"], &answer["envelopeId"]), (&json!("processing"), &Value::Null));
    let found = async || caller.get("/envelopes?transaction_ids=t-1").await.expect(200);
    assert_eq!(found().await["envelopes"][0]["status"], "processing");
    emulator.advance(std::time::Duration::from_secs(5)).unwrap();
    assert_eq!(found().await["envelopes"][0]["status"], "sent");
}

#[tokio::test]
async fn somebody_signs_on_the_page_of_an_embedded_view() {
    let (_emulator, caller) = start(|_| {}).await;
    let id = caller.sent("t-1").await;
    let asked = |client: &str| {
        json!({
            "returnUrl": "http://localhost/back?x=1", "authenticationMethod": "none", "userName": "Ann",
            "email": "ann@example.com", "clientUserId": client,
        })
    };
    let path = format!("/envelopes/{id}/views/recipient");
    let stranger = caller.call("POST", &path, asked("another")).await;
    assert_eq!(stranger.refused(), (400, "UNKNOWN_ENVELOPE_RECIPIENT".into()));
    let view = caller.call("POST", &path, asked("c1")).await.expect(201);
    let (_, place) = view["url"].as_str().unwrap().split_once("/Signing/").unwrap();
    let page = caller.send("GET", &format!("/Signing/{place}"), &[], b"").await.unwrap();
    let html = String::from_utf8(page.body).unwrap();
    let action = html.split_once("action=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let again = caller.send("GET", &format!("/Signing/{place}"), &[], b"").await.unwrap();
    assert_eq!(again.status, 400, "a link is good once");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let signed = caller.send("POST", &action, &[kind], b"do=sign").await.unwrap();
    assert_eq!(signed.headers["location"], "http://localhost/back?x=1&event=signing_complete");
    assert_eq!(caller.get(&format!("/envelopes/{id}")).await.expect(200)["status"], "completed");
}
