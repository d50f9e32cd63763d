//! What the variables of the platform say of DocuSign.

use super::*;

#[test]
fn docusign_is_set_by_the_variables_that_the_platform_uses() {
    let variables = [
        ("DOCUSIGN_INTEGRATION_KEY", "7c2c3e5e-8f0b-4c4f-9b1b-000000000001"),
        ("DOCUSIGN_ACCOUNT_ID", "7c2c3e5e-8f0b-4c4f-9b1b-000000000002"),
        ("DOCUSIGN_USER_ID", "7c2c3e5e-8f0b-4c4f-9b1b-000000000003"),
        ("DOCUSIGN_BASE_URL", "https://demo.docusign.net"),
        ("DOCUSIGN_PRIVATE_KEY_PATH", "/etc/docusign.pem"),
        ("DOCUSIGN_MAX_CALLS_PER_HOUR", "1000"),
        ("DOCUSIGN_POLL_MIN_INTERVAL", "30m"),
        // Another program's.
        ("DOCUSIGN_TEMPLATE_ID", "x"),
    ];

    let settings = load_variables(&variables).unwrap().settings;

    let account = &settings.docusign.accounts["default"];
    assert_eq!(account.private_key_path, PathBuf::from("/etc/docusign.pem"));
    assert_eq!((account.max_calls_per_hour, account.poll_min_interval), (1_000, Duration::from_secs(1_800)));
    assert_eq!(settings.call_rates()["docusign.default"].pace.count, 1_000);
    assert!(settings.all_schedules().contains_key("docusign.reconcile"));
    assert!(load_text("").unwrap().settings.all_schedules().is_empty());
    let told = load_variables(&[("DOCUSIGN_BASE_URL", "demo.docusign.net")]).unwrap_err().to_string();
    assert!(told.contains("DOCUSIGN_BASE_URL: ") && told.contains("write https://HOST"), "{told}");
}

/// With the burst of other limits, which is one, no envelope would ever go out: looks, a draft and its sending are taken together.
#[test]
fn a_limit_by_name_keeps_the_accounts_burst_unless_it_says_another() {
    let with = |calls: &str| {
        let account = "integration_key = \"7c2c3e5e-8f0b-4c4f-9b1b-000000000001\"\n\
             account_id = \"7c2c3e5e-8f0b-4c4f-9b1b-000000000002\"\n\
             user_id = \"7c2c3e5e-8f0b-4c4f-9b1b-000000000003\"\n\
             base_url = \"https://demo.docusign.net\"\n\
             private_key_path = \"/etc/docusign.pem\"\n";
        load_text(&format!(
            "[docusign.accounts.default]\n{account}\n[calls.\"docusign.default\"]\nrate = \"2000/h\"\n{calls}"
        ))
    };

    let rate = with("").unwrap().settings.call_rates()["docusign.default"];
    assert_eq!((rate.pace.count, rate.burst), (2_000, 100));
    assert_eq!(with("burst = 7").unwrap().settings.call_rates()["docusign.default"].burst, 7);
    let told = with("burst = 1").unwrap_err().to_string();
    assert!(told.contains("calls.docusign.default.burst") && told.contains("4 at least"), "{told}");
}
