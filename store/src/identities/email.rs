//! E-mail addresses, as the names that people sign in with. They are compared without case, here and not in the
//! database, so that both databases compare alike.

use std::str::FromStr;

use jobkit::redact::Personal;

/// RFC 5321 has no room for a longer one.
pub const LONGEST_EMAIL: usize = 254;

#[derive(Debug, Clone)]
pub struct Email(Personal<String>);

impl Email {
    /// As it was written. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The same for all ways to write it.
    pub fn key(&self) -> String {
        self.0.expose().to_lowercase()
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Email {}

impl FromStr for Email {
    type Err = String;

    /// Whether mail arrives there only mail can tell; this refuses what is no address at all, and never repeats it.
    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |c: char| !c.is_whitespace() && !c.is_control();
        match text.rsplit_once('@') {
            Some((who, place))
                if !who.is_empty()
                    && !place.is_empty()
                    && text.chars().count() <= LONGEST_EMAIL
                    && text.chars().all(whole) =>
            {
                Ok(Self(Personal::new(text.to_owned())))
            }
            _ => {
                Err(format!("an e-mail address, such as ada@example.org, of at most {LONGEST_EMAIL} letters"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_in_any_case_and_never_printed() {
        let one: Email = "Ada@Example.org".parse().unwrap();

        assert_eq!(one, "ADA@example.ORG".parse().unwrap());
        assert_ne!(one, "ada@example.com".parse().unwrap());
        assert_eq!((one.expose(), one.key().as_str()), ("Ada@Example.org", "ada@example.org"));
        assert!(!format!("{one:?}").contains("da@"), "{one:?}");
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        let long = format!("{}@example.org", "a".repeat(250));
        for text in
            ["", "ada", "@example.org", "ada@", "ada b@example.org", "ada@exam\nple.org", "a\0@b", &long]
        {
            let problem = text.parse::<Email>().unwrap_err();
            assert!(text.is_empty() || !problem.contains(&format!("`{text}`")), "{problem}");
        }
        assert!(format!("{}@b", "a".repeat(252)).parse::<Email>().is_ok());
    }
}
