//! Settings of files that are handed in.

use std::path::PathBuf;
use std::time::Duration;

use engine::units::duration;
use engine::uploads::Rules;
use serde::{Deserialize, Serialize};
use store::Quota;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    pub directory: PathBuf,
    pub max_bytes: u64,
    pub quota_bytes: u64,
    pub quota_files: u64,
    #[serde(with = "duration")]
    pub keep: Duration,
    /// Empty means that nothing is scanned.
    pub clamav: String,
    #[serde(with = "duration")]
    pub clamav_timeout: Duration,
    #[serde(with = "duration")]
    pub clamav_oldest: Duration,
}

impl Default for Uploads {
    fn default() -> Self {
        let Rules { max_bytes, quota, keep } = Rules::default();
        Self {
            directory: "uploads".into(),
            max_bytes,
            quota_bytes: quota.bytes,
            quota_files: quota.count,
            keep,
            clamav: String::new(),
            clamav_timeout: Duration::from_secs(120),
            clamav_oldest: Duration::from_secs(3 * 86_400),
        }
    }
}

impl Uploads {
    pub fn rules(&self) -> Rules {
        let quota = Quota { bytes: self.quota_bytes, count: self.quota_files };
        Rules { max_bytes: self.max_bytes, quota, keep: self.keep }
    }
}
