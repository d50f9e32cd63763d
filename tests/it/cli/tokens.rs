//! `compline tokens` as a script meets it.

use serde_json::json;

use crate::support::binary::Place;

#[test]
fn a_token_is_made_looked_at_rotated_and_revoked() {
    let place = Place::new();
    place.run(&["tokens", "list"]).expect(0).says(&["there are no tokens", "tokens create"]);
    let create =
        ["tokens", "create", "--name", "billing", "--permission", "jobs:write", "--from", "10.0.0.0/8"];

    let made = place.run(&create).expect(0).says(&["token billing is created", "not shown again"]);
    let secret = made.out.trim();
    assert!(secret.starts_with("cpl_") && secret.len() == 74, "{}", made.out);

    let shown =
        place.run(&["tokens", "show", "billing"]).expect(0).says(&["jobs:write", "10.0.0.0/8", "live"]);
    assert!(!shown.all().contains(&secret[4..]));
    let json = place.run(&["tokens", "show", "billing", "--json"]).expect(0).json();
    let id = json["id"].as_str().unwrap();
    assert_eq!((&json["permissions"], &json["used_at"]), (&json!(["jobs:write"]), &json!(null)));
    assert_eq!(place.run(&["tokens", "show", id, "--json"]).expect(0).json(), json);
    place.run(&create).expect(1).says(&["there is or was a token of this name"]);

    let rotated = place.run(&["tokens", "rotate", "billing", "--grace", "0s", "--json"]).expect(0).json();
    assert_ne!(rotated["secret"], json!(secret));
    assert_eq!(rotated["token"]["old_secret_until"], json!(null));
    place.run(&["tokens", "revoke", "billing"]).expect(0).says(&["is now revoked"]);
    place.run(&["tokens", "revoke", id]).expect(0).says(&["is already revoked"]);
    place.run(&["tokens", "rotate", id]).expect(1).says(&["revoked, for good"]);
    place.run(&["tokens", "list"]).expect(0).says(&["there are no tokens"]);
    place.run(&["tokens", "list", "--all"]).expect(0).says(&["billing", "revoked"]);
}

#[test]
fn a_role_gives_what_a_service_may_have_of_it() {
    let place = Place::new();
    let create = |name: &str, more: &[&str]| {
        let args = [&["tokens", "create", "--name", name, "--json"], more].concat();
        place.run(&args).expect(0).json()["token"]["permissions"].clone()
    };

    let admin = create("admin", &["--role", "admin"]);
    let tenant = create("north", &["--role", "member", "--tenant", "north"]);
    let more = create("more", &["--role", "viewer", "--permission", "jobs:write"]);

    let has = |list: &serde_json::Value, one: &str| list.as_array().unwrap().contains(&json!(one));
    assert!(has(&admin, "limits:control") && !has(&admin, "tokens:manage") && !has(&admin, "users:manage"));
    assert!(has(&tenant, "jobs:write") && !has(&tenant, "limits:read"));
    assert!(has(&more, "jobs:write") && !has(&more, "jobs:control"));
}

#[test]
fn what_cannot_be_is_refused_with_its_remedy() {
    let place = Place::new();
    let create = |more: &[&str]| {
        let args = [&["tokens", "create", "--name", "billing"], more].concat();
        place.run(&args)
    };
    create(&[]).expect(2).says(&["--permission"]);
    create(&["--permission", "jobs:fly"]).expect(2).says(&["no permission", "jobs:read"]);
    create(&["--permission", "users:manage"]).expect(2).says(&["for people alone"]);
    create(&["--permission", "jobs:read", "--from", "10.0.0.0/33"]).expect(2).says(&["10.0.0.0/33"]);
    create(&["--permission", "jobs:read", "--expires", "400d"]).expect(2).says(&["expires_in", "366d"]);
    create(&["--permission", "limits:read", "--tenant", "north"]).expect(2).says(&["whole installation"]);
    place.run(&["tokens", "show", "billing"]).expect(3).says(&["no such token", "tokens list"]);
    place.run(&["tokens", "platform-name", "ada"]).expect(2).says(&["identity.platform"]);
}

#[test]
fn a_platform_is_described_plainly_or_not_at_all() {
    const FINE: &str = "[identity]\nkey = \"env:KEY\"\n[identity.platform]\nissuer = \"https://login.example.org/\"\n\
                        audience = \"compline\"\nalgorithms = [\"RS256\"]\njwks_url = \"https://login.example.org/keys\"\n";
    let key = "a key for tests, of thirty-two bytes and more";
    let place = |text: &str| Place::new().file("compline.toml", text).with("KEY", key);
    let fine = place(FINE);
    fine.run(&["config", "check"]).expect(0);
    let named = fine.run(&["tokens", "platform-name", "ada@example.org"]).expect(0);
    assert!(named.out.starts_with("platform:https://login.example.org/:") && !named.out.contains("ada"));
    for (from, to, told) in [
        ("[\"RS256\"]", "[]", "RS256, ES256 and EdDSA"),
        ("[\"RS256\"]", "[\"RS256\", \"HS256\"]", "no secrets"),
        ("[\"RS256\"]", "[\"none\"]", "unknown variant `none`"),
        ("[\"RS256\"]", "[\"RS512\"]", "unknown variant `RS512`"),
        ("https://login.example.org/keys", "http://login.example.org/keys", "https://"),
        ("jwks_url = \"https://login.example.org/keys\"", "", "one of them says which key is right"),
        ("jwks_url", "secret = \"env:KEY\"\njwks_url", "keep one of them"),
        ("audience = \"compline\"", "", "`identity.platform.audience`: must not be empty"),
        ("\"https://login.example.org/\"", "\"compline\"", "our own tokens"),
        ("key = \"env:KEY\"", "", "needs identity.key"),
        ("issuer", "leeway = \"31s\"\nissuer", "at most \"30s\""),
        ("issuer", "max_age = \"2d\"\nissuer", "`identity.platform.max_age`"),
        ("issuer", "roles = { boss = \"owner\" }\nissuer", "owners are users of this installation"),
        ("issuer", "roles = { boss = \"king\" }\nissuer", "no role"),
        ("issuer", "roles = { boss = [\"jobs:fly\"] }\nissuer", "no permission"),
    ] {
        let text = FINE.replacen(from, to, 1);
        assert_ne!(text, FINE, "{from}");
        place(&text).run(&["config", "check"]).expect(2).says(&[told]);
    }
    let short = FINE.replace("\"RS256\"", "\"HS256\"");
    let short = short.replace("jwks_url = \"https://login.example.org/keys\"", "secret = \"env:SHORT\"");
    place(&short).with("SHORT", "x").run(&["config", "check"]).expect(2).says(&["fewer than 32 bytes"]);
}
