//! Reads what callers send, and refuses what is wrong with the place where it stands.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::BodyExt;
use jiff::Timestamp;
use jobkit::JobId;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde_path_to_error::{Path as Place, Segment};
use uuid::Uuid;

use super::memory::{Held, Room};
use super::problem::{Code, Problem, Result};
use super::{Api, Shared};
use crate::json;
use crate::queue::problem_of_name;
use store::FIRST_MOMENT;

/// A JSON body, with the bytes it was read from.
pub struct Body<T> {
    pub value: T,
    pub bytes: Bytes,
    _held: Held,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self> {
        Self::read_in(&api.memory.callers, request, api).await
    }
}

impl<T: DeserializeOwned> Body<T> {
    async fn read_in(room: &Room, request: Request, api: &Shared) -> Result<Self> {
        if !is_json(request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok())) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "the body is not announced as JSON",
                "send the header Content-Type: application/json",
            )
            .at("Content-Type"));
        }
        if request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "the body is packed, and nobody here unpacks it",
                "send it as it is, without the header Content-Encoding",
            )
            .at("Content-Encoding"));
        }
        let (bytes, held) = read(request, api, room).await?;
        let Object(value) = parse(&bytes)?;
        Ok(Self { value, bytes, _held: held })
    }
}

/// As [`Body`], of somebody who has shown nothing yet: it is held in the room of strangers.
pub struct StrangersBody<T>(pub Body<T>);

impl<T: DeserializeOwned> FromRequest<Shared> for StrangersBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self> {
        Body::read_in(&api.memory.strangers, request, api).await.map(Self)
    }
}

/// A body as it came, byte for byte: what a signature is about.
pub struct Raw {
    pub bytes: Bytes,
    _held: Held,
}

impl FromRequest<Shared> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self> {
        let (bytes, held) = read(request, api, &api.memory.strangers).await?;
        Ok(Self { bytes, _held: held })
    }
}

/// What must be written with the names of its fields. serde would take an array for any struct.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }
        from.deserialize_map(Fields(std::marker::PhantomData))
    }
}

fn is_json(content_type: Option<&str>) -> bool {
    let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// Room is taken as the bytes come, so who announces much and sends little holds little.
async fn read(request: Request, api: &Api, room: &Room) -> Result<(Bytes, Held)> {
    let most = api.limits.body_bytes;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > most) {
        return Err(too_large(most));
    }
    match tokio::time::timeout(api.limits.body_timeout, gather(request.into_body(), most, room.enter())).await
    {
        Ok(read) => read,
        Err(_) => Err(Problem::new(
            Code::BodyTimeout,
            format!("the body had not arrived after {:?}", api.limits.body_timeout),
            "send it faster, or raise http.body_timeout",
        )),
    }
}

async fn gather(mut body: axum::body::Body, most: usize, mut held: Held) -> Result<(Bytes, Held)> {
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The connection broke, and nobody reads this.
        let frame =
            frame.map_err(|_| Problem::new(Code::InvalidJson, "the body broke off", "send it whole"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        if gathered.len() + bytes.len() > most {
            return Err(too_large(most));
        }
        if !held.grow(bytes.len()) {
            let detail = "too many bytes of other requests are held just now";
            let remedy = "come again, with the same Idempotency-Key; http.memory_bytes says how many may be";
            return Err(Problem::new(Code::Crowded, detail, remedy).retry_after(1));
        }
        gathered.extend_from_slice(&bytes);
    }
    Ok((gathered.freeze(), held))
}

fn too_large(most: usize) -> Problem {
    let detail = format!("the body is larger than {most} bytes");
    Problem::new(Code::BodyTooLarge, detail, "send fewer jobs at once, or raise http.body_bytes")
}

const SHALLOW: &str = "send one JSON document, at most 127 levels deep";

/// serde says what is wrong and not where; keeping track costs time, so it is done only once it is known that
/// something is.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // What is kept as it was written is not counted by serde.
    if json::depth(bytes) > json::DEEPEST {
        let detail = format!("the body is more than {} levels deep", json::DEEPEST);
        return Err(Problem::new(Code::InvalidJson, detail, SHALLOW));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let detail = error.to_string();
        if !error.is_data() {
            return Problem::new(Code::InvalidJson, detail, SHALLOW);
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let place = serde_path_to_error::deserialize::<_, T>(&mut reader).err().map(|e| pointer(e.path()));
        let field = format!("{}{}", place.unwrap_or_default(), named(&detail));
        let what = if field.is_empty() { "the body" } else { &field };
        Problem::new(
            Code::InvalidBody,
            format!("{what}: {detail}"),
            "correct the field; /docs describes each",
        )
        .at(field)
    })
}

fn pointer(place: &Place) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    place.iter().map(part).collect()
}

/// A field that is missing or unknown is no part of the place where serde stood.
fn named(detail: &str) -> String {
    let field = ["missing field `"].iter().find_map(|start| detail.strip_prefix(start)?.split('`').next());
    field.map(|field| format!("/{field}")).unwrap_or_default()
}

