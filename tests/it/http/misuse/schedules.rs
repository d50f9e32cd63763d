//! What can be asked wrongly of schedules and alerts.

use super::{Case, body, nothing};

const DAILY: &str = r#"{"kind":"system.noop","cron":"@daily"}"#;
const YEAR: &str = r#""from":"2026-01-01T00:00:00Z","until":"2026-12-31T00:00:00Z""#;

pub fn cases() -> Vec<Case> {
    let (preview, simulation) = ("POST /v1/schedule-previews", "POST /v1/schedule-simulations");
    let put = |text: &str, status, code, field: &'static str, remedy: &'static str| {
        body("PUT /v1/schedules/close", text, status, code, field, remedy)
    };
    let schedule = |fields: &str, field: &'static str, remedy: &'static str| {
        put(&format!(r#"{{"kind":"system.noop"{fields}}}"#), 422, "invalid_body", field, remedy)
    };
    let simulated = |fields: &str, field: &'static str, remedy: &'static str| {
        let text = format!(r#"{{"definition":{{"cron":"@daily"}},{fields}}}"#);
        body(simulation, &text, 422, "invalid_body", field, remedy)
    };
    vec![
        // Schedules.
        put("{}", 422, "invalid_body", "/cron", "each key"),
        put("[]", 422, "invalid_body", "", "correct the field"),
        put(r#"{"kind":"system.nope","every":"1h"}"#, 422, "unknown_kind", "/kind", "/v1/kinds"),
        put(
            r#"{"kind":"system.sleep","every":"1h","args":{"ms":"{{fire_tme}}"}}"#,
            422,
            "invalid_body",
            "/args",
            "each key",
        ),
        put(
            r#"{"kind":"system.sleep","every":"1h","args":{"ms":-1}}"#,
            422,
            "invalid_args",
            "/args",
            "correct the arguments",
        ),
        schedule("", "/cron", "each key"),
        schedule(r#","cron":"61 * * * *""#, "/cron", "each key"),
        schedule(r#","cron":"@daily","every":"1h""#, "/every", "each key"),
        schedule(r#","every":"soon""#, "/every", "correct the field"),
        schedule(r#","every":"1ms""#, "/every", "each key"),
        schedule(r#","cron":"@daily","zone":"Mars/Olympus""#, "/zone", "each key"),
        schedule(r#","cron":"@daily","calendar":"mars""#, "/calendar", "each key"),
        schedule(r#","cron":"@daily","days":"skip_holidays""#, "/days", "each key"),
        schedule(r#","cron":"@daily","days":"never""#, "/days", "correct the field"),
        schedule(r#","cron":"@daily","jitter":"2d""#, "/jitter", "each key"),
        schedule(r#","cron":"@daily","from":"monday""#, "/from", "each key"),
        schedule(r#","cron":"@daily","from":"2026-02-01","until":"2026-01-01""#, "/until", "each key"),
        schedule(r#","cron":"@daily","misfire":"maybe""#, "/misfire", "correct the field"),
        schedule(r#","cron":"@daily","misfire":"all","misfire_limit":0"#, "/misfire_limit", "each key"),
        schedule(r#","cron":"@daily","misfire_within":"1s""#, "/misfire_within", "each key"),
        schedule(r#","cron":"@daily","overlap":"fight""#, "/overlap", "correct the field"),
        schedule(r#","cron":"@daily","queue":"a b""#, "/queue", "correct queue"),
        schedule(r#","cron":"@daily","priority":10"#, "/priority", "correct priority"),
        schedule(r#","cron":"@daily","tenant":"a\u0000""#, "/tenant", "correct tenant"),
        schedule(r#","cron":"@daily","tags":[""]"#, "/tags", "correct tags"),
        schedule(r#","cron":"@daily","enabled":"yes""#, "/enabled", "correct the field"),
        schedule(r#","colour":"red""#, "/colour", "correct the field"),
        body("PUT /v1/schedules/a%20b", "{}", 400, "invalid_parameter", "name", "/v1/schedules"),
        body(
            "PUT /v1/schedules/declared",
            DAILY,
            409,
            "owned_by_configuration",
            "name",
            "in the configuration",
        ),
        nothing("GET /v1/schedules?state=active", 400, "invalid_parameter", Some("state"), "takes none"),
        nothing("GET /v1/schedules/none", 404, "not_found", Some("name"), "GET /v1/schedules"),
        nothing("DELETE /v1/schedules/none", 404, "not_found", Some("name"), "GET /v1/schedules"),
        body(
            "PUT /v1/schedules/mine",
            r#"{"kind":"test.as_written","cron":"@daily","args":{"amount":0.1000000000000000055}}"#,
            422,
            "invalid_body",
            "/args",
            "as a text",
        ),
        nothing("POST /v1/schedules/none/resume", 404, "not_found", Some("name"), "GET /v1/schedules"),
        nothing("POST /v1/schedules/none/run", 404, "not_found", Some("name"), "GET /v1/schedules"),
        Case {
            headers: &[("idempotency-key", "a\"b")],
            ..nothing("POST /v1/schedules/none/run", 400, "invalid_header", Some("Idempotency-Key"), "UUID")
        },
        body("POST /v1/schedules/none/pause", "{}", 422, "invalid_body", "/reason", "correct the field"),
        body(
            "POST /v1/schedules/none/pause",
            r#"{"reason":"month end"}"#,
            404,
            "not_found",
            "name",
            "GET /v1/schedules",
        ),
        body("POST /v1/schedules/none/backfill", "{}", 422, "invalid_body", "/from", "correct the field"),
        body(
            "POST /v1/schedules/none/backfill",
            r#"{"from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}"#,
            404,
            "not_found",
            "name",
            "GET /v1/schedules",
        ),
        body(preview, "{}", 422, "invalid_body", "/schedule", "describe one"),
        body(preview, r#"{"schedule":"a b"}"#, 422, "invalid_body", "/schedule", "describe one"),
        body(preview, r#"{"schedule":"none"}"#, 404, "not_found", "name", "GET /v1/schedules"),
        body(
            preview,
            r#"{"schedule":"a","definition":{"cron":"@daily"}}"#,
            422,
            "invalid_body",
            "/definition",
            "describe one",
        ),
        body(
            preview,
            r#"{"definition":{"cron":"soon"}}"#,
            422,
            "invalid_body",
            "/definition/cron",
            "each key",
        ),
        body(
            preview,
            r#"{"definition":["@daily"]}"#,
            422,
            "invalid_body",
            "/definition",
            "correct the field",
        ),
        body(
            preview,
            r#"{"definition":{"cron":"@daily"},"count":1001}"#,
            422,
            "invalid_body",
            "/count",
            "ask for fewer",
        ),
        body(simulation, r#"{"schedule":"a"}"#, 422, "invalid_body", "/from", "correct the field"),
        simulated(
            r#""from":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z""#,
            "/until",
            "after the beginning",
        ),
        simulated(&format!(r#"{YEAR},"takes":"long""#), "/takes", "10m"),
        simulated(&format!(r#"{YEAR},"takes":"367d""#), "/takes", "10m"),
        simulated(&format!(r#"{YEAR},"misfire":"maybe""#), "/misfire", "correct the field"),
        simulated(
            &format!(
                r#"{YEAR},"outages":[{{"from":"2026-01-02T00:00:00Z","until":"2026-01-02T00:00:00Z"}}]"#
            ),
            "/outages/0/until",
            "after the beginning",
        ),
        simulated(
            r#""from":"1026-01-01T00:00:00Z","until":"2026-01-01T00:00:00Z""#,
            "/until",
            "a shorter time",
        ),
        // Alerts.
        nothing("GET /v1/alerts?closed=maybe", 400, "invalid_parameter", Some("closed"), "true or false"),
        nothing("GET /v1/alerts?limit=0", 400, "invalid_parameter", Some("limit"), "1 to 1000"),
        nothing("GET /v1/alerts?open=true", 400, "invalid_parameter", Some("open"), "closed"),
        nothing("GET /v1/alerts/7", 400, "invalid_parameter", Some("id"), "/v1/alerts"),
        nothing(
            "GET /v1/alerts/019c0a2e-5a5c-7cc1-b6c0-0123456789ab",
            404,
            "not_found",
            Some("id"),
            "/v1/alerts",
        ),
        nothing(
            "POST /v1/alerts/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/acknowledge",
            404,
            "not_found",
            Some("id"),
            "/v1/alerts",
        ),
        nothing("POST /v1/alert-routes/none/test", 404, "not_found", Some("name"), "[alerts.routes]"),
    ]
}
