//! What types cannot say about where artifacts are kept, and about containers of Azure.

use std::time::Duration;

use engine::adapters::artifacts::Home;
use jobkit::roots;
use url::Url;

use super::Findings;
use crate::config::keys::dotted;
use crate::config::settings::Settings;

/// A job that is being enqueued is not known to others yet.
const SHORTEST_KEEP: Duration = Duration::from_secs(86_400);

pub(super) fn artifacts(settings: &Settings, found: &mut Findings) {
    let artifacts = &settings.artifacts;
    if artifacts.directory.as_os_str().is_empty() {
        found.add("artifacts.directory", "must name a directory; the default is \"artifacts\"");
    }
    if artifacts.keep.period().is_some_and(|keep| keep < SHORTEST_KEEP) {
        found.add("artifacts.keep", "must be at least \"1d\", or \"forever\"");
    }
    if !artifacts.url.is_empty() {
        let missing = match Home::parse(&artifacts.url) {
            Err(problem) => Some(problem),
            Ok(Home::S3 { bucket, .. }) if !settings.buckets.contains_key(&bucket) => {
                Some(format!("lies in no bucket that is configured; add [buckets.{bucket}]"))
            }
            Ok(Home::Azure { container, .. }) if !settings.containers.contains_key(&container) => {
                Some(format!("lies in no container that is configured; add [containers.{container}]"))
            }
            Ok(_) => None,
        };
        if let Some(problem) = missing.or_else(|| read_by_others(settings)) {
            found.add("artifacts.url", problem);
        }
    }
    containers(settings, found);
}

/// What callers put there nobody has looked at yet, and what jobs leave belongs to their tenants.
fn read_by_others(settings: &Settings) -> Option<String> {
    let url = &settings.artifacts.url;
    let roots = settings.journal.roots.iter().map(|root| ("journal.roots".to_owned(), root));
    let folders = settings.triggers.folders.iter();
    let folders = folders.map(|(name, folder)| (format!("triggers.folders.{name}.path"), &folder.path));
    let read = roots.chain(folders).find(|(_, path)| overlap(roots::address(path).unwrap_or_default(), url));
    read.map(|(key, path)| {
        format!(
            "is read by others: `{}` of {key} lies in it or around it; give each a prefix of its own",
            path.display()
        )
    })
}

fn overlap(one: &str, other: &str) -> bool {
    let folder = |address: &str| format!("{}/", address.trim_end_matches('/'));
    let (one, other) = (folder(one), folder(other));
    one.len() > 1 && (one.starts_with(&other) || other.starts_with(&one))
}

fn containers(settings: &Settings, found: &mut Findings) {
    for (name, container) in &settings.containers {
        let at = |key: &str| dotted(&["containers".into(), name.clone(), key.into()]);
        if !is_name(name) {
            let text = "is no name of a container: 3 to 63 small letters, digits and `-`";
            found.add(dotted(&["containers".into(), name.clone()]), text);
        }
        if !is_account(&container.account) {
            found.add(at("account"), "must name the storage account: 3 to 24 small letters and digits");
        }
        if container.access_key.is_some() && container.sas.is_some() {
            found.add(at("sas"), "is one right too many: leave it out, or access_key");
        }
        if let Some(problem) = problem_of_endpoint(&container.endpoint) {
            found.add(at("endpoint"), problem);
        }
    }
}

fn is_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// It may end with the account, as emulators have it.
fn problem_of_endpoint(endpoint: &str) -> Option<String> {
    if endpoint.is_empty() {
        return None;
    }
    let url = Url::parse(endpoint).ok().filter(|url| url.has_host() && url.query().is_none());
    match url {
        Some(url) if url.scheme() == "https" || url.scheme() == "http" => None,
        _ => Some(
            "must be an address such as \"https://ACCOUNT.blob.core.windows.net\", without the container"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_overlap_when_one_lies_in_the_other() {
        for (one, other, expected) in [
            ("s3://books", "s3://books/jobs", true),
            ("s3://books/", "s3://books", true),
            ("s3://books/jobs/2026", "s3://books/jobs", true),
            ("s3://books/jobs2", "s3://books/jobs", false),
            ("s3://books/in", "s3://books/jobs", false),
            ("s3://others/jobs", "s3://books/jobs", false),
            ("", "s3://books/jobs", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
        }
    }
}
