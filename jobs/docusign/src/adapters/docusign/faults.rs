//! What an answer of DocuSign means. Its codes come in two spellings and under changing statuses, so the code decides, without regard to case, and the status
//! where there is none. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::provider::{Budget, Fault};

/// The body of an error, of the API and of the sign-in.
#[derive(Debug, Default, Deserialize)]
pub struct ErrorBody {
    #[serde(rename = "errorCode")]
    pub code: Option<String>,
    /// Of the sign-in: `consent_required`, or `invalid_grant` with what is meant in the description.
    pub error: Option<String>,
    #[serde(rename = "error_description")]
    pub description: Option<String>,
}

/// Codes, in small letters, and what they mean. A star stands for whatever comes.
const CODES: &[(&str, Fault)] = &[
    ("authorization_invalid_token", Fault::Token),
    ("user_authentication_failed", Fault::Token),
    ("hourly_apiinvocation_limit_exceeded", Fault::HourlyLimit),
    ("burst_apiinvocation_limit_exceeded", Fault::BurstLimit),
    ("*envelope_polling_limit_exceeded", Fault::EnvelopeLimit),
    ("*envelope_limit_exceeded", Fault::EnvelopeLimit),
    ("account_lacks_permissions", Fault::Permission),
    ("user_does_not_belong*", Fault::Permission),
    ("partner_authentication_failed", Fault::Permission),
    ("envelope_does_not_exist", Fault::Missing),
    ("envelope_not_found", Fault::Missing),
    ("edit_lock*", Fault::Locked),
    ("envelope_lock*", Fault::Locked),
    ("envelope_cannot_void_invalid_state", Fault::State),
    ("envelope_invalid_status", Fault::State),
    ("envelope_not_in_correct_state", Fault::State),
    ("envelope_has_been_purged", Fault::Gone),
    ("document_does_not_exist", Fault::Gone),
    ("envelope_has_been_*", Fault::State),
    ("invalid_envelope_status*", Fault::State),
    ("transaction_id_already_exists", Fault::Duplicate),
    ("duplicate_transaction_id", Fault::Duplicate),
];

/// What the sign-in says.
const SIGN_IN: &[(&str, Fault)] = &[
    ("consent_required", Fault::Consent),
    ("no_valid_keys_or_signatures", Fault::SignIn),
    ("issuer_not_found", Fault::SignIn),
    ("user_not_found", Fault::SignIn),
    ("unsupported_grant_type", Fault::SignIn),
    ("invalid_grant", Fault::SignIn),
    ("invalid_request", Fault::SignIn),
    ("invalid_scope", Fault::SignIn),
];

/// Of an answer of the API that is no success.
pub fn api(status: u16, body: &[u8]) -> (Fault, Option<String>) {
    let body: Option<ErrorBody> = serde_json::from_slice(body).ok();
    let code = body.and_then(|body| body.code).filter(|code| is_code(code));
    let by_code = code.as_deref().and_then(|code| among(CODES, code));
    let fault = match (by_code, status) {
        // A server that fails does not know what it did, whatever it calls that.
        (Some(fault), _) if status < 500 => fault,
        (_, 500..) => Fault::Unknown,
        // Not DocuSign speaks here, but something before it.
        (_, 401) => Fault::Token,
        // Without a code it is something before DocuSign that does not know the way.
        (_, 404 | 408) => Fault::Unknown,
        (_, 429) => Fault::BurstLimit,
        (None, _) if code.is_none() => Fault::Unknown,
        _ => Fault::Refused,
    };
    (fault, code)
}

/// Whether an answer that is no success may come from where the account was before. Its host sends elsewhere then, does not know it, or does not know the token. A host
/// that speaks of the envelope knows the account.
pub fn is_perhaps_elsewhere(status: u16, code: Option<&str>) -> bool {
    let is_of_account = |code: &str| {
        let code = code.to_lowercase();
        code.starts_with("account_") || code.starts_with("user_does_not_belong")
    };
    let is_of_envelope = |code: &str| {
        let code = code.to_lowercase();
        code.starts_with("envelope_") || code.starts_with("document_")
    };
    match status {
        300..=399 | 401 => true,
        404 => !code.is_some_and(is_of_envelope),
        _ => code.is_some_and(is_of_account),
    }
}

