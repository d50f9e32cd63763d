//! Secrets by reference: the configuration says where a secret is, never what it is, so that the file can
//! be shown to an auditor and kept in version control. Later stores (Vault and the like) become further
//! variants here.

use std::fmt;
use std::path::PathBuf;

use jobkit::SecretString;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

pub const EXPECTED: &str = "a reference to the secret, `env:NAME` (an environment variable) or `file:PATH`";

#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error("the environment variable `{0}` is not set; set it, or point the reference elsewhere")]
    NotSet(String),
    #[error("`{0}` holds nothing; put the secret there")]
    Empty(SecretRef),
    #[error("the secret file `{path}` cannot be read; check that it exists and that this user may read it")]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
}

impl SecretRef {
    /// `None` when the text is no reference, as a literal secret is; the text is not repeated, because it
    /// may be one.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            return (!name.is_empty() && name.bytes().all(legal)).then(|| Self::Env(name.into()));
        }
        let path = text.strip_prefix("file:")?;
        (!path.is_empty()).then(|| Self::File(path.into()))
    }

    pub fn resolve(&self) -> Result<SecretString, ReferenceError> {
        self.resolve_in(|name| std::env::var(name).ok())
    }

    /// As `resolve`, with the environment as an argument, so that tests need not change their own.
    pub fn resolve_in(
        &self,
        variable: impl FnOnce(&str) -> Option<String>,
    ) -> Result<SecretString, ReferenceError> {
        let text = match self {
            SecretRef::Env(name) => variable(name).ok_or_else(|| ReferenceError::NotSet(name.clone()))?,
            SecretRef::File(path) => std::fs::read_to_string(path)
                .map_err(|cause| ReferenceError::Unreadable { path: path.clone(), cause })?,
        };
        // Editors and `echo` end a file with a newline that is not part of the secret.
        let secret = text.trim_end_matches(['\n', '\r']);
        match secret.is_empty() {
            true => Err(ReferenceError::Empty(self.clone())),
            false => Ok(SecretString::from(secret)),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "env:{name}"),
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("a secret is never written into the configuration; write {EXPECTED}"))
        })
    }
}

/// Where a service is: a URL, or a reference to one, since a URL may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub enum UrlRef {
    Literal(String),
    Reference(SecretRef),
}

impl UrlRef {
    pub fn resolve(&self) -> Result<SecretString, ReferenceError> {
        match self {
            UrlRef::Literal(url) => Ok(SecretString::from(url.as_str())),
            UrlRef::Reference(reference) => reference.resolve(),
        }
    }

    /// Nothing is written: there is no such service.
    pub fn is_empty(&self) -> bool {
        matches!(self, UrlRef::Literal(url) if url.is_empty())
    }

    /// The password stands in the configuration itself.
    pub fn shows_a_password(&self) -> bool {
        matches!(self, UrlRef::Literal(url) if redact_url(url) != *url)
    }
}

impl From<&str> for UrlRef {
    fn from(text: &str) -> Self {
        match SecretRef::parse(text) {
            Some(reference) => UrlRef::Reference(reference),
            None => UrlRef::Literal(text.into()),
        }
    }
}

impl fmt::Display for UrlRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlRef::Literal(url) => f.write_str(&redact_url(url)),
            UrlRef::Reference(reference) => write!(f, "{reference}"),
        }
    }
}

impl fmt::Debug for UrlRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for UrlRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UrlRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self::from(text.as_str()))
    }
}

/// Hides the password of a URL. Where the URL is malformed it hides more rather than less: everything from
/// the first colon to the *last* `@`, so that a password with `/` or `@` in it does not slip out.
pub fn redact_url(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:[redacted]@{host}"),
            None => rest.to_string(),
        },
        None => rest.to_string(),
    };
    match rest.split_once('?') {
        Some((before, query)) => {
            let shown: Vec<_> = query.split('&').map(redact_parameter).collect();
            format!("{scheme}{before}?{}", shown.join("&"))
        }
        None => format!("{scheme}{rest}"),
    }
}

fn redact_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}=[redacted]"),
        _ => parameter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jobkit::redact::ExposeSecret;

    use super::*;

    #[test]
    fn a_literal_is_refused_without_being_repeated() {
        #[derive(Debug, Deserialize)]
        struct Holder {
            #[expect(dead_code, reason = "only its parsing is looked at")]
            key: SecretRef,
        }
        for literal in ["hunter2", "env:", "env:A-B", "file:", "ENV:X", ""] {
            let error = toml::from_str::<Holder>(&format!("key = \"{literal}\"")).unwrap_err();
            assert!(error.message().contains("write a reference"), "{error}");
            assert!(literal.is_empty() || !error.message().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_reference_is_resolved_where_it_points_and_says_what_is_wrong_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "from file\n").unwrap();
        let env = |name: &str| (name == "SET").then(|| "from env".to_string());

        let resolve = |text: &str| SecretRef::parse(text).unwrap().resolve_in(env);

        assert_eq!(resolve("env:SET").unwrap().expose_secret(), "from env");
        assert_eq!(resolve(&format!("file:{}", file.display())).unwrap().expose_secret(), "from file");
        assert!(resolve("env:UNSET").unwrap_err().to_string().contains("`UNSET` is not set"));
        assert!(resolve("file:/nowhere/at/all").unwrap_err().to_string().contains("/nowhere/at/all"));
        std::fs::write(&file, "\n").unwrap();
        assert!(matches!(resolve(&format!("file:{}", file.display())), Err(ReferenceError::Empty(_))));
    }

    #[test]
    fn no_password_is_left_in_a_printed_url() {
        for (url, shown) in [
            ("sqlite://compline.db", "sqlite://compline.db"),
            ("postgres://ada@host/db", "postgres://ada@host/db"),
            ("postgres://ada:pw@host:5432/db", "postgres://ada:[redacted]@host:5432/db"),
            ("postgres://ada:p@s/s:w@host/db", "postgres://ada:[redacted]@host/db"),
            (
                "postgres://host/db?user=ada&password=pw&sslmode=require",
                "postgres://host/db?user=ada&password=[redacted]&sslmode=require",
            ),
            ("ada:pw@host", "ada:[redacted]@host"),
            ("redis://:pw@host:6379/1", "redis://:[redacted]@host:6379/1"),
        ] {
            assert_eq!(redact_url(url), shown);
            assert_eq!(format!("{:?}", UrlRef::from(url)), shown);
        }
    }
}
