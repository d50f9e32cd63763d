//! What must hold of uploads, and who scans them.

use std::time::Duration;

use engine::adapters::clamav::Address;

use super::Findings;
use crate::config::settings::Settings;

/// Nobody says of an upload that it goes on while it is scanned, and after five minutes it is over.
const LONGEST_SCAN: Duration = Duration::from_secs(240);
/// More than a store counts in.
const MOST: u64 = 1 << 50;

pub(super) fn uploads(settings: &Settings, found: &mut Findings) {
    let uploads = &settings.uploads;
    if uploads.directory.as_os_str().is_empty() {
        found.add("uploads.directory", "must name a directory; the default is \"uploads\"");
    }
    if !(1..=MOST).contains(&uploads.max_bytes) {
        found.add("uploads.max_bytes", format!("must be from 1 to {MOST}; the default is 104857600"));
    }
    if !(uploads.max_bytes..=MOST).contains(&uploads.quota_bytes) {
        found.add(
            "uploads.quota_bytes",
            format!("must be from uploads.max_bytes to {MOST}, or no file is taken"),
        );
    }
    if !(1..=1_000_000).contains(&uploads.quota_files) {
        found.add("uploads.quota_files", "must be from 1 to 1000000; the default is 100");
    }
    if uploads.keep.is_zero() {
        found.add("uploads.keep", "must be longer than nothing; the default is \"7d\"");
    }
    if uploads.clamav_timeout.is_zero() || uploads.clamav_timeout > LONGEST_SCAN {
        found.add(
            "uploads.clamav_timeout",
            "must be longer than nothing and 4m at most; the default is \"2m\"",
        );
    }
    if uploads.clamav_oldest.is_zero() {
        found.add("uploads.clamav_oldest", "must be longer than nothing; the default is \"3d\"");
    }
    if !uploads.clamav.is_empty()
        && let Err(problem) = uploads.clamav.parse::<Address>()
    {
        found.add("uploads.clamav", format!("{problem}; leave it empty where nothing is scanned"));
    }
}
