//! Names of artifacts and their addresses: which run of which job, and how the file is called. Where the store keeps
//! them is no part of an address, so that files may move and what jobs wrote down stays right.

use jobkit::{JobId, Owner};

/// File systems take 255 bytes; the temporary name is the longer one.
const LONGEST_NAME: usize = 200;

/// What wrote the file. Either store reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A folder.
    File,
    /// A bucket.
    Object,
}

impl Scheme {
    fn text(self) -> &'static str {
        match self {
            Self::File => "file:",
            Self::Object => "object:",
        }
    }

    pub(super) fn address(self, Owner { job, claim }: Owner, name: &str) -> String {
        format!("{}{job}/{claim}/{name}", self.text())
    }
}

pub(super) const NO_ADDRESS: &str =
    "it is no address of the form file:JOB/CLAIM/NAME or object:JOB/CLAIM/NAME";

pub(super) fn parse(address: &str) -> Option<(Scheme, Owner, &str)> {
    let (scheme, rest) = [Scheme::File, Scheme::Object]
        .into_iter()
        .find_map(|scheme| Some((scheme, address.strip_prefix(scheme.text())?)))?;
    let (owner, name) = placed(rest)?;
    Some((scheme, owner, name))
}

/// What stands behind the scheme, or below the prefix of a bucket.
pub(super) fn placed(path: &str) -> Option<(Owner, &str)> {
    let (job, rest) = path.split_once('/')?;
    let (claim, name) = rest.split_once('/')?;
    Some((Owner { job: job.parse::<JobId>().ok()?, claim: claim.parse().ok()? }, name))
}

/// A name comes from a job, and a job's arguments may come from anybody: it must not leave its directory.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let problem = match name {
        "" => "is empty",
        _ if name.len() > LONGEST_NAME => "is longer than 200 bytes",
        _ if name.starts_with('.') => "begins with a dot",
        _ if name.contains(['/', '\\']) => "has a separator in it",
        _ if name.contains(|c: char| c.is_control()) => "has a control character in it",
        _ => return Ok(()),
    };
    Err(format!("the name {problem}; use a plain file name such as `scores.csv`"))
}

/// `artifacts.url`, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    S3 { bucket: String, prefix: String },
    Azure { container: String, prefix: String },
}

impl Home {
    pub fn parse(url: &str) -> Result<Self, String> {
        let parts = |rest: &str| {
            let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let odd = |part: &str| matches!(part, "" | "." | "..") || part.contains(|c: char| c.is_control());
            if name.is_empty() || (!prefix.is_empty() && prefix.split('/').any(odd)) {
                return None;
            }
            Some((name.to_owned(), prefix.to_owned()))
        };
        let home = match url.split_once("://") {
            Some(("s3", rest)) => parts(rest).map(|(bucket, prefix)| Self::S3 { bucket, prefix }),
            Some(("azure", rest)) => parts(rest).map(|(container, prefix)| Self::Azure { container, prefix }),
            _ => None,
        };
        let remedy = "write \"s3://BUCKET/PREFIX\" or \"azure://CONTAINER/PREFIX\", or \"\" for the folder artifacts.directory";
        home.ok_or_else(|| format!("is no place in a bucket; {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_or_a_container_and_what_stands_before_keys() {
        let s3 = |bucket: &str, prefix: &str| Home::S3 { bucket: bucket.into(), prefix: prefix.into() };
        let azure = |container: &str, prefix: &str| Home::Azure {
            container: container.into(),
            prefix: prefix.into(),
        };
        for (url, expected) in [
            ("s3://books/jobs/2026", Some(s3("books", "jobs/2026"))),
            ("s3://books/jobs/", Some(s3("books", "jobs"))),
            ("s3://books", Some(s3("books", ""))),
            ("s3://books/", Some(s3("books", ""))),
            ("azure://books/jobs", Some(azure("books", "jobs"))),
            ("s3://", None),
            ("s3:///jobs", None),
            ("s3://books//jobs", None),
            ("s3://books/../jobs", None),
            ("s3://books/jo\nbs", None),
            ("gs://books/jobs", None),
            ("/srv/artifacts", None),
            ("", None),
        ] {
            assert_eq!(Home::parse(url).ok(), expected, "{url:?}");
        }
    }

    #[test]
    fn an_address_names_a_run_and_a_file_and_nothing_else() {
        let job = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";
        let owner = Owner { job: job.parse().unwrap(), claim: 7 };
        for (address, expected) in [
            (format!("file:{job}/7/a b.csv"), Some((Scheme::File, owner, "a b.csv"))),
            (format!("object:{job}/7/a.csv"), Some((Scheme::Object, owner, "a.csv"))),
            (format!("s3://books/{job}/7/a.csv"), None),
            (format!("object:{job}/x/a.csv"), None),
            (format!("object:{job}/a.csv"), None),
            ("object:books/7/a.csv".into(), None),
        ] {
            assert_eq!(parse(&address), expected, "{address}");
            if let Some((scheme, owner, name)) = expected {
                assert_eq!(scheme.address(owner, name), address);
            }
        }
    }
}
