//! What was asked and answered, for whoever checks a client's traffic.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One call. Numbers of `began` and `ended` are drawn from one sequence, so two calls overlapped when each began before
/// the other ended.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    pub began: u64,
    pub ended: Option<u64>,
    /// By the emulator's clock.
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    /// Whose token it came with.
    pub subject: Option<String>,
    /// The JSON that came, long files in it replaced by their length and hash; or the fields of a form.
    pub body: Value,
    /// What the emulator answered, or would have, had the answer not been lost.
    pub status: Option<u16>,
    pub answer: Value,
    pub trace: String,
    /// What went wrong on purpose.
    pub fault: Option<String>,
    /// Did an answer go out?
    pub answered: bool,
}

/// Strings longer than this are files.
const LONGEST: usize = 4096;

/// A body without its files.
pub fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > LONGEST => {
            let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            json!(format!("[{} bytes, sha256 {hash}]", text.len()))
        }
        Value::Array(list) => Value::Array(list.into_iter().map(shortened).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, shortened(value))).collect())
        }
        other => other,
    }
}
