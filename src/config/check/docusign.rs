//! What types cannot say about accounts of DocuSign: the family says it.

use super::Findings;
use crate::config::settings::Settings;

pub(super) fn docusign(settings: &Settings, found: &mut Findings) {
    for (key, problem) in settings.docusign.problems() {
        found.add(key, problem);
    }
    let identities = settings.docusign.accounts.iter().map(|(name, account)| (&account.account_id, name));
    let mut known = std::collections::BTreeMap::new();
    for (account, name) in identities {
        if let Some(other) = known.insert(account, name) {
            found.add(
                format!("docusign.accounts.{name}.account_id"),
                format!("is that of docusign.accounts.{other} too; one account of DocuSign has one section, since its limits are one"),
            );
        }
    }
}
