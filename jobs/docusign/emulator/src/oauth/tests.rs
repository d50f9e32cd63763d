use serde_json::json;

use super::*;

const NOW: i64 = 1_772_359_200;

fn house() -> House {
    House {
        integration_key: "key".into(),
        oauth_host: "account-d.docusign.com".into(),
        key: None,
        users: ["ann", "bob"].map(String::from).into(),
        without_consent: ["bob".to_owned()].into(),
    }
}

fn assertion(change: &Value) -> String {
    let mut claims = json!({
        "iss": "key", "sub": "ann", "aud": "account-d.docusign.com", "iat": NOW, "exp": NOW + 3600,
        "scope": "signature impersonation",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims))
}

#[test]
fn each_refusal_is_the_one_that_was_seen() {
    let now = Timestamp::from_second(NOW).unwrap();
    for (change, error, description) in [
        (json!({}), None, None),
        // DocuSign's own example asks for 4000 seconds.
        (json!({"exp": NOW + 4000}), None, None),
        (json!({"scope": "impersonation  signature extended"}), None, None),
        (json!({"aud": "https://account-d.docusign.com"}), Some("invalid_grant"), Some("issuer_not_found")),
        (json!({"aud": "account-d.docusign.com/"}), Some("invalid_grant"), Some("issuer_not_found")),
        (json!({"aud": "account.docusign.com"}), Some("invalid_grant"), Some("issuer_not_found")),
        (json!({"iss": "another"}), Some("invalid_grant"), Some("issuer_not_found")),
        (json!({"sub": "eve"}), Some("invalid_grant"), Some("user_not_found")),
        (json!({"exp": NOW}), Some("invalid_grant"), Some("expired_assertion")),
        (json!({"sub": "bob"}), Some("consent_required"), None),
        (json!({"scope": "signature"}), Some("consent_required"), None),
        (json!({"scope": "impersonation"}), Some("consent_required"), None),
    ] {
        let judged = judge(&assertion(&change), &house(), now);
        let wanted = error.map(|error| Denied { error, description });
        assert_eq!(judged.err(), wanted, "{change}");
    }
    for nonsense in ["", "a.b", "a.b.c", "a.b.c.d"] {
        assert_eq!(judge(nonsense, &house(), now).unwrap_err(), invalid("no_valid_keys_or_signatures"));
    }
}

const PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A@@@
-----END PUBLIC KEY-----";

#[test]
fn a_key_in_pem_is_read_or_refused_by_what_it_is() {
    let der = |inner: &[u8]| {
        let long = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, length[0], length[1]], content].concat()
        };
        let oid = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
        long(0x30, &[[&[0x30, 0x0D][..], &oid].concat(), long(0x03, &[&[0], inner].concat())].concat())
    };
    let pem = |label: &str, der: &[u8]| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    let key = [7; 270];
    assert_eq!(PublicKey::from_pem(&pem("PUBLIC KEY", &der(&key))), Ok(PublicKey(key.to_vec())));
    assert_eq!(PublicKey::from_pem(&pem("RSA PUBLIC KEY", &key)), Ok(PublicKey(key.to_vec())));
    assert!(PublicKey::from_pem(&pem("PUBLIC KEY", &key)).unwrap_err().contains("none of RSA"));
    assert!(PublicKey::from_pem(&pem("PRIVATE KEY", &key)).unwrap_err().contains("PRIVATE KEY"));
    assert!(PublicKey::from_pem(PEM).is_err());
    assert!(PublicKey::from_pem("").is_err());
}
