//! What an alert says: one JSON document, which goes to programs as it is and to people as a mail. Pure.
//!
//! It is made when it is decided to tell, and kept: whoever gets it twice gets the same.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::telling::Telling;
use store::AlertRow;

/// The envelope of Standard Webhooks: what it is, when, and the thing itself.
pub fn message(alert: &AlertRow, telling: Telling, now: Timestamp) -> Value {
    json!({
        "type": telling.name(),
        "timestamp": now,
        "data": {
            "id": alert.id,
            "key": alert.key,
            "rule": alert.rule,
            "severity": alert.severity,
            "text": alert.text,
            "count": alert.count,
            "new": alert.count.saturating_sub(alert.told_count),
            "kind": alert.kind,
            "queue": alert.queue,
            "jobs": alert.jobs,
            "details": alert.details,
            "opened_at": alert.opened_at,
            "last_at": alert.last_at,
            "closed_at": alert.closed_at,
        },
    })
}

/// Sent by `compline alerts test`.
pub fn sample(route: &str, now: Timestamp) -> Value {
    json!({
        "type": "alert.test",
        "timestamp": now,
        "data": {
            "rule": "test",
            "severity": "info",
            "text": format!("this is a test of the route {route}; nothing is the matter"),
        },
    })
}

/// The subject and the text of a mail.
pub fn mail(message: &Value) -> (String, String) {
    let data = &message["data"];
    let text = |field: &str| data[field].as_str().unwrap_or_default();
    let number = |field: &str| data[field].as_u64().unwrap_or(1);
    let (what, first) = match message["type"].as_str() {
        Some("alert.closed") => ("over: ", "It is over."),
        Some("alert.more") => ("more: ", "It goes on."),
        Some("alert.escalated") => ("nobody has acknowledged: ", "Nobody has acknowledged it."),
        Some("alert.repeated") => ("still: ", "It is still so, and nobody has acknowledged it."),
        Some("alert.test") => ("test: ", "This is a test."),
        _ => ("", ""),
    };
    let often = match number("count") {
        1 => String::new(),
        count => format!(" ({count} in all)"),
    };
    let subject = format!("[Compline] {what}{}: {}{often}", text("severity"), text("text"));
    let mut lines = vec![text("text").to_owned(), String::new()];
    if !first.is_empty() {
        lines.push(first.to_owned());
    }
    if number("count") > 1 {
        lines.push(format!("{} in all, {} since the last message.", number("count"), number("new")));
    }
    for (label, field) in
        [("rule", "rule"), ("since", "opened_at"), ("last", "last_at"), ("closed", "closed_at")]
    {
        if let Some(value) = data[field].as_str() {
            lines.push(format!("{label}: {value}"));
        }
    }
    let jobs: Vec<_> = data["jobs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !jobs.is_empty() {
        lines.push(String::new());
        lines.push("The first of them; look with:".into());
        lines.extend(jobs.iter().map(|id| format!("  compline jobs show {id}")));
    }
    if let Some(id) = data["id"].as_str() {
        lines.push(String::new());
        lines.push(format!("Acknowledge with:\n  compline alerts ack {id}"));
    }
    (subject, lines.join("\n") + "\n")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use store::{AlertId, Nature, Severity};

    pub fn alert() -> AlertRow {
        AlertRow {
            id: AlertId(uuid::Uuid::nil()),
            key: "job.discarded/k/q".into(),
            rule: "job.discarded".into(),
            nature: Nature::Event,
            severity: Severity::Warning,
            kind: Some("k".into()),
            queue: Some("q".into()),
            text: "jobs of kind k were discarded".into(),
            count: 1,
            jobs: vec![jobkit::JobId(uuid::Uuid::nil())],
            details: None,
            opened_at: Timestamp::UNIX_EPOCH,
            last_at: Timestamp::UNIX_EPOCH,
            closed_at: None,
            acked_at: None,
            acked_by: None,
            tellings: 0,
            told_count: 0,
            version: 0,
        }
    }

    #[test]
    fn a_mail_says_what_it_is_how_often_and_where_to_look() {
        let one = message(&alert(), Telling::Opened, Timestamp::UNIX_EPOCH);
        let (subject, text) = mail(&one);
        assert_eq!(subject, "[Compline] warning: jobs of kind k were discarded");
        assert!(text.contains("compline jobs show 00000000-0000"), "{text}");
        assert!(text.contains("compline alerts ack 00000000-0000"), "{text}");

        let many = AlertRow { count: 10_000, told_count: 3, ..alert() };
        let (subject, text) = mail(&message(&many, Telling::More, Timestamp::UNIX_EPOCH));
        assert_eq!(subject, "[Compline] more: warning: jobs of kind k were discarded (10000 in all)");
        assert!(text.contains("10000 in all, 9997 since the last message."), "{text}");
    }

    #[test]
    fn a_test_says_that_nothing_is_the_matter() {
        let (subject, _) = mail(&sample("ops", Timestamp::UNIX_EPOCH));
        assert_eq!(subject, "[Compline] test: info: this is a test of the route ops; nothing is the matter");
    }
}