/// Of an answer of the sign-in that is no success.
pub fn sign_in(status: u16, body: &[u8]) -> (Fault, Option<String>) {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else {
        // Not DocuSign speaks here, but something before it.
        return (Fault::Away, None);
    };
    let mut words = [body.description, body.error].into_iter().flatten().filter(|word| is_code(word));
    let known = words.clone().find_map(|word| among(SIGN_IN, &word).map(|fault| (fault, Some(word))));
    match known {
        Some(told) if status < 500 => told,
        _ if status >= 500 => (Fault::Away, None),
        _ => (Fault::SignIn, words.next_back()),
    }
}

fn among(codes: &[(&str, Fault)], code: &str) -> Option<Fault> {
    let code = code.to_lowercase();
    let is = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => code.ends_with(end),
        (_, Some(start)) => code.starts_with(start),
        _ => code == pattern,
    };
    codes.iter().find(|(pattern, _)| is(pattern)).map(|(_, fault)| *fault)
}

/// Words that could be anybody's are no code.
fn is_code(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// How much of the hour is left, by the headers. When it is full again is told as a time in one place of DocuSign's pages and as a rest in another.
pub fn budget(remaining: Option<&str>, reset: Option<&str>, now: Timestamp) -> Budget {
    /// Seconds; nobody's rest of an hour is that long.
    const LONGEST_REST: i64 = 7 * 86_400;
    let resets_at = reset.and_then(|text| text.trim().parse::<i64>().ok()).and_then(|number| match number {
        ..0 => None,
        0..=LONGEST_REST => now.checked_add(SignedDuration::from_secs(number)).ok(),
        _ => Timestamp::from_second(number).ok(),
    });
    Budget { remaining: remaining.and_then(|text| text.trim().parse().ok()), resets_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_in_any_case_and_else_the_status() {
        for (status, body, expected) in [
            (401, r#"{"errorCode":"AUTHORIZATION_INVALID_TOKEN"}"#, Fault::Token),
            (401, r#"{"errorCode":"USER_AUTHENTICATION_FAILED"}"#, Fault::Token),
            (401, "", Fault::Token),
            (400, r#"{"errorCode":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED"}"#, Fault::HourlyLimit),
            (429, r#"{"errorCode":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED"}"#, Fault::HourlyLimit),
            (400, r#"{"errorCode":"BURST_APIINVOCATION_LIMIT_EXCEEDED"}"#, Fault::BurstLimit),
            (429, "", Fault::BurstLimit),
            (400, r#"{"errorCode":"Hourly_Envelope_Polling_Limit_Exceeded"}"#, Fault::EnvelopeLimit),
            (400, r#"{"errorCode":"Burst_Envelope_Polling_Limit_Exceeded"}"#, Fault::EnvelopeLimit),
            (400, r#"{"errorCode":"HOURLY_APIINVOCATION_ENVELOPE_LIMIT_EXCEEDED"}"#, Fault::EnvelopeLimit),
            (400, r#"{"errorCode":"INVALID_REQUEST_PARAMETER"}"#, Fault::Refused),
            (400, r#"{"errorCode":"ENVELOPE_IS_INCOMPLETE"}"#, Fault::Refused),
            (400, r#"{"errorCode":"INVALID_EMAIL_ADDRESS_FOR_RECIPIENT"}"#, Fault::Refused),
            (400, r#"{"errorCode":"ANCHOR_TAG_PROCESSING_FAILURE"}"#, Fault::Refused),
            (400, r#"{"errorCode":"SOMETHING_NEW"}"#, Fault::Refused),
            (500, r#"{"errorCode":"SOMETHING_NEW"}"#, Fault::Unknown),
            (401, r#"{"errorCode":"PARTNER_AUTHENTICATION_FAILED"}"#, Fault::Permission),
            (400, r#"{"errorCode":"ACCOUNT_LACKS_PERMISSIONS"}"#, Fault::Permission),
            (400, r#"{"errorCode":"USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT"}"#, Fault::Permission),
            (404, r#"{"errorCode":"ENVELOPE_DOES_NOT_EXIST"}"#, Fault::Missing),
            (400, r#"{"errorCode":"ENVELOPE_DOES_NOT_EXIST"}"#, Fault::Missing),
            (400, r#"{"errorCode":"EDIT_LOCK_NOT_LOCK_OWNER"}"#, Fault::Locked),
            (400, r#"{"errorCode":"ENVELOPE_LOCKED"}"#, Fault::Locked),
            (400, r#"{"errorCode":"ENVELOPE_CANNOT_VOID_INVALID_STATE"}"#, Fault::State),
            (400, r#"{"errorCode":"ENVELOPE_HAS_BEEN_PURGED"}"#, Fault::Gone),
            (404, r#"{"errorCode":"DOCUMENT_DOES_NOT_EXIST"}"#, Fault::Gone),
            (502, "<html>Bad Gateway</html>", Fault::Unknown),
            (400, "<html>", Fault::Unknown),
            (504, "", Fault::Unknown),
            (404, "<html>", Fault::Unknown),
            (404, "", Fault::Unknown),
        ] {
            assert_eq!(api(status, body.as_bytes()).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn an_account_that_moved_is_told_by_status_or_code() {
        for (status, code, expected) in [
            (302, None, true),
            (308, None, true),
            (401, None, true),
            (404, Some("ENVELOPE_DOES_NOT_EXIST"), false),
            (404, Some("Document_Does_Not_Exist"), false),
            (404, Some("ACCOUNT_NOT_FOUND"), true),
            (404, None, true),
            (400, Some("ACCOUNT_LACKS_PERMISSIONS"), true),
            (400, Some("Account_Has_Moved"), true),
            (400, Some("USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT"), true),
            (400, Some("ENVELOPE_IS_INCOMPLETE"), false),
            (429, None, false),
            (503, None, false),
        ] {
            assert_eq!(is_perhaps_elsewhere(status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn the_sign_in_says_what_does_not_fit() {
        for (status, body, expected, code) in [
            (400, r#"{"error":"consent_required"}"#, Fault::Consent, Some("consent_required")),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"no_valid_keys_or_signatures"}"#,
                Fault::SignIn,
                Some("no_valid_keys_or_signatures"),
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"issuer_not_found"}"#,
                Fault::SignIn,
                Some("issuer_not_found"),
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"user_not_found"}"#,
                Fault::SignIn,
                Some("user_not_found"),
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"of ada@example.org"}"#,
                Fault::SignIn,
                Some("invalid_grant"),
            ),
            (400, "<html>", Fault::Away, None),
            (429, "slow down", Fault::Away, None),
            (503, r#"{"error":"invalid_grant"}"#, Fault::Away, None),
            (502, "<html>", Fault::Away, None),
        ] {
            assert_eq!(
                sign_in(status, body.as_bytes()),
                (expected, code.map(str::to_owned)),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn words_of_the_provider_are_no_code() {
        let (_, code) = api(400, br#"{"errorCode":"the address ada@example.org is wrong"}"#);

        assert_eq!(code, None);
    }

    #[test]
    fn a_reset_is_a_time_or_a_rest() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |second| Timestamp::from_second(second).ok();
        for (remaining, reset, expected) in [
            (Some("2999"), Some("1800003600"), (Some(2_999), at(1_800_003_600))),
            (Some("0"), Some("3600"), (Some(0), at(1_800_003_600))),
            (Some("x"), Some("-1"), (None, None)),
            (None, None, (None, None)),
        ] {
            let Budget { remaining: left, resets_at } = budget(remaining, reset, now);
            assert_eq!((left, resets_at), expected, "{remaining:?} {reset:?}");
        }
    }
}
