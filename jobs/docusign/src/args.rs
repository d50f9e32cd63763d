//! What somebody says who wants an envelope sent.

mod check;

use std::collections::BTreeMap;
use std::path::Path;

use jobkit::{Personal, UploadId, uploads};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use check::{LONGEST_DOCUMENT, check, ending, whole};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendEnvelopeArgs {
    /// Names the envelope for whoever wants it: one key is sent once, however often it is asked for. It names nobody: people see it.
    pub key: String,
    /// One of the configured; without it, the one called `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Of the message to recipients.
    pub subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub documents: Vec<DocumentArgs>,
    pub signers: Vec<SignerArgs>,
    /// Who gets a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyArgs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<RemindersArgs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<ExpiresArgs>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_fields: BTreeMap<String, String>,
    /// The account is one for 21 CFR Part 11: every recipient must prove who he is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub part11: bool,
}

/// One document, from exactly one place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentArgs {
    /// As recipients see it, with its ending: `report.pdf`.
    pub name: String,
    /// The address of an artifact that a job left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// A file below one of the configured roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A file that was handed in: `upload:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// The file itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<Personal<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerArgs {
    pub name: Personal<String>,
    pub email: Personal<String>,
    /// Those of one number sign side by side, after all of a smaller one.
    #[serde(default = "first")]
    pub order: u32,
    /// Where to sign; without any, the signer chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tabs: Vec<TabArgs>,
    /// Of a signer who signs within an application of yours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_user_id: Option<String>,
    /// The id of the account's workflow by which the signer proves who he is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_verification: Option<String>,
    /// For signatures by the rules of eIDAS, as DocuSign's `recipientSignatureProviders` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_providers: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyArgs {
    pub name: Personal<String>,
    pub email: Personal<String>,
    #[serde(default = "last")]
    pub order: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_verification: Option<String>,
}

fn first() -> u32 {
    1
}

/// After whoever signs.
fn last() -> u32 {
    HIGHEST_ORDER
}

pub const HIGHEST_ORDER: u32 = 1_000;

/// Where on a document something is to be filled in: at a text, or at a place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TabArgs {
    #[serde(default)]
    pub kind: TabKind,
    /// The number of the document, from 1; an anchor without it is looked for in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<u32>,
    /// A text of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// No error when the text is not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_missing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// In pixels: from the anchor, or from the page's upper left corner.
    #[serde(default)]
    pub x: i32,
    #[serde(default)]
    pub y: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TabKind {
    #[default]
    SignHere,
    InitialHere,
    DateSigned,
    FullName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemindersArgs {
    /// Days until the first.
    pub after_days: u32,
    /// Days from one to the next; 0: there is but one.
    #[serde(default)]
    pub every_days: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiresArgs {
    /// Days after which the provider voids it.
    pub after_days: u32,
    /// So many days before, recipients are warned; 0: they are not.
    #[serde(default)]
    pub warn_days: u32,
}

impl SendEnvelopeArgs {
    /// What was asked for, as a hash: one key cannot mean two things.
    pub fn sha256(&self) -> String {
        // Its own types serialise, in one order.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(bytes))
    }

    pub fn uploads(&self) -> Vec<UploadId> {
        uploads::among(self.documents.iter().filter_map(|document| document.upload.as_deref()).map(Path::new))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
