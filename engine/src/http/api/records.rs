//! What families keep of things beyond jobs: lists of a collection, and one record in full. Jobs alone change it.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use jobkit::{RecordFilter, RecordId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::extract::{Parameters, Text, moment_of, path};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::records::{Record, RecordInFull};
use store::{DEFAULT_PAGE, FIRST_MOMENT, RecordPage};

#[derive(Debug, Serialize, ToSchema)]
pub struct Records {
    /// Without their bodies, by key; with `due_by` the longest due first.
    pub records: Vec<Record>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List the records of a collection.
///
/// By key, or by when they were due. A collection that is not known has none.
#[utoipa::path(get, path = "/v1/records/{collection}", tag = "records", security(("token" = ["records:read"])),
    params(
        ("collection" = String, Path, description = "Things of one sort: `FAMILY.THING`."),
        ("state" = Option<Vec<String>>, Query, description = "In one of these states.", min_length = 1),
        ("due_by" = Option<String>, Query, description = "Only those that were due at this time, the longest due first.", format = DateTime),
        ("after" = Option<String>, Query, description = "Behind this place in the list: `next` of the page before, of the same question.", pattern = "^[A-Za-z0-9_-]{1,8000}$"),
        ("limit" = Option<u16>, Query, description = "So many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The records.", body = Records)))]
pub async fn list(
    State(api): State<Shared>,
    Text(collection): Text,
    given: Parameters,
) -> Result<Json<Records>> {
    let due_by = given.one("due_by", moment_of)?;
    let place = given.one("after", |text| {
        Place::read(text, due_by.is_some()).ok_or_else(|| "what the page before said as `next`".to_owned())
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let after_due = place.as_ref().and_then(|place| place.due);
    let after =
        place.map(|Place { key, tenant, .. }| RecordId { collection: collection.clone(), tenant, key });
    let filter = RecordFilter { collection, states: given.texts("state")?, due_by, after, limit };
    let page = RecordPage { filter, after_due, with_bodies: false };
    let records = api.store.records(&api.scope(), &page).await?;
    let last = records.last().filter(|_| records.len() == limit);
    let next = last.and_then(|last| Place::of(last, due_by.is_some()).written());
    Ok(Json(Records { records: records.into_iter().map(Record::from).collect(), next }))
}

/// Where a page ended, as it is handed out.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    key: String,
    tenant: Option<String>,
    /// Of a list by when they were due.
    due: Option<Timestamp>,
}

impl Place {
    fn of(last: &jobkit::Record, is_by_due: bool) -> Self {
        let due = last.due_at.filter(|_| is_by_due);
        Self { key: last.id.key.clone(), tenant: last.id.tenant.clone(), due }
    }

    fn written(&self) -> Option<String> {
        serde_json::to_vec(self).ok().map(|json| BASE64.encode(json))
    }

    /// None when it was not handed out, or for another question.
    fn read(text: &str, is_by_due: bool) -> Option<Self> {
        let place: Self = serde_json::from_slice(&BASE64.decode(text).ok()?).ok()?;
        // A time that no store can keep was not handed out.
        let is_kept = place.due.is_none_or(|due| due >= FIRST_MOMENT);
        (place.due.is_some() == is_by_due && is_kept).then_some(place)
    }
}

/// The collection and the key of a record, from the path.
pub struct Named {
    collection: String,
    key: String,
}

impl FromRequestParts<Shared> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path((collection, key)) = path::<(String, String)>(parts, api).await?;
        Ok(Self { collection, key })
    }
}

/// One record, with its body.
#[utoipa::path(get, path = "/v1/records/{collection}/{key}", tag = "records", security(("token" = ["records:read"])),
    params(
        ("collection" = String, Path, description = "Things of one sort: `FAMILY.THING`."),
        ("key" = String, Path, description = "The key, a slash in it as `%2F`."),
        ("tenant" = Option<String>, Query, description = "Whose it is, for whoever has the whole installation; without it, the installation's own.", min_length = 1, max_length = 128),
    ),
    responses(
        (status = 200, description = "The record.", body = RecordInFull),
        (status = 404, description = "There is no such record.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(
    State(api): State<Shared>,
    Named { collection, key }: Named,
    given: Parameters,
) -> Result<Json<RecordInFull>> {
    let tenant =
        given.one("tenant", |text| match (1..=128).contains(&text.len()) && !text.contains('\0') {
            true => Ok(text.to_owned()),
            false => Err("a text of 1 to 128 bytes".into()),
        })?;
    let scope = api.scope();
    // Another tenant's is told from one that never was by nobody.
    let found = match scope.own(tenant) {
        Ok(tenant) => {
            let id = RecordId { collection: collection.clone(), tenant, key: key.clone() };
            api.store.record(&scope, &id).await?
        }
        Err(_) => None,
    };
    Ok(Json(found.ok_or_else(|| unknown(&collection, &key))?.into()))
}

fn unknown(collection: &str, key: &str) -> Problem {
    let detail = format!("there is no record `{key}` in `{collection}`");
    let remedy = "GET /v1/records/COLLECTION lists those there are; `tenant` says whose it is";
    Problem::new(Code::NotFound, detail, remedy).at("key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_handed_out_and_for_the_same_question() {
        for due in [None, Some(Timestamp::UNIX_EPOCH)] {
            let place = Place { key: "a/ü".into(), tenant: Some("north".into()), due };
            let written = place.written().unwrap();
            assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{written}");
            assert_eq!(Place::read(&written, due.is_some()), Some(place));
            assert_eq!(Place::read(&written, due.is_none()), None);
        }
        for odd in ["", "x", "e30", "{}"] {
            assert_eq!(Place::read(odd, false), None, "{odd}");
        }
        let ancient = Place { key: "a".into(), tenant: None, due: Some(Timestamp::MIN) };
        assert_eq!(Place::read(&ancient.written().unwrap(), true), None);
    }
}
