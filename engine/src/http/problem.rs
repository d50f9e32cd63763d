//! What the API says when it cannot do what was asked: RFC 9457, with a code for programs and a remedy for people.
//! Codes are promises; `docs/reference/http-errors.md` lists them all.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jobkit::{ArgsError, PortError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::sources::SourceError;
use crate::queue::QueueError;
use crate::scheduler::ScheduleError;
use store::chain;
use store::{ApprovalId, StoreError};

macro_rules! codes {
    ($($code:ident $text:literal $status:ident $title:literal;)+) => {
        /// What went wrong, for programs. A code may be added, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $($code,)+
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$code),+];

            pub fn text(self) -> &'static str {
                match self { $(Code::$code => $text,)+ }
            }

            /// The `type` of the problem.
            fn urn(self) -> &'static str {
                match self { $(Code::$code => concat!("urn:compline:problem:", $text),)+ }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Code::$code => StatusCode::$status,)+ }
            }

            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title,)+ }
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" BAD_REQUEST "The body is not JSON";
    InvalidParameter "invalid_parameter" BAD_REQUEST "A parameter is not valid";
    InvalidHeader "invalid_header" BAD_REQUEST "A header is not valid";
    Unauthorized "unauthorized" UNAUTHORIZED "A valid token is needed";
    SignInRefused "sign_in_refused" UNAUTHORIZED "Nobody is let in by this";
    SecondFactorDue "second_factor_due" UNAUTHORIZED "A second factor is due";
    SessionOver "session_over" UNAUTHORIZED "No session goes with this";
    InvalidSignature "invalid_signature" UNAUTHORIZED "Nobody known has signed it";
    CsrfRefused "csrf_refused" FORBIDDEN "A foreign page may have sent this";
    Forbidden "forbidden" FORBIDDEN "Whoever calls may not do this";
    VoteRefused "vote_refused" FORBIDDEN "Whoever calls does not decide on this";
    NetworkRefused "network_refused" FORBIDDEN "This is not to be done from there";
    NotFound "not_found" NOT_FOUND "There is no such thing";
    UnknownRoute "unknown_route" NOT_FOUND "There is no such route";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The route does not take this method";
    BodyTimeout "body_timeout" REQUEST_TIMEOUT "The body did not arrive in time";
    WrongState "wrong_state" CONFLICT "The job cannot take this change now";
    Refused "refused" CONFLICT "What was asked cannot be";
    QuotaFull "quota_full" CONFLICT "The quota for uploads is used up";
    NotArrived "not_arrived" CONFLICT "The file is not there yet";
    PresignOff "presign_off" CONFLICT "There is no bucket to send files to";
    Busy "busy" CONFLICT "Somebody else is in the way just now";
    OwnedByConfiguration "owned_by_configuration" CONFLICT "The configuration owns it";
    ApprovalRequired "approval_required" CONFLICT "Other people must approve this first";
    ApprovalUnusable "approval_unusable" CONFLICT "The approval is not for this, or is over";
    ApprovalOver "approval_over" CONFLICT "The approval cannot be decided on any more";
    HashDiffers "hash_differs" CONFLICT "This is not what was shown";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body must be JSON";
    UnsupportedFormat "unsupported_format" UNSUPPORTED_MEDIA_TYPE "The file is of no format that is taken";
    InvalidBody "invalid_body" UNPROCESSABLE_ENTITY "The body has a field that is not valid";
    FormatDiffers "format_differs" UNPROCESSABLE_ENTITY "The file is something else than was said";
    DigestDiffers "digest_differs" UNPROCESSABLE_ENTITY "Other bytes came than were announced";
    SizeDiffers "size_differs" UNPROCESSABLE_ENTITY "The file has another size than was said";
    Infected "infected" UNPROCESSABLE_ENTITY "The file holds malware";
    UnknownKind "unknown_kind" UNPROCESSABLE_ENTITY "No such kind of job is known";
    InvalidArgs "invalid_args" UNPROCESSABLE_ENTITY "The kind cannot take these arguments";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY "The key belongs to another request";
    UnusableDelivery "unusable_delivery" UNPROCESSABLE_ENTITY "No job can be made of the delivery";
    LockedOut "locked_out" TOO_MANY_REQUESTS "There were too many failures";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "There were too many requests";
    Internal "internal" INTERNAL_SERVER_ERROR "This is a bug of ours";
    NotCarried "not_carried" BAD_GATEWAY "The message was not taken";
    Crowded "crowded" SERVICE_UNAVAILABLE "There is no room just now";
    ArtifactsAway "artifacts_away" SERVICE_UNAVAILABLE "The files of jobs cannot be had";
    ScannerAway "scanner_away" SERVICE_UNAVAILABLE "The file could not be scanned";
    TokenNotSet "token_not_set" SERVICE_UNAVAILABLE "The API is closed until it has a token";
    SignInOff "sign_in_off" SERVICE_UNAVAILABLE "Nobody is signed in here";
    StoreAway "store_away" SERVICE_UNAVAILABLE "The store does not answer";
    Unverified "unverified" SERVICE_UNAVAILABLE "Who signed it could not be told";
    SealFailed "seal_failed" SERVICE_UNAVAILABLE "What was given could not be encrypted";
    TimedOut "timed_out" GATEWAY_TIMEOUT "The answer took too long";
}