/// The id of a job, from the path.
pub struct Id(pub JobId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        job_id("id", &id).map(Id)
    }
}

/// The name of a queue or a schedule, from the path.
pub struct Name(pub String);

impl FromRequestParts<Shared> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Text(name) = Text::from_request_parts(parts, api).await?;
        match problem_of_name(&name) {
            None => Ok(Self(name)),
            Some(problem) => {
                let listing: Vec<_> = parts.uri.path().split('/').take(3).collect();
                let remedy = format!("GET {} lists the names there are", listing.join("/"));
                Err(Problem::new(Code::InvalidParameter, format!("name: {problem}"), remedy).at("name"))
            }
        }
    }
}

/// A name that the configuration gave, from the path; one that it did not give is not found.
pub struct Text(pub String);

impl FromRequestParts<Shared> for Text {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        path::<String>(parts, api).await.map(|Path(text)| Self(text))
    }
}

/// What stands in the path, as text.
pub async fn path<T: DeserializeOwned + Send>(parts: &mut Parts, api: &Shared) -> Result<Path<T>> {
    Path::<T>::from_request_parts(parts, api).await.map_err(|_| {
        Problem::new(Code::InvalidParameter, "the path is not UTF-8", "encode the parts of the path in UTF-8")
            .at("path")
    })
}

/// One spelling, so that an id that is given back is the one that was asked for.
pub fn uuid(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 36;
    text.parse().ok().filter(|_| canonical)
}

pub fn job_id(field: &str, text: &str) -> Result<JobId> {
    uuid(text).map(JobId).ok_or_else(|| {
        let detail = format!("{field}: this is no job id");
        Problem::new(Code::InvalidParameter, detail, "an id looks like 019c0a2e-5a5c-7cc1-b6c0-0123456789ab")
            .at(field)
    })
}

/// A time that every store can keep.
pub fn moment_of(text: &str) -> Result<Timestamp, String> {
    let at = text.parse().ok().filter(|at| *at >= FIRST_MOMENT);
    at.ok_or_else(|| "a time such as 2026-01-31T09:00:00Z, from the year 1 on".into())
}

/// For fields of bodies.
pub fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<str>::deserialize(from)?;
    moment_of(&text).map_err(|expected| D::Error::custom(format!("`{}` is not {expected}", shortened(&text))))
}

pub fn moment_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    struct Given(#[serde(deserialize_with = "moment")] Timestamp);
    Ok(Option::<Given>::deserialize(from)?.map(|given| given.0))
}

/// What stands behind the `?`, each name with its values. Names that nobody knows do not come so far.
pub struct Parameters(Vec<(String, String)>);

impl FromRequestParts<Shared> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Parameters {
    /// Every value under the name, read by `read`.
    pub fn all<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
        let values = self.0.iter().filter(|(own, _)| own == name);
        values
            .map(|(_, value)| {
                read(value).map_err(|expected| {
                    let detail = format!("{name}: `{}` is not {expected}", shortened(value));
                    Problem::new(Code::InvalidParameter, detail, format!("write {expected}")).at(name)
                })
            })
            .collect()
    }

    pub fn one<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>> {
        let mut all = self.all(name, read)?;
        match all.len() {
            0 | 1 => Ok(all.pop()),
            _ => {
                let detail = format!("{name}: is given more than once");
                Err(Problem::new(Code::InvalidParameter, detail, "give it once").at(name))
            }
        }
    }

    /// How many things are asked for at once.
    pub fn limit(&self, most: usize) -> Result<Option<usize>> {
        self.one("limit", |text| match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(format!("a number from 1 to {most}")),
        })
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.all(name, |text| match text.is_empty() || text.contains('\0') {
            true => Err("a text with a letter in it, and without NUL".into()),
            false => Ok(text.to_owned()),
        })
    }
}

/// For an error message: not so much that it fills a log.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Outer {
        jobs: Vec<Object<Inner>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Inner {
        kind: String,
        #[serde(default)]
        priority: Option<u8>,
    }

    #[test]
    fn what_is_wrong_in_a_body_is_told_with_its_place() {
        for (body, code, field) in [
            ("", Code::InvalidJson, None),
            ("{\"jobs\":", Code::InvalidJson, None),
            ("[]", Code::InvalidBody, Some("")),
            (r#"{"jobs":[["a"]]}"#, Code::InvalidBody, Some("/jobs/0")),
            ("{}", Code::InvalidBody, Some("/jobs")),
            (r#"{"jobs":[{"kind":"a"},{}]}"#, Code::InvalidBody, Some("/jobs/1/kind")),
            (r#"{"jobs":[{"kind":"a","priority":300}]}"#, Code::InvalidBody, Some("/jobs/0/priority")),
            (r#"{"jobs":[{"kind":"a","colour":1}]}"#, Code::InvalidBody, Some("/jobs/0/colour")),
        ] {
            let problem = parse::<Object<Outer>>(body.as_bytes()).err().unwrap();
            assert_eq!(problem.code, code, "{body}");
            assert_eq!(problem.errors.first().map(|error| error.field.as_str()), field, "{body}");
        }
    }
}
