//! `compline users` as a script meets it.

use serde_json::{Value, json};

use crate::support::binary::Place;

const PASSWORD: &str = "nanoseconds are eleven inches";
const ADA: [&str; 8] =
    ["users", "create", "--email", "Ada@example.org", "--name", "Ada Lovelace", "--role", "owner"];

fn create(place: &Place) -> Value {
    let args = [&ADA[..], &["--password-stdin", "--json"]].concat();
    place.run_with_input(&args, &format!("{PASSWORD}\n")).expect(0).json()
}

#[test]
fn a_user_is_made_looked_at_and_looked_after() {
    let place = Place::new();
    place.run(&["users", "list"]).expect(0).says(&["there are no users", "users create"]);
    let created = create(&place);
    let id = created["id"].as_str().unwrap();
    assert_eq!(
        (&created["role"], &created["tenant"], &created["second_factor"]),
        (&json!("owner"), &json!(null), &json!(false))
    );

    let shown = place.run(&["users", "show", "ADA@example.org", "--json"]).expect(0).json();
    assert_eq!(shown, created);
    place.run(&["users", "show", id]).expect(0).says(&["Ada Lovelace", "Ada@example.org", "owner"]);
    place.run(&["users", "list"]).expect(0).says(&["EMAIL", "Ada@example.org", "owner"]);
    // Somebody has to be left who may do everything.
    for taken in [&["users", "disable", id][..], &["users", "set-role", id, "viewer"]] {
        place.run(taken).expect(1).says(&["last owner", "make another one first"]);
    }
    let other = [
        "users",
        "create",
        "--email",
        "bob@example.org",
        "--name",
        "Bob",
        "--role",
        "owner",
        "--password-stdin",
    ];
    place.run_with_input(&other, "another one, by and by").expect(0);
    place.run(&["users", "set-role", id, "viewer"]).expect(0).says(&["is now viewer"]);
    place.run(&["users", "set-role", id, "viewer"]).expect(0).says(&["is already viewer"]);
    place.run(&["users", "disable", id]).expect(0).says(&["is now disabled"]);
    place.run(&["users", "list"]).expect(0).says(&["disabled"]);
    place.run(&["users", "enable", id]).expect(0).says(&["is now enabled"]);
    place.run(&["users", "reset-totp", id]).expect(0).says(&["already without a second factor"]);
    place.run(&["users", "sessions", id]).expect(0).says(&["no session open"]);
    place.run(&["users", "sign-out", id]).expect(0).says(&["0 sessions"]);
    let reset = ["users", "reset-password", id, "--password-stdin"];
    place.run_with_input(&reset, "another one, by and by").expect(0).says(&["another password"]);
}

#[test]
fn what_cannot_be_is_refused_with_its_remedy_and_without_its_words() {
    let place = Place::new();
    create(&place);
    let again = [&ADA[..], &["--password-stdin"]].concat();
    place.run_with_input(&again, PASSWORD).expect(1).says(&["already"]);
    place.run(&ADA).expect(2).says(&["no terminal", "--password-stdin"]);
    let other = |email: &'static str, role: &'static str, password: &str| {
        let args = ["users", "create", "--email", email, "--name", "B", "--role", role, "--password-stdin"];
        place.run_with_input(&args, password)
    };
    let weak =
        other("b@example.org", "viewer", "passwordpassword").expect(2).says(&["password: is easily guessed"]);
    assert!(!weak.all().contains("passwordpassword"), "{}", weak.all());
    other("b@example.org", "viewer", "short").expect(2).says(&["fewer than 12"]);
    other("b", "viewer", PASSWORD).expect(2).says(&["an e-mail address"]);
    other("b@example.org", "king", PASSWORD).expect(2).says(&["owner, admin, member, viewer"]);
    place.run(&["users", "show", "b@example.org"]).expect(3).says(&["no such user", "users list"]);
    place.run(&["users", "disable", "019c0a2e-5a5c-7cc1-b6c0-0123456789ab"]).expect(3);
    place.run(&["users", "show", "nobody"]).expect(2).says(&["neither an id"]);
}

#[test]
fn what_sessions_may_last_is_checked_before_anything_runs() {
    for (settings, told) in [
        ("access_life = \"2h\"", "identity.access_life"),
        ("access_life = \"1s\"", "identity.access_life"),
        ("session_idle = \"5m\"", "identity.session_idle"),
        ("session_life = \"1h\"", "identity.session_life"),
        ("session_life = \"90d\"", "identity.session_life"),
        ("key = \"a secret in the clear\"", "identity.key"),
    ] {
        let place = Place::new().file("compline.toml", &format!("[identity]\n{settings}\n"));
        place.run(&["config", "check"]).expect(2).says(&[told]);
    }
    let place = Place::new().file("compline.toml", "[http]\ntrusted_proxies = [\"10.0.0.0/33\"]\n");
    place.run(&["config", "check"]).expect(2).says(&["10.0.0.0/33"]);
    let short =
        Place::new().file("compline.toml", "[identity]\nkey = \"env:KEY\"\n").with("KEY", "too short");
    short.run(&["serve"]).expect(2).says(&["identity.key", "32 bytes"]);
}
