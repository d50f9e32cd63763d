//! What can be asked wrongly of reviews.

use super::{Case, body, nothing};

const REVIEW: &str = "POST /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews";

pub fn cases() -> Vec<Case> {
    let wrong = |text: &str, field: &'static str, remedy: &'static str| {
        body(REVIEW, text, 422, "invalid_body", field, remedy)
    };
    let item = |fields: &str, field: &'static str, remedy: &'static str| {
        wrong(&format!(r#"{{"items":[{{"item":"a","decision":"cleared"}},{{{fields}}}]}}"#), field, remedy)
    };
    let parameter = |request: &'static str, field: &'static str, remedy: &'static str| {
        nothing(request, 400, "invalid_parameter", Some(field), remedy)
    };
    let one = r#"{"items":[{"item":"a","decision":"cleared"}]}"#;
    vec![
        wrong("{}", "/items", "correct the field"),
        wrong("[]", "", "correct the field"),
        wrong(r#"{"items":[]}"#, "/items", "nothing was written down"),
        wrong(r#"{"items":{"item":"a"}}"#, "/items", "correct the field"),
        wrong(r#"{"items":[["a","cleared"]]}"#, "/items/0", "correct the field"),
        wrong(
            &format!(r#"{{"items":[{}]}}"#, vec![r#"{"item":"a","decision":"cleared"}"#; 1_001].join(",")),
            "/items",
            "nothing was written down",
        ),
        wrong(r#"{"by":"","items":[{"item":"a","decision":"cleared"}]}"#, "/by", "nothing was written down"),
        wrong(
            &format!(r#"{{"by":"{}","items":[{{"item":"a","decision":"cleared"}}]}}"#, "é".repeat(201)),
            "/by",
            "nothing was written down",
        ),
        wrong(r#"{"who":"Ada","items":[]}"#, "/who", "correct the field"),
        item(r#""decision":"cleared""#, "/items/1/item", "correct the field"),
        item(r#""item":"b""#, "/items/1/decision", "correct the field"),
        item(r#""item":"b","decision":"waived""#, "/items/1/decision", "correct the field"),
        item(r#""item":"b","decision":"cleared","colour":"red""#, "/items/1/colour", "correct the field"),
        item(r#""item":"","decision":"cleared""#, "/items/1/item", "nothing was written down"),
        item(r#""item":"a\u0000","decision":"cleared""#, "/items/1/item", "nothing was written down"),
        item(
            &format!(r#""item":"{}","decision":"cleared""#, "é".repeat(501)),
            "/items/1/item",
            "nothing was written down",
        ),
        item(r#""item":"b","decision":"comment""#, "/items/1/comment", "nothing was written down"),
        item(r#""item":"b","decision":"comment","comment":" ""#, "/items/1/comment", "nothing was"),
        item(r#""item":"b","decision":"cleared","comment":7"#, "/items/1/comment", "correct the field"),
        item(r#""item":"b","decision":"cleared","comment":"\u0000""#, "/items/1/comment", "nothing was"),
        item(
            &format!(r#""item":"b","decision":"comment","comment":"{}""#, "é".repeat(4_001)),
            "/items/1/comment",
            "nothing was written down",
        ),
        body(REVIEW, one, 404, "not_found", "id", "check the id"),
        body("POST /v1/jobs/7/reviews", one, 400, "invalid_parameter", "id", "an id looks like"),
        Case {
            headers: &[("idempotency-key", "")],
            ..body(REVIEW, one, 400, "invalid_header", "Idempotency-Key", "UUID")
        },
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        nothing(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews/latest",
            404,
            "not_found",
            Some("id"),
            "check the id",
        ),
        parameter("GET /v1/jobs/7/reviews/latest", "id", "an id looks like"),
        parameter("GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews?item=", "item", "a text"),
        parameter("GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews?before=0", "before", "next"),
        parameter("GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews?before=first", "before", "next"),
        parameter("GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews?limit=251", "limit", "1 to 250"),
        parameter(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews?decision=cleared",
            "decision",
            "item",
        ),
        parameter("GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews/latest?after=", "after", "next"),
        parameter(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews/latest?after=%00",
            "after",
            "next",
        ),
        parameter(
            "GET /v1/jobs/019c0a2e-5a5c-7cc1-b6c0-0123456789ab/reviews/latest?limit=0",
            "limit",
            "1 to 250",
        ),
    ]
}
