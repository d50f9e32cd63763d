//! A call as verbs see it, and what they answer.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::switches::Switches;

#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query_text: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The parts of the path that the route names.
    pub places: BTreeMap<String, String>,
    /// Whose token it came with, once the door knows.
    pub subject: Option<String>,
}

impl Call {
    pub fn place(&self, name: &str) -> &str {
        self.places.get(name).map_or("", String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query_text.as_bytes());
        pairs
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
            .filter(|it| !it.is_empty())
    }

    pub fn asks(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The body as an object.
    pub fn json(&self) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(Refusal::body("It is no object.")),
            Err(error) => Err(Refusal::body(&error.to_string())),
        }
    }

    /// The body, checked against the contract where that is wanted.
    pub fn json_of(&self, definition: &str, switches: &Switches) -> Result<Map<String, Value>, Refusal> {
        let said = self.json()?;
        if switches.strict {
            crate::contract::check(definition, &said).map_err(|why| Refusal::body(&why))?;
        }
        Ok(said)
    }

    /// The words of a comma-separated list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let list = self.query(name).unwrap_or_default();
        list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

#[derive(Debug, Clone)]
pub enum Content {
    Json(Value),
    File { kind: &'static str, name: String, document: String, bytes: Bytes },
    Page(String),
    Redirect(String),
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content: Content,
}

pub type Answered = Result<Answer, Refusal>;

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), content: Content::Json(body) }
    }

    pub fn ok(body: Value) -> Answered {
        Ok(Self::json(200, body))
    }

    pub fn page(status: u16, html: String) -> Self {
        Self { status, headers: Vec::new(), content: Content::Page(html) }
    }

    pub fn refused(refusal: &Refusal) -> Self {
        let body = serde_json::json!({"errorCode": refusal.code, "message": refusal.message});
        Self::json(refusal.status, body)
    }

    /// What is recorded of it.
    pub fn recorded(&self) -> Value {
        match &self.content {
            Content::Json(body) => body.clone(),
            Content::File { name, bytes, .. } => serde_json::json!({"file": name, "bytes": bytes.len()}),
            Content::Redirect(to) => serde_json::json!({"location": to}),
            Content::Page(_) => Value::Null,
        }
    }

    /// Over the wire; of a truncated one only the first half.
    pub fn response(self, truncated: bool) -> Response {
        let (kind, bytes) = match &self.content {
            Content::Json(body) => {
                ("application/json; charset=utf-8", Bytes::from(serde_json::to_vec(body).unwrap_or_default()))
            }
            Content::File { kind, bytes, .. } => (*kind, bytes.clone()),
            Content::Page(html) => ("text/html; charset=utf-8", Bytes::from(html.clone())),
            Content::Redirect(_) => ("", Bytes::new()),
        };
        let length = bytes.len();
        let body = match truncated {
            true => half(&bytes),
            false => Body::from(bytes),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut set = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        };
        if !kind.is_empty() {
            set("content-type", kind);
        }
        if truncated {
            set("content-length", &length.to_string());
        }
        if let Content::File { name, document, .. } = &self.content {
            let plain: String =
                name.chars().filter(|c| c.is_ascii_graphic() && !"\"\\".contains(*c)).collect();
            set("content-disposition", &format!("file; filename=\"{plain}\"; documentid=\"{document}\""));
        }
        if let Content::Redirect(to) = &self.content {
            set("location", to);
        }
        for (name, value) in &self.headers {
            set(name, value);
        }
        response
    }
}

/// The first half, and then an error where the rest should be.
fn half(bytes: &Bytes) -> Body {
    let first = bytes.slice(..bytes.len() / 2);
    let cut = async {
        // What is only in a buffer when the connection ends is not sent at all.
        tokio::time::sleep(FLUSHED).await;
        Err(std::io::Error::other("truncated on purpose"))
    };
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(cut)))
}

const FLUSHED: Duration = Duration::from_millis(20);
