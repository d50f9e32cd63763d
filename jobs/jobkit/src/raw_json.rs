//! JSON as it was written. What is read as numbers and written again is another amount for some: 1e400 is none, and
//! 0.1000000000000000055 loses digits.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON value, byte for byte as it came, without the blanks around it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// Of text that is one JSON value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// `{}`: what a job is given that is given nothing.
    pub fn empty_object() -> Self {
        Value::Object(serde_json::Map::new()).into()
    }

    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        // What is made of JSON can be written as JSON.
        Self(RawValue::from_string(value.to_string()).unwrap_or_default())
    }
}

/// By what is written: `1` and `1.0` are not the same.
impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// By what it means, as far as JSON in Rust can tell.
impl PartialEq<Value> for RawJson {
    fn eq(&self, other: &Value) -> bool {
        serde_json::from_str::<Value>(self.get()).is_ok_and(|own| own == *other)
    }
}
