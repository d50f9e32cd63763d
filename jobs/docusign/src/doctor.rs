//! What is wrong with an account, for whoever set it up: each thing that must be so, looked at in the order in which it fails.

use crate::account::Account;
use crate::adapters::docusign::PrivateKey;
use crate::connect;
use crate::provider::{CallError, Fault};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub found: Result<String, String>,
}

pub async fn examine(account: &Account) -> Vec<Finding> {
    let key = PrivateKey::read(&account.config.private_key_path);
    let key =
        key.map(|_| "an RSA key that its owner alone may read".into()).map_err(|problem| problem.to_string());
    let mut findings = vec![Finding { what: "private key", found: key }];
    match account.provider.probe().await {
        Ok(answered) => {
            let told = answered.value.into_iter().map(|(what, found)| Finding { what, found: Ok(found) });
            findings.push(Finding { what: "sign-in", found: Ok("a token is granted".into()) });
            findings.extend(told);
        }
        Err(error) => findings.push(Finding { what: "sign-in", found: Err(sign_in(account, &error)) }),
    }
    let keys = match connect::count_keys(account) {
        Ok(0) if account.config.webhook_url.is_empty() => {
            Ok("no webhook: only the sweep tells what becomes of envelopes".into())
        }
        Ok(0) => Err("connect_hmac_keys_path: there is no key in it, and no delivery is believed".into()),
        Ok(keys) => Ok(format!("{keys} HMAC keys")),
        Err(problem) => Err(problem),
    };
    findings.push(Finding { what: "webhook", found: keys });
    findings
}

/// What to do, by what DocuSign says.
fn sign_in(account: &Account, error: &CallError) -> String {
    let config = &account.config;
    let code = error.code.as_deref().unwrap_or_default();
    let remedy = match (error.fault, code) {
        (Fault::Consent, _) => format!(
            "let the user open this address once, signed in as himself; both scopes, signature and impersonation, are needed: {}",
            config.consent_url()
        ),
        (_, "issuer_not_found") => format!(
            "the integration key is not known at {}; a key of the demo is not one of production, and oauth_host has to be a bare host",
            config.oauth_host()
        ),
        (_, "user_not_found") => "user_id: it is the API user name of the user, a GUID, and not of another environment".into(),
        (_, "no_valid_keys_or_signatures") => {
            "private_key_path: the public key of this pair is not among those of the integration key (Apps and Keys)".into()
        }
        (_, "account_not_of_this_user") => "account_id: the user does not belong to this account".into(),
        (Fault::Token, _) => {
            "DocuSign granted a token and does not take it; try again in a quarter of an hour, and then ask DocuSign".into()
        }
        (Fault::SignIn, code) if code.starts_with("private_key_") => {
            "private_key_path: the key itself cannot be used".into()
        }
        (Fault::SignIn, _) => {
            "integration_key, user_id, private_key_path or base_url: they do not fit together".into()
        }
        _ => error.remedy().into(),
    };
    format!("{}; {remedy}", error.what())
}

#[cfg(test)]
mod tests;
