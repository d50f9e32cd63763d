use super::*;

fn read(change: impl FnOnce(&mut Value)) -> Result<Envelope, Refusal> {
    let mut said = json!({
        "emailSubject": "Report",
        "documents": [{"documentId": "1", "name": "a.txt", "documentBase64": STANDARD.encode("sign /here/ please")}],
        "recipients": {"signers": [{
            "recipientId": "1", "name": "Ann", "email": "ann@example.com",
            "tabs": {"signHereTabs": [{"anchorString": "/here/"}]},
        }]},
        "customFields": {"textCustomFields": [{"name": "key", "value": "v"}]},
    });
    change(&mut said);
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    envelope(said.as_object().unwrap(), &Files::new(), "me", Anchors::Look, now)
}

#[test]
fn what_is_refused_is_refused_by_its_code() {
    let changes: [(&str, &str, fn(&mut Value)); 14] = [
        ("INVALID_REQUEST_PARAMETER", "101 characters", |said| said["emailSubject"] = json!("x".repeat(101))),
        ("INVALID_REQUEST_PARAMETER", "documentId 1 is given more", |said| {
            let document = said["documents"][0].clone();
            said["documents"].as_array_mut().unwrap().push(document);
        }),
        ("INVALID_REQUEST_PARAMETER", "positive number", |said| {
            said["documents"][0]["documentId"] = json!("one")
        }),
        ("UNABLE_TO_LOAD_DOCUMENT", "no base64", |said| said["documents"][0]["documentBase64"] = json!("*")),
        ("UNABLE_TO_LOAD_DOCUMENT", "no documentBase64", |said| {
            said["documents"][0].as_object_mut().unwrap().remove("documentBase64");
        }),
        ("INVALID_REQUEST_PARAMETER", "signers[0].recipientId", |said| {
            said["recipients"]["signers"][0].as_object_mut().unwrap().remove("recipientId");
        }),
        ("INVALID_REQUEST_PARAMETER", "recipientId 1 is given more", |said| {
            said["recipients"]["carbonCopies"] =
                json!([{"recipientId": "1", "name": "B", "email": "b@example.com"}]);
        }),
        ("INVALID_EMAIL_ADDRESS_FOR_RECIPIENT", "1", |said| {
            said["recipients"]["signers"][0]["email"] = json!("ann at example.com");
        }),
        ("INVALID_USERNAME_FOR_RECIPIENT", "1", |said| said["recipients"]["signers"][0]["name"] = json!("")),
        ("ANCHOR_TAG_PROCESSING_FAILURE", "/there/", |said| {
            said["recipients"]["signers"][0]["tabs"]["signHereTabs"][0]["anchorString"] = json!("/there/");
        }),
        ("TAB_REFERS_TO_MISSING_DOCUMENT", "id: 7", |said| {
            said["recipients"]["signers"][0]["tabs"]["signHereTabs"][0] = json!({"documentId": "7"});
        }),
        ("INVALID_REQUEST_PARAMETER", "'key' has 101", |said| {
            said["customFields"]["textCustomFields"][0]["value"] = json!("x".repeat(101));
        }),
        ("INVALID_REQUEST_PARAMETER", "textCustomFields[0].name", |said| {
            said["customFields"]["textCustomFields"][0] = json!({"value": "v"});
        }),
        ("INVALID_REQUEST_PARAMETER", "'ftp://x'", |said| {
            said["eventNotification"] = json!({"url": "ftp://x"})
        }),
    ];
    for (code, named, change) in changes {
        let refused = read(change).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{refused:?}");
        assert!(refused.message.contains(named), "{named}: {refused:?}");
    }
}

#[test]
fn an_anchor_that_may_be_missing_takes_its_tab_along() {
    let envelope = read(|said| {
        said["recipients"]["signers"][0]["tabs"]["signHereTabs"] = json!([
            {"anchorString": "/there/", "anchorIgnoreIfNotPresent": "true"}, {"anchorString": "/HERE/"},
        ]);
    });
    let tabs = &envelope.unwrap().recipients[0].tabs["signHereTabs"];
    assert_eq!(tabs.as_array().unwrap().len(), 1);
    assert_eq!((&tabs[0]["anchorString"], &tabs[0]["documentId"]), (&json!("/HERE/"), &json!("1")));
}

#[test]
fn addresses_are_told_from_what_is_none() {
    for (text, is) in [
        ("ann@example.com", true),
        ("ann.o'neil+x@mail.example.co.uk", true),
        ("ann", false),
        ("ann@", false),
        ("@example.com", false),
        ("ann@example", false),
        ("ann@exam ple.com", false),
        ("ann@@example.com", false),
        ("Ann <ann@example.com>", false),
        ("ann@-example.com", false),
        ("ann@example..com", false),
    ] {
        assert_eq!(is_address(text), is, "{text}");
    }
}

#[test]
fn days_without_an_explicit_true_are_those_of_the_account() {
    for (said, days) in [
        (json!(null), 120),
        (json!({"expirations": {"expireAfter": "5"}}), 120),
        (json!({"expirations": {"expireEnabled": "false", "expireAfter": "5"}}), 120),
        (json!({"expirations": {"expireEnabled": "true", "expireAfter": "5"}}), 5),
    ] {
        let (_, expirations) = notification(said.as_object());
        assert_eq!(expirations.after_days, days, "{said}");
    }
}
