//! Types that do not say what they hold. A rule without a check is a wish; these are the check.

use std::fmt;

pub use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Personal data: an address, a name, a subject's id. It travels through serialisation (that is what
/// arguments are for) but never prints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_never_prints_but_survives_serialisation() {
        let mail = Personal::new("ada@example.org".to_string());

        assert_eq!(format!("{mail} {mail:?} {:?}", Some(&mail)), "[redacted] [redacted] Some([redacted])");
        let json = serde_json::to_string(&mail).unwrap();
        assert_eq!(serde_json::from_str::<Personal<String>>(&json).unwrap().expose(), "ada@example.org");
    }
}
