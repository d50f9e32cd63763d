//! Everything that can be asked wrongly, in one table: the answer names the field and the remedy, and nothing stays.

mod models;
mod reviews;
mod schedules;

use reqwest::Method;
use serde_json::json;
use store::{JobFilter, Position, Scope};

use crate::support::http::{Server, TOKEN, answer};
use crate::support::store::{TestStore, promises};

promises![
    every_misuse_is_refused_with_its_field_and_its_remedy,
    every_route_refuses_a_parameter_that_it_does_not_have,
];

const JSON: &str = "application/json";

struct Case {
    request: &'static str,
    media: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    status: u16,
    code: &'static str,
    /// None where no field is to blame.
    field: Option<&'static str>,
    remedy: &'static str,
}

fn body(
    request: &'static str,
    body: &str,
    status: u16,
    code: &'static str,
    field: &'static str,
    remedy: &'static str,
) -> Case {
    Case { request, media: JSON, headers: &[], body: body.into(), status, code, field: Some(field), remedy }
}

fn nothing(
    request: &'static str,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
    remedy: &'static str,
) -> Case {
    Case { request, media: "", headers: &[], body: String::new(), status, code, field, remedy }
}

fn cases() -> Vec<Case> {
    let jobs = "POST /v1/jobs";
    let job = |fields: &str| format!(r#"{{"kind":"system.noop",{fields}}}"#);
    let invalid = |fields: &str, field: &'static str, remedy: &'static str| {
        body(jobs, &job(fields), 422, "invalid_body", field, remedy)
    };
    let bulk = "POST /v1/bulk-operations";
    let header =
        |headers: &'static [(&'static str, &'static str)], field: &'static str, remedy: &'static str| Case {
            headers,
            ..body(jobs, r#"{"kind":"system.noop"}"#, 400, "invalid_header", field, remedy)
        };
    vec![
        // The body as a whole.
        Case { field: None, ..body(jobs, "", 400, "invalid_json", "", "one JSON document") },
        Case { field: None, ..body(jobs, "{\"kind\":", 400, "invalid_json", "", "one JSON document") },
        Case {
            field: None,
            ..body(
                jobs,
                &format!("{{\"kind\":\"system.noop\",\"args\":{}", "[".repeat(200)),
                400,
                "invalid_json",
                "",
                "127 levels",
            )
        },
        Case {
            media: "text/plain",
            ..body(jobs, "{}", 415, "unsupported_media_type", "Content-Type", "application/json")
        },
        Case {
            media: "",
            ..body(jobs, "{}", 415, "unsupported_media_type", "Content-Type", "application/json")
        },
        Case {
            headers: &[("content-encoding", "gzip")],
            ..body(jobs, "{}", 415, "unsupported_media_type", "Content-Encoding", "as it is")
        },
        body(jobs, "[]", 422, "invalid_body", "", "correct the field"),
        body(jobs, "null", 422, "invalid_body", "", "correct the field"),
        body(jobs, r#"["system.noop"]"#, 422, "invalid_body", "", "correct the field"),
        // A job's fields.
        body(jobs, "{}", 422, "invalid_body", "/kind", "correct the field"),
        body(jobs, r#"{"kind":7}"#, 422, "invalid_body", "/kind", "correct the field"),
        body(jobs, r#"{"kind":"system.nope"}"#, 422, "unknown_kind", "/kind", "/v1/kinds"),
        body(jobs, r#"{"kind":"system.sleep","args":[5]}"#, 422, "invalid_body", "/args", "correct args"),
        body(jobs, r#"{"kind":"system.noop","args":null}"#, 422, "invalid_body", "/args", "correct args"),
        body(
            jobs,
            &format!(r#"{{"kind":"{}"}}"#, "é".repeat(1 << 20)),
            422,
            "unknown_kind",
            "/kind",
            "/v1/kinds",
        ),
        body(
            jobs,
            r#"{"kind":"system.bulk","args":{}}"#,
            422,
            "invalid_body",
            "/kind",
            "/v1/bulk-operations",
        ),
        body(jobs, r#"{"kind":"system.sleep"}"#, 422, "invalid_args", "/args", "nothing was enqueued"),
        body(
            jobs,
            r#"{"kind":"system.sleep","args":{"ms":-1}}"#,
            422,
            "invalid_args",
            "/args",
            "correct the arguments",
        ),
        invalid(r#""colour":"red""#, "/colour", "correct the field"),
        invalid(r#""priority":0"#, "/priority", "correct priority"),
        invalid(r#""priority":10"#, "/priority", "correct priority"),
        invalid(r#""priority":1.5"#, "/priority", "correct the field"),
        invalid(r#""max_attempts":0"#, "/max_attempts", "correct max_attempts"),
        invalid(r#""max_attempts":1001"#, "/max_attempts", "correct max_attempts"),
        invalid(r#""queue":"a b""#, "/queue", "correct queue"),
        invalid(r#""queue":"""#, "/queue", "correct queue"),
        invalid(r#""run_at":"tomorrow""#, "/run_at", "correct the field"),
        invalid(r#""run_at":"-005000-01-01T00:00:00Z""#, "/run_at", "correct the field"),
        invalid(r#""delay":"soon""#, "/delay", "500ms"),
        invalid(r#""delay":60"#, "/delay", "correct the field"),
        invalid(r#""delay":"99999d""#, "/delay", "correct delay"),
        invalid(r#""delay":"5m","run_at":"2099-01-01T00:00:00Z""#, "/delay", "give one of them"),
        invalid(r#""unique_key":"""#, "/unique_key", "correct unique_key"),
        invalid(r#""unique":{"by_args":false}"#, "/unique", "correct unique"),
        invalid(r#""unique":{"every":"day"}"#, "/unique/every", "correct the field"),
        invalid(r#""unique":{"period":"week"},"unique_key":"a""#, "/unique/period", "correct the field"),
        invalid(r#""unique_key":"a","on_conflict":"panic""#, "/on_conflict", "correct the field"),
        invalid(r#""tenant":"""#, "/tenant", "correct tenant"),
        invalid(r#""tenant":"a\u0000b""#, "/tenant", "correct tenant"),
        invalid(r#""tags":[""]"#, "/tags", "correct tags"),
        invalid(r#""tags":["a\u0000b"]"#, "/tags", "correct tags"),
        invalid(r#""tags":"x""#, "/tags", "correct the field"),
        invalid(r#""metadata":[1]"#, "/metadata", "correct metadata"),
        invalid(r#""after":["7"]"#, "/after/0", "correct the field"),
        invalid(r#""on_parent_failure":"ignore""#, "/on_parent_failure", "correct the field"),
        body(
            jobs,
            &job(r#""after":["019c0a2e-5a5c-7cc1-b6c0-0123456789ab"]"#),
            409,
            "refused",
            "/after/0",
            "nothing was changed",
        ),
        // Jobs for the end of a job, and whom to tell.
        invalid(r#""on_success":{"kind":"system.noop"}"#, "/on_success", "correct the field"),
        invalid(r#""on_success":[{}]"#, "/on_success/0/kind", "correct the field"),
        invalid(r#""on_success":[["system.noop"]]"#, "/on_success/0", "correct the field"),
        invalid(
            r#""on_failure":[{"kind":"system.noop","priority":0}]"#,
            "/on_failure/0/priority",
            "correct priority",
        ),
        invalid(r#""on_failure":[{"kind":"system.noop","delay":"soon"}]"#, "/on_failure/0/delay", "500ms"),
        invalid(
            r#""on_success":[{"kind":"system.noop","on_failure":[{"kind":"system.noop","queue":"a b"}]}]"#,
            "/on_success/0/on_failure/0/queue",
            "correct queue",
        ),
        invalid(
            r#""on_success":[{"kind":"system.noop"},{"kind":"system.noop","after":["019c0a2e-5a5c-7cc1-b6c0-0123456789ab"]}]"#,
            "/on_success/1/after",
            "correct after",
        ),
        invalid(
            r#""on_success":[{"kind":"system.noop","on_parent_failure":"run"}]"#,
            "/on_success/0/on_parent_failure",
            "leave it out",
        ),
        invalid(r#""on_success":[{"kind":"system.bulk"}]"#, "/on_success/0/kind", "/v1/bulk-operations"),
        body(
            jobs,
            &job(r#""on_success":[{"kind":"system.nope"}]"#),
            422,
            "unknown_kind",
            "/on_success/0/kind",
            "/v1/kinds",
        ),
        body(
            jobs,
            &job(r#""on_failure":[{"kind":"system.sleep","args":{"ms":-1}}]"#),
            422,
            "invalid_args",
            "/on_failure/0/args",
            "correct the arguments",
        ),
        invalid(
            &format!(r#""on_success":[{}]"#, vec![r#"{"kind":"system.noop"}"#; 33].join(",")),
            "/on_success",
            "correct on_success",
        ),
        invalid(r#""callback":"https://example.org""#, "/callback", "correct the field"),
        invalid(
            r#""callback":{"url":"https://example.org","events":["begun"]}"#,
            "/callback/events/0",
            "correct",
        ),
        invalid(r#""callback":{"url":"no address"}"#, "/callback/url", "correct callback"),
        invalid(r#""callback":{"url":"https://example.org/x"}"#, "/callback/url", "correct callback"),
        invalid(
            r#""on_failure":[{"kind":"system.noop","callback":{"url":"https://example.org/x"}}]"#,
            "/on_failure/0/callback/url",
            "correct callback",
        ),
        body(
            "POST /v1/jobs/batch",
            r#"{"jobs":[{"kind":"system.noop","on_success":[{"kind":"system.noop","tenant":""}]}]}"#,
            422,
            "invalid_body",
            "/jobs/0/on_success/0/tenant",
            "nothing was enqueued",
        ),
        // Batches.
        body("POST /v1/jobs/batch", r#"{"jobs":[]}"#, 422, "invalid_body", "/jobs", "smaller batches"),
        body("POST /v1/jobs/batch", "{}", 422, "invalid_body", "/jobs", "correct the field"),
        body(
            "POST /v1/jobs/batch",
            r#"{"jobs":[{"kind":"system.noop"},{}]}"#,
            422,
            "invalid_body",
            "/jobs/1/kind",
            "correct",
        ),
        body(
            "POST /v1/jobs/batch",
            r#"{"jobs":[["system.noop"]]}"#,
            422,
            "invalid_body",
            "/jobs/0",
            "correct",
        ),
        body(
            "POST /v1/jobs/batch",
            r#"{"jobs":[{"kind":"system.noop"},{"kind":"system.noop","priority":12}]}"#,
            422,
            "invalid_body",
            "/jobs/1/priority",
            "nothing was enqueued",
        ),
        // Headers.
        header(&[("idempotency-key", "")], "Idempotency-Key", "UUID"),
        header(&[("idempotency-key", "a\"b")], "Idempotency-Key", "UUID"),
        header(&[("idempotency-key", "a"), ("idempotency-key", "b")], "Idempotency-Key", "UUID"),
        // Paths and queries.
        nothing("GET /v1/jobs/7", 400, "invalid_parameter", Some("id"), "an id looks like"),
        nothing(
            "GET /v1/jobs/019c0a2e5a5c7cc1b6c00123456789ab",
            400,
            "invalid_parameter",
            Some("id"),
            "an id looks like",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/wait",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab?x=1",
            400,
            "invalid_parameter",
            Some("x"),
            "takes none",
        ),
        nothing(
            "POST /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/retry",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing("GET /v1/jobs?status=running", 400, "invalid_parameter", Some("status"), "state"),
        nothing("GET /v1/jobs?state=asleep", 400, "invalid_parameter", Some("state"), "scheduled"),
        nothing("GET /v1/jobs?limit=0", 400, "invalid_parameter", Some("limit"), "1 to 1000"),
        nothing("GET /v1/jobs?limit=1001", 400, "invalid_parameter", Some("limit"), "1 to 1000"),
        nothing("GET /v1/jobs?limit=1&limit=2", 400, "invalid_parameter", Some("limit"), "once"),
        nothing("GET /v1/jobs?before=7", 400, "invalid_parameter", Some("before"), "a job id"),
        nothing(
            "GET /v1/jobs?created_from=monday",
            400,
            "invalid_parameter",
            Some("created_from"),
            "2026-01-31",
        ),
        nothing(
            "GET /v1/jobs?created_from=-005000-01-01T00:00:00Z",
            400,
            "invalid_parameter",
            Some("created_from"),
            "from the year 1 on",
        ),
        nothing("GET /v1/jobs?tag=", 400, "invalid_parameter", Some("tag"), "a text"),
        nothing("GET /v1/jobs?error=%00", 400, "invalid_parameter", Some("error"), "a text"),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/wait?timeout=5",
            400,
            "invalid_parameter",
            Some("timeout"),
            "30s",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/wait?timeout=2m",
            400,
            "invalid_parameter",
            Some("timeout"),
            "60s",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/artifacts",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/artifacts/x/y",
            400,
            "invalid_parameter",
            Some("claim"),
            "lists",
        ),
        // Queues.
        body(
            "POST /v1/queues/a%20b/pause",
            r#"{"reason":"x"}"#,
            400,
            "invalid_parameter",
            "name",
            "/v1/queues",
        ),
        body("POST /v1/queues/mail/pause", "{}", 422, "invalid_body", "/reason", "correct the field"),
        body("POST /v1/queues/mail/pause", r#"{"reason":""}"#, 422, "invalid_body", "/reason", "a sentence"),
        body(
            "POST /v1/queues/mail/pause",
            r#"{"reason":"x","until":"-005000-01-01T00:00:00Z"}"#,
            422,
            "invalid_body",
            "/until",
            "correct the field",
        ),
        body(
            "POST /v1/queues/mail/pause",
            r#"{"reason":"x","until":"2001-01-01T00:00:00Z"}"#,
            422,
            "invalid_body",
            "/until",
            "correct until",
        ),
        // Limits.
        nothing("GET /v1/limits/nobody", 404, "not_found", Some("name"), "/v1/limits"),
        nothing("GET /v1/limits/nobody?limit=0", 400, "invalid_parameter", Some("limit"), "1 to 1000"),
        body("POST /v1/limits/nobody/pause", r#"{"reason":"x"}"#, 422, "invalid_body", "/until", "correct"),
        body(
            "POST /v1/limits/nobody/pause",
            r#"{"reason":"x","until":"2001-01-01T00:00:00Z"}"#,
            422,
            "invalid_body",
            "/until",
            "nothing was changed",
        ),
        body(
            "POST /v1/limits/nobody/pause",
            r#"{"reason":"x","until":"2999-01-01T00:00:00Z"}"#,
            404,
            "not_found",
            "name",
            "/v1/limits",
        ),
        nothing("POST /v1/queues/a%00/resume", 400, "invalid_parameter", Some("name"), "/v1/queues"),
        // Bulk operations.
        body(bulk, r#"{"action":"cancel"}"#, 422, "invalid_body", "/filter", "correct the field"),
        body(bulk, r#"{"action":"cancel","filter":{}}"#, 422, "invalid_body", "/filter", "one condition"),
        body(
            bulk,
            r#"{"action":"cancel","filter":{"kind":["a"]}}"#,
            422,
            "invalid_body",
            "/filter/kind",
            "correct",
        ),
        body(
            bulk,
            r#"{"action":"cancel","filter":{"created_from":"-005000-01-01T00:00:00Z"}}"#,
            422,
            "invalid_body",
            "/filter/created_from",
            "correct",
        ),
        body(
            bulk,
            r#"{"action":"cancel","filter":{"tags":[""]}}"#,
            422,
            "invalid_body",
            "/filter/tags",
            "correct or remove",
        ),
        body(
            bulk,
            r#"{"action":"explode","filter":{"kinds":["a"]}}"#,
            422,
            "invalid_body",
            "/action",
            "correct the field",
        ),
        body(
            bulk,
            r#"{"action":"retry","filter":{"kinds":["a"]},"limit":0}"#,
            422,
            "invalid_body",
            "/limit",
            "split it",
        ),
        body(
            bulk,
            r#"{"action":"retry","filter":{"kinds":["a"]},"limit":100001}"#,
            422,
            "invalid_body",
            "/limit",
            "split it",
        ),
        nothing(
            "GET /v1/bulk-operations/019c0a2e-5a5c-7cc1-b6c0-0123456789ab",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing(
            "POST /v1/bulk-operations/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/cancel",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        // What takes no parameters, and a stream.
        nothing("GET /v1/queues?name=a", 400, "invalid_parameter", Some("name"), "takes none"),
        nothing("GET /v1/workers?x=1", 400, "invalid_parameter", Some("x"), "takes none"),
        nothing("GET /v1/kinds?x=1", 400, "invalid_parameter", Some("x"), "takes none"),
        nothing("GET /v1/jobs/%FF", 400, "invalid_parameter", Some("path"), "UTF-8"),
        nothing("GET /v1/events?job=7", 400, "invalid_parameter", Some("job"), "a job id"),
        nothing("GET /v1/events?kinds=a", 400, "invalid_parameter", Some("kinds"), "one of: job"),
        // Routes and methods.
        nothing("GET /v2/jobs", 404, "unknown_route", None, "/docs"),
        nothing("GET /v1/jobs/", 404, "unknown_route", None, "/docs"),
        nothing("DELETE /v1/jobs", 405, "method_not_allowed", None, "Allow"),
        nothing("GET /v1/jobs/batch", 405, "method_not_allowed", None, "Allow"),
    ]
}

async fn every_misuse_is_refused_with_its_field_and_its_remedy(t: TestStore) {
    let server = Server::over(t).await;
    let mut wrong = Vec::new();
    for case in cases().into_iter().chain(models::cases()).chain(reviews::cases()).chain(schedules::cases()) {
        let (method, path) = case.request.split_once(' ').unwrap();
        let mut request =
            server.bare(Method::from_bytes(method.as_bytes()).unwrap(), path).bearer_auth(TOKEN);
        if !case.media.is_empty() {
            request = request.header("content-type", case.media);
        }
        for (name, value) in case.headers {
            request = request.header(*name, *value);
        }
        let asked: String = format!("{} {:.200}", case.request, case.body);

        let got = answer(request.body(case.body)).await;

        let problem = got.json();
        let told = (
            got.status,
            got.header("content-type").to_owned(),
            problem["code"].as_str().unwrap().to_owned(),
            problem["errors"][0]["field"].as_str().map(str::to_owned),
            problem["type"].as_str().unwrap().to_owned(),
            problem["status"].clone(),
            !got.header("allow").is_empty(),
        );
        let wanted = (
            case.status,
            "application/problem+json".to_owned(),
            case.code.to_owned(),
            case.field.map(str::to_owned),
            format!("urn:compline:problem:{}", case.code),
            json!(case.status),
            case.status == 405,
        );
        // What was sent may be long, and nobody wants it back.
        assert!(got.text.len() < 5_000, "{asked}");
        if told != wanted || !problem["remedy"].as_str().unwrap().contains(case.remedy) {
            wrong.push(format!("{asked}\n  {wanted:?} `{}`\n  {told:?}\n  {problem}", case.remedy));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(server.t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap(), []);
    assert_eq!(server.t.audited_behind(Position::START, 10).await, []);
}

/// `POST /v1/bulk-operations?dry_run=true` once passed over the parameter and changed every job that it named.
async fn every_route_refuses_a_parameter_that_it_does_not_have(t: TestStore) {
    let server = Server::over(t).await;
    let document = serde_json::to_value(engine::http::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = format!("{}?dry_run=true", path.replace(['{', '}'], ""));
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let asked = format!("{method} {path}");

            let problem = answer(server.bare(method, &path).bearer_auth(TOKEN)).await;

            assert_eq!(problem.status, 400, "{asked}: {problem:?}");
            let problem = problem.json();
            assert_eq!(
                (&problem["code"], &problem["errors"][0]["field"]),
                (&json!("invalid_parameter"), &json!("dry_run")),
                "{asked}"
            );
        }
    }
}
