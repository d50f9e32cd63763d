use super::*;
use crate::config::AccountConfig;
use crate::tests::{Play, account};

fn error() -> CallError {
    let budget = crate::provider::Budget::default();
    CallError { doing: "asking", fault: Fault::Away, code: None, trace: None, status: None, budget }
}

async fn found(fault: Fault, code: &'static str) -> String {
    let (accounts, provider) = account(AccountConfig {
        integration_key: "ik-1".into(),
        base_url: "https://demo.docusign.net".into(),
        ..AccountConfig::default()
    });
    provider.play("probe", [Play::Refuse(fault, code)]);
    let findings = examine(accounts.named("default").unwrap()).await;
    findings[1].found.clone().unwrap_err()
}

#[tokio::test]
async fn each_refusal_of_the_sign_in_has_its_remedy() {
    for (fault, code, remedy) in [
        (
            Fault::Consent,
            "consent_required",
            "https://account-d.docusign.com/oauth/auth?response_type=code&scope=signature%20impersonation&client_id=ik-1",
        ),
        (Fault::SignIn, "issuer_not_found", "a bare host"),
        (Fault::SignIn, "user_not_found", "user_id: "),
        (Fault::SignIn, "no_valid_keys_or_signatures", "private_key_path: "),
        (Fault::Permission, "account_not_of_this_user", "account_id: "),
        (Fault::Away, "none", "not reached"),
    ] {
        let told = found(fault, code).await;
        assert!(told.contains(remedy), "{told}");
        assert!(!told.contains("compline docusign doctor"), "it is what one reads: {told}");
        // What helps is said once, and not once more in general.
        let general = CallError { fault, ..error() }.remedy();
        assert_eq!(told.matches(general).count(), usize::from(general.contains(remedy)), "{told}");
    }
}

#[tokio::test]
async fn what_is_well_is_said_to_be() {
    let (accounts, _) = account(AccountConfig::default());

    let findings = examine(accounts.named("default").unwrap()).await;

    let wrong: Vec<_> =
        findings.iter().filter(|finding| finding.found.is_err()).map(|finding| finding.what).collect();
    // The account of this test has none.
    assert_eq!(wrong, ["private key"]);
}