/// Where in the request something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer into the body, or the name of a parameter or header.
    pub field: String,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:compline:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    #[schema(value_type = i32)]
    pub status: u16,
    pub code: Code,
    /// What is wrong just here.
    pub detail: String,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldProblem>,
    /// The approval that was asked for, where one is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<Uuid>)]
    pub approval: Option<Box<ApprovalId>>,
    #[serde(skip)]
    retry_after: Option<u16>,
}

pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: code.urn(),
            title: code.title(),
            status: code.status().as_u16(),
            code,
            detail: shortened(detail.into()),
            remedy: remedy.into(),
            errors: Vec::new(),
            approval: None,
            retry_after: None,
        }
    }

    /// Names the field that is to blame.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.errors.push(FieldProblem { field: shortened(field.into()), detail: self.detail.clone() });
        self
    }

    pub fn retry_after(mut self, seconds: u16) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Names the approval that was asked for.
    pub fn approval(mut self, id: ApprovalId) -> Self {
        self.approval = Some(Box::new(id));
        self
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(
            Code::NotFound,
            what,
            "check the id; what ended is deleted when its time of retention is over",
        )
    }

    /// Of one job of a request: the pointer leads from the body to the job.
    pub fn of_job(pointer: &str, error: QueueError) -> Self {
        if let QueueError::Follower { field, index, cause } = error {
            return Self::of_job(&format!("{pointer}/{field}/{index}"), *cause);
        }
        match &error {
            QueueError::Args(ArgsError::UnknownKind { .. }) => {
                let remedy = "name one of the known kinds; GET /v1/kinds lists them";
                Self::new(Code::UnknownKind, error.to_string(), remedy).at(format!("{pointer}/kind"))
            }
            QueueError::Args(ArgsError::Invalid { .. }) => {
                let remedy = "correct the arguments; nothing was enqueued";
                Self::new(Code::InvalidArgs, error.to_string(), remedy).at(format!("{pointer}/args"))
            }
            QueueError::Invalid { field, .. } => {
                // A job's time has two names here, and of a callback only the address can be wrong by now.
                let field = match *field {
                    "when" => "delay",
                    "callback" => "callback/url",
                    field => field,
                };
                let remedy = format!("correct {field}; nothing was enqueued");
                Self::new(Code::InvalidBody, error.to_string(), remedy).at(format!("{pointer}/{field}"))
            }
            QueueError::Follower { .. } | QueueError::Seal { .. } | QueueError::Store(_) => error.into(),
        }
    }

    /// Of a schedule that the request describes: the pointer leads from the body to the description.
    pub fn of_schedule(pointer: &str, error: ScheduleError) -> Self {
        match error {
            ScheduleError::Definition { cause, .. } => {
                let remedy = "correct it; nothing was changed, and config/compline.toml explains each key";
                let field = format!("{pointer}/{}", cause.field);
                Self::new(Code::InvalidBody, cause.to_string(), remedy).at(field)
            }
            ScheduleError::Job { cause, .. } => Self::of_job(pointer, *cause),
            error => error.into(),
        }
    }
}

