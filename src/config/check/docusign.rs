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
    // Who takes more at once than there ever are is refused for good.
    let rates = settings.call_rates();
    for (name, account) in &settings.docusign.accounts {
        let limit = docusign::calls::limit(name);
        let least = docusign::calls::at_once(account);
        if settings.calls.contains_key(&limit) && rates.get(&limit).is_some_and(|rate| rate.burst < least) {
            found.add(
                format!("calls.{limit}.burst"),
                format!("{least} at least: looks for it, a draft and its sending are taken together"),
            );
        }
    }
}
