//! Personal data as salted commitments: the log keeps a hash that proves nothing to whoever has no opening. When the
//! opening is erased, the datum is gone and every proof stands.

use ring::rand::SecureRandom;
use zeroize::Zeroize;

use crate::tree::hash;

/// Begins every commitment in an entry.
pub const MARK: &str = "c:";
const DOMAIN: &[u8] = b"compline/personal/v1";

#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    pub field: String,
    pub salt: [u8; 32],
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine has no random numbers to give")]
pub struct NoRandom;

impl Opening {
    /// Under a salt of its own, without which no list of likely values is of use.
    pub fn new(field: &str, value: &str, random: &dyn SecureRandom) -> Result<Self, NoRandom> {
        let mut salt = [0; 32];
        random.fill(&mut salt).map_err(|_| NoRandom)?;
        Ok(Self { field: field.into(), salt, value: value.into() })
    }

    /// `c:` and 64 hexadecimal digits.
    pub fn commitment(&self) -> String {
        let length = (self.field.len() as u64).to_be_bytes();
        let parts = [DOMAIN, &self.salt, &length, self.field.as_bytes(), self.value.as_bytes()];
        format!("{MARK}{}", hash(&parts).hex())
    }

    pub fn opens(&self, commitment: &str) -> bool {
        self.commitment() == commitment
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("field", &self.field)
            .field("value", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.value.zeroize();
        self.salt.zeroize();
    }
}

/// Every commitment that an entry's fields name.
pub fn commitments_in(source: Option<&str>, details: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> =
        source.filter(|source| is_commitment(source)).map(str::to_owned).into_iter().collect();
    let details = details.and_then(|details| serde_json::from_str::<serde_json::Value>(details).ok());
    if let Some(personal) = details.as_ref().and_then(|details| details.get("personal")?.as_object()) {
        found.extend(
            personal
                .values()
                .filter_map(|value| value.as_str())
                .filter(|c| is_commitment(c))
                .map(str::to_owned),
        );
    }
    found
}

fn is_commitment(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn only_its_own_opening_opens_a_commitment() {
        let opening = Opening::new("email", "ada@example.com", &SystemRandom::new()).unwrap();
        let commitment = opening.commitment();
        assert!(is_commitment(&commitment) && opening.opens(&commitment));
        let again = Opening::new("email", "ada@example.com", &SystemRandom::new()).unwrap();
        assert!(!again.opens(&commitment), "another salt");
        // Where the field ends and the value begins is part of it.
        let shifted = Opening { field: "emaila".into(), value: "da@example.com".into(), ..opening };
        assert!(!shifted.opens(&commitment));
        assert!(!format!("{opening:?}").contains("ada"), "{opening:?}");
    }

    #[test]
    fn a_known_commitment_stays_what_it_is() {
        let opening = Opening { field: "email".into(), salt: [7; 32], value: "ada@example.com".into() };
        assert_eq!(
            opening.commitment(),
            "c:97c944a915def1971b4546ce08b51d78c9ad130e24ca4e05a3a17e81323ed9b7"
        );
    }

    #[test]
    fn the_commitments_of_an_entry_are_found() {
        let c = |digit: char| format!("c:{}", digit.to_string().repeat(64));
        let details =
            format!(r#"{{"personal":{{"email":"{}","n":7,"x":"c:short"}},"email":"{}"}}"#, c('a'), c('b'));
        assert_eq!(commitments_in(Some(&c('1')), Some(&details)), [c('1'), c('a')]);
        assert_eq!(commitments_in(Some("cli:host"), Some("nonsense")), [""; 0]);
        assert_eq!(commitments_in(None, None), [""; 0]);
    }
}
