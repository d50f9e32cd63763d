//! Looks into each bucket, and reads nothing.

use engine::adapters::buckets::Buckets;
use store::chain;

use super::Check;
use crate::cli::exit::{CliError, Exit};
use crate::cli::print;
use crate::config::Settings;

/// Nothing to say where there is none.
pub(super) async fn buckets(settings: &Settings) -> Option<Check> {
    let name = "buckets";
    if settings.buckets.is_empty() {
        return None;
    }
    let buckets = match Buckets::open(&settings.buckets) {
        Ok(buckets) => buckets,
        Err(error) => return Some(Check::fail(name, &CliError::from_chain(error))),
    };
    for bucket in buckets.names() {
        if let Err(error) = buckets.probe(bucket).await {
            let text = format!("{bucket} cannot be looked into: {}", chain(&error));
            let remedy =
                format!("check [buckets.{bucket}], and that the key may list it; jobs wait until it works");
            return Some(Check::fail(name, &CliError::new(Exit::Unreachable, text, remedy)));
        }
    }
    Some(Check::ok(name, format!("{} can be looked into", print::count(settings.buckets.len(), "bucket"))))
}
