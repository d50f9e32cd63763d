//! An entry of the audit log as the bytes that are hashed: one line of JSON.
//!
//! The fields stand in one order, and what is not there is left out: `v`, `era`, `tx`, `seq`, `at`, `actor`, `action`,
//! `object`, `outcome`, `tenant`, `request`, `source`, `jobs`, `details`. The details are last and as they are kept,
//! letter by letter, so nobody has to agree with us on how JSON is made canonical: whoever checks a line hashes its bytes.

use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The era and the transaction, where the store has such.
    pub place: Option<(u32, u64)>,
    pub seq: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub outcome: String,
    pub tenant: Option<String>,
    pub request: Option<String>,
    pub source: Option<String>,
    pub jobs: Option<Vec<Uuid>>,
    /// JSON, as the store keeps it.
    pub details: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the line is no JSON object: {0}")]
    NoObject(String),
    #[error("the field `{0}` is missing, or is not of its kind")]
    Field(&'static str),
    #[error("the line is not written as entries are: its fields stand in another order, or say more")]
    NotCanonical,
}

impl Entry {
    /// The line without its end. Two entries that differ have lines that differ.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"v\":1");
        if let Some((era, tx)) = self.place {
            out.extend_from_slice(format!(",\"era\":{era},\"tx\":{tx}").as_bytes());
        }
        out.extend_from_slice(format!(",\"seq\":{},\"at\":\"{:.6}\"", self.seq, self.at).as_bytes());
        for (name, text) in [
            ("actor", Some(&self.actor)),
            ("action", Some(&self.action)),
            ("object", Some(&self.object)),
            ("outcome", Some(&self.outcome)),
            ("tenant", self.tenant.as_ref()),
            ("request", self.request.as_ref()),
            ("source", self.source.as_ref()),
        ] {
            if let Some(text) = text {
                for part in [",\"", name, "\":"] {
                    out.extend_from_slice(part.as_bytes());
                }
                string(out, text);
            }
        }
        if let Some(jobs) = &self.jobs {
            out.extend_from_slice(b",\"jobs\":[");
            out.reserve(jobs.len() * 39);
            let mut text = [0; 36];
            for (number, job) in jobs.iter().enumerate() {
                out.extend_from_slice(if number == 0 { b"\"" } else { b",\"" });
                out.extend_from_slice(job.hyphenated().encode_lower(&mut text).as_bytes());
                out.push(b'"');
            }
            out.push(b']');
        }
        if let Some(details) = &self.details {
            match is_verbatim(details) {
                true => {
                    out.extend_from_slice(b",\"details\":");
                    out.extend_from_slice(details.as_bytes());
                }
                // Nothing of ours writes such; a line must be one line of JSON all the same.
                false => {
                    out.extend_from_slice(b",\"details_text\":");
                    string(out, details);
                }
            }
        }
        out.push(b'}');
    }

    /// The entry that has this line, and no other.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        let no_object = |problem: &dyn std::fmt::Display| EntryError::NoObject(problem.to_string());
        let line = std::str::from_utf8(line).map_err(|problem| no_object(&problem))?;
        let fields: std::collections::HashMap<&str, &RawValue> =
            serde_json::from_str(line).map_err(|problem| no_object(&problem))?;
        let fields = Fields(fields);
        let place = match (fields.0.contains_key("era"), fields.0.contains_key("tx")) {
            (false, false) => None,
            _ => Some((fields.have("era")?, fields.have("tx")?)),
        };
        let details = match fields.0.get("details") {
            Some(raw) => Some(raw.get().to_owned()),
            None => fields.may_have("details_text")?,
        };
        let at: String = fields.have("at")?;
        let entry = Self {
            place,
            seq: fields.have("seq")?,
            at: at.parse().map_err(|_| EntryError::Field("at"))?,
            actor: fields.have("actor")?,
            action: fields.have("action")?,
            object: fields.have("object")?,
            outcome: fields.have("outcome")?,
            tenant: fields.may_have("tenant")?,
            request: fields.may_have("request")?,
            source: fields.may_have("source")?,
            jobs: fields.may_have("jobs")?,
            details,
        };
        let mut same = Vec::with_capacity(line.len());
        entry.write_line(&mut same);
        if same == line.as_bytes() { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }
}

struct Fields<'a>(std::collections::HashMap<&'a str, &'a RawValue>);

impl Fields<'_> {
    fn may_have<T: serde::de::DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, EntryError> {
        let raw = self.0.get(name);
        raw.map(|raw| serde_json::from_str(raw.get()).map_err(|_| EntryError::Field(name))).transpose()
    }

    fn have<T: serde::de::DeserializeOwned>(&self, name: &'static str) -> Result<T, EntryError> {
        self.may_have(name)?.ok_or(EntryError::Field(name))
    }
}

fn is_verbatim(details: &str) -> bool {
    !details.bytes().any(|byte| byte == b'\n' || byte == b'\r')
        // A text that ends in blanks would be read back without them.
        && details.trim().len() == details.len()
        && serde_json::from_str::<&RawValue>(details).is_ok()
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Writing text into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests;