/// What was sent stands in many a message, and may be as long as a body.
fn shortened(mut text: String) -> String {
    const LONGEST: usize = 1_000;
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        let told = chain(&error);
        match error {
            ScheduleError::Store(error) => error.into(),
            ScheduleError::Job { cause, .. } if matches!(*cause, QueueError::Seal { .. }) => (*cause).into(),
            ScheduleError::Unknown(_) => {
                Self::new(Code::NotFound, told, "GET /v1/schedules lists those there are").at("name")
            }
            ScheduleError::Owned(_) => {
                let remedy = "change it in the configuration of the processes that run jobs, or pause it";
                Self::new(Code::OwnedByConfiguration, told, remedy).at("name")
            }
            ScheduleError::Taken(_) => Self::new(Code::Refused, told, "put it under another name").at("name"),
            ScheduleError::Contended(_) => {
                Self::new(Code::Busy, told, "send the request again").retry_after(1)
            }
            ScheduleError::Invalid { field: field @ "name", .. } => {
                Self::new(Code::InvalidParameter, told, "correct it").at(field)
            }
            ScheduleError::Invalid { field, .. } => {
                let remedy = format!("correct {field}; nothing was enqueued");
                Self::new(Code::InvalidBody, told, remedy).at(format!("/{field}"))
            }
            // What is stored was good when it was put: a kind, a zone or a version is another here.
            ScheduleError::Definition { .. }
            | ScheduleError::Job { .. }
            | ScheduleError::Unreadable { .. } => {
                let remedy = "put it anew, or ask a process that has its kind and its version";
                Self::new(Code::Refused, told, remedy).at("name")
            }
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Store(error) => error.into(),
            QueueError::Seal { .. } => {
                tracing::error!("{}", chain(&error));
                let remedy = "`compline config check` tells whether every key can be had";
                Self::new(Code::SealFailed, error.to_string(), remedy)
            }
            error => Self::of_job("", error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(why) => {
                Self::new(Code::Refused, why, "correct the request; nothing was changed")
            }
            StoreError::Unapproved(_) => {
                let remedy = "ask anew: send the request without the header Approval";
                Self::new(Code::ApprovalUnusable, error.to_string(), remedy).at("Approval")
            }
            StoreError::Busy { .. } => {
                let remedy = "send the request again; find who keeps a transaction open in pg_stat_activity";
                Self::new(Code::Busy, error.to_string(), remedy).retry_after(1)
            }
            // Which words the database used is for our log and not for strangers.
            StoreError::Database { doing, .. } if error.blames_the_store() => {
                tracing::warn!("{}", chain(&error));
                let remedy =
                    "send the request again, with the same Idempotency-Key; whether it was done is not known";
                Self::new(Code::StoreAway, format!("{doing} failed"), remedy).retry_after(2)
            }
            StoreError::Database { .. } | StoreError::LeaseLost => {
                tracing::error!("{}", chain(&error));
                Self::internal()
            }
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => error.into(),
            SourceError::NoRandom(_) => {
                tracing::error!("{error}");
                Self::internal()
            }
        }
    }
}

/// Files of jobs are the one port that routes ask.
impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        tracing::error!("{}", chain(&error));
        let remedy = "send it again later; `compline doctor` says what is wrong with the place of artifacts";
        Self::new(Code::ArtifactsAway, "the files of jobs cannot be had just now", remedy).retry_after(10)
    }
}

impl Problem {
    pub fn internal() -> Self {
        let remedy = "report it with the X-Request-Id of the answer and the log around it";
        Self::new(Code::Internal, "something failed that should not", remedy)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry_after) = (self.code, self.retry_after);
        let mut response = (code.status(), Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(code, Code::Unauthorized | Code::SessionOver) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// For a route that is there under other methods; which these are, the router has written already.
pub fn method_not_allowed(allow: Option<HeaderValue>) -> Response {
    let remedy = "use one of the methods in the header Allow";
    let problem = Problem::new(Code::MethodNotAllowed, "this route does not take this method", remedy);
    let mut response = problem.into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_reference_and_nothing_else() {
        let reference = include_str!("../../../docs/reference/http-errors.md");
        let listed: Vec<_> =
            reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(listed, codes);
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.text());
            let row = format!("| `{}` | {} |", code.text(), code.status().as_u16());
            assert!(reference.contains(&row), "{row}");
        }
    }
}
