//! Where a webhook may go. Pure.
//!
//! Whoever may enqueue a job names an address that this process then calls, from inside the house: a metadata
//! service or somebody's database must not be among them. So a caller's address has to begin like one that the
//! operator has allowed, and nothing goes out in the clear but to this machine.

use std::fmt;

use url::{Host, Url};

/// An address that may be called in principle. Prints its host alone: a path may hold somebody's token.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// The problem names the remedy, and not the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|problem| format!("is no address of a web server: {problem}"))?;
        match (url.scheme(), is_loopback(&url)) {
            ("https", _) | ("http", true) => {}
            ("http", false) => {
                return Err("must begin with https://; plain http is for this machine alone".into());
            }
            _ => return Err("must begin with https://".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no user and no password; messages are signed instead".into());
        }
        if url.fragment().is_some() {
            return Err("must have no part after #, which would not be sent".into());
        }
        Ok(Self(url))
    }

    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The start of addresses that callers may name: a server, and the folder below which they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Target);

impl Prefix {
    pub fn parse(text: &str) -> Result<Self, String> {
        let target = Target::parse(text)?;
        match target.0.query() {
            Some(_) => Err("must have no part after ?; name a server and a folder".into()),
            None => Ok(Self(target)),
        }
    }

    /// Compared part by part: `https://a.example` does not cover `https://a.example.evil.test`, and `/hooks` not
    /// `/hooks2`. Dots in a path were resolved when it was parsed.
    pub fn covers(&self, target: &Target) -> bool {
        let (ours, theirs) = (&self.0.0, &target.0);
        let folder = ours.path().trim_end_matches('/');
        // A receiver that reads these as what they stand for would leave the folder.
        let hidden = ["%2f", "%5c"].iter().any(|code| theirs.path().to_ascii_lowercase().contains(code));
        !hidden
            && ours.origin() == theirs.origin()
            && theirs.path().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_can_be_called() {
        for good in
            ["https://hooks.example/a", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]/x"]
        {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://hooks.example/", "https://"),
            ("http://169.254.169.254/latest/meta-data", "https://"),
            ("http://127.0.0.1.nip.test/", "https://"),
            ("http://localhost.evil.test/", "https://"),
            ("file:///etc/passwd", "https://"),
            ("gopher://x/", "https://"),
            ("https://ada:pw@hooks.example/", "no password"),
            ("https://hooks.example/#x", "#"),
            ("hooks.example", "no address"),
            ("", "no address"),
        ] {
            let problem = Target::parse(bad).unwrap_err();
            assert!(problem.contains(why), "{bad}: {problem}");
            assert!(!problem.contains("pw"), "{problem}");
        }
        assert_eq!(
            Target::parse("https://a.example:444/t0ken").unwrap().to_string(),
            "https://a.example:444"
        );
    }

    #[test]
    fn a_prefix_covers_its_folder_and_nothing_that_only_looks_like_it() {
        let covers =
            |prefix: &str, url: &str| Prefix::parse(prefix).unwrap().covers(&Target::parse(url).unwrap());
        for (prefix, url, covered) in [
            ("https://a.example", "https://a.example/any/path?x=1", true),
            ("https://a.example/hooks", "https://a.example/hooks", true),
            ("https://a.example/hooks/", "https://a.example/hooks/1", true),
            ("https://A.example:443/", "https://a.example/x", true),
            ("https://a.example", "https://a.example.evil.test/", false),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example/hooks", "https://a.example/hooks2", false),
            ("https://a.example/hooks", "https://a.example/hooks/../admin", false),
            ("https://a.example/hooks", "https://a.example/hooks/%2e%2e/admin", false),
            ("https://a.example/hooks", "https://a.example/hooks/..%2Fadmin", false),
            ("https://a.example/hooks", "https://a.example/hooks/..%5cadmin", false),
            ("http://127.0.0.1:80/", "https://127.0.0.1:80/", false),
        ] {
            assert_eq!(covers(prefix, url), covered, "{prefix} {url}");
        }
    }
}
