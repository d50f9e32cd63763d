//! What types cannot say about buckets.

use std::path::Path;

use engine::adapters::buckets::{Bucket, parts};
use jobkit::roots;
use url::Url;

use super::Findings;
use crate::config::keys::dotted;
use crate::config::settings::Settings;

pub(super) fn buckets(settings: &Settings, found: &mut Findings) {
    for (name, bucket) in &settings.buckets {
        let at = |key: &str| dotted(&["buckets".into(), name.clone(), key.into()]);
        if !is_name(name) {
            let text = "is no name of a bucket: 3 to 63 small letters, digits, `.` and `-`";
            found.add(dotted(&["buckets".into(), name.clone()]), text);
        }
        if let Some(problem) = problem_of_endpoint(&bucket.endpoint) {
            found.add(at("endpoint"), problem);
        }
        let Bucket { access_key_id, secret_access_key, .. } = bucket;
        match (access_key_id.is_some(), secret_access_key.is_some()) {
            (true, false) => {
                found.add(
                    at("access_key_id"),
                    "is of no use without secret_access_key; write both, or neither",
                );
            }
            (false, true) => {
                found.add(
                    at("secret_access_key"),
                    "is of no use without access_key_id; write both, or neither",
                );
            }
            _ => {}
        }
    }
    let roots =
        settings.journal.roots.iter().map(|root| (vec!["journal".into(), "roots".into()], root.as_path()));
    let folders = settings.triggers.folders.iter().map(|(name, folder)| {
        (vec!["triggers".into(), "folders".into(), name.clone(), "path".into()], folder.path.as_path())
    });
    for (key, path) in roots.chain(folders) {
        if let Some(problem) = problem_of_address(path, settings) {
            found.add(dotted(&key), problem);
        }
    }
}

fn is_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-')
}

fn problem_of_endpoint(endpoint: &str) -> Option<String> {
    if endpoint.is_empty() {
        return None;
    }
    let url = Url::parse(endpoint).ok().filter(|url| url.has_host() && matches!(url.path(), "" | "/"));
    match url {
        Some(url) if url.scheme() == "https" || url.scheme() == "http" => None,
        _ => Some("must be an address such as \"https://storage.example.org\", without the bucket".into()),
    }
}

fn problem_of_address(path: &Path, settings: &Settings) -> Option<String> {
    let address = roots::address(path)?;
    match parts(address) {
        None => Some(format!("`{address}` names no bucket; write \"s3://BUCKET/FOLDER\"")),
        Some((bucket, _)) if !settings.buckets.contains_key(bucket) => {
            Some(format!("the bucket `{bucket}` is not configured; add [buckets.{bucket}]"))
        }
        Some(_) => None,
    }
}
