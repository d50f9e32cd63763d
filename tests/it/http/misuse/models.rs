//! What can be asked wrongly of models.

use super::{Case, nothing};

pub fn cases() -> Vec<Case> {
    let parameter = |request: &'static str, field: &'static str, remedy: &'static str| {
        nothing(request, 400, "invalid_parameter", Some(field), remedy)
    };
    let unknown = |request: &'static str| nothing(request, 404, "not_found", Some("id"), "/v1/models");
    vec![
        parameter("GET /v1/models/ledger", "id", "/v1/models"),
        parameter("GET /v1/models/0123456789ABCDEF", "id", "/v1/models"),
        parameter("GET /v1/models/%00", "id", "/v1/models"),
        parameter("POST /v1/models/7/promote", "id", "/v1/models"),
        unknown("GET /v1/models/0123456789abcdef"),
        unknown("POST /v1/models/0123456789abcdef/promote"),
        parameter("GET /v1/models?name=", "name", "a text"),
        parameter("GET /v1/models?name=a%00b", "name", "a text"),
        parameter("GET /v1/models?before=yesterday", "before", "next"),
        parameter("GET /v1/models?before=0123456789abcdef", "before", "next"),
        parameter("GET /v1/models?limit=0", "limit", "1 to 1000"),
        parameter("GET /v1/models?standing=champion", "standing", "name"),
        Case {
            headers: &[("idempotency-key", "")],
            ..nothing(
                "POST /v1/models/0123456789abcdef/promote",
                400,
                "invalid_header",
                Some("Idempotency-Key"),
                "UUID",
            )
        },
        nothing("DELETE /v1/models/0123456789abcdef", 405, "method_not_allowed", None, "Allow"),
    ]
}
