//! Sessions of a browser: cookies that no script reads, and pages that may not use them.

use engine::identity::networks::Network;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Jar, Tokens, credentials, refused, server, setup, sign_in, user, with};
use crate::support::http::{Answer, Server, Setup, answer};
use crate::support::store::{TestStore, promises, seconds};

promises![
    cookies_are_kept_from_scripts_and_from_other_sites,
    a_change_with_cookies_needs_the_token_that_goes_with_them,
    a_change_with_cookies_comes_from_a_page_of_ours,
    a_refresh_by_cookie_needs_the_token_too_and_sets_the_next_cookies,
    who_is_not_known_any_more_need_not_keep_the_cookies,
    a_foreign_page_signs_nobody_out,
    a_page_of_a_friend_may_ask_and_no_other,
    where_somebody_comes_from_is_what_a_trusted_proxy_says,
];

const ACCESS: &str = "__Host-compline";
const REFRESH: &str = "__Secure-compline-refresh";
const CSRF: &str = "__Host-compline-csrf";

async fn jar(server: &Server) -> Jar {
    let signed_in = sign_in(server, &credentials()).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    Jar::of(&signed_in)
}

async fn cookies_are_kept_from_scripts_and_from_other_sites(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;

    let signed_in = sign_in(&server, &credentials()).await;

    let jar = Jar::of(&signed_in);
    let week = 7 * 24 * 3600;
    for (name, attributes) in [
        (ACCESS, "Path=/; Max-Age=900; Secure; SameSite=Strict; HttpOnly".to_owned()),
        (REFRESH, format!("Path=/auth; Max-Age={week}; Secure; SameSite=Strict; HttpOnly")),
        (CSRF, format!("Path=/; Max-Age={week}; Secure; SameSite=Strict")),
    ] {
        assert_eq!(jar.attributes(name), attributes, "{name}");
    }
    let body: Value = signed_in.json();
    assert_eq!(body["csrf_token"], jar.value(CSRF));
    assert!(!signed_in.text.contains(jar.value(ACCESS)) && !signed_in.text.contains(jar.value(REFRESH)));
    assert_eq!((&body["access_token"], &body["refresh_token"]), (&json!(null), &json!(null)));
    assert_eq!(signed_in.header("cache-control"), "no-store");
    let me = answer(jar.request(&server, Method::GET, "/auth/me")).await.expect(200);
    assert_eq!(me["name"], "Grace");
}

async fn a_change_with_cookies_needs_the_token_that_goes_with_them(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let (own, other) = (jar(&server).await, jar(&server).await);
    let end = || own.request(&server, Method::DELETE, "/auth/sessions");
    for given in [None, Some(""), Some("nonsense"), Some(other.value(CSRF))] {
        let request = given.map_or_else(end, |given| end().header("x-csrf-token", given));
        refused(&answer(request).await, 403, "csrf_refused");
    }
    assert_eq!(answer(other.request(&server, Method::GET, "/auth/me")).await.status, 200);

    let ended = answer(end().header("x-csrf-token", own.value(CSRF))).await.expect(200);

    assert_eq!(ended, json!({ "ended": 1 }));
    // A token in a header no browser sends by itself.
    let tokens = Tokens::new(&server).await;
    answer(tokens.request(&server, Method::DELETE, "/auth/sessions")).await.expect(200);
}

async fn a_change_with_cookies_comes_from_a_page_of_ours(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let own = jar(&server).await;
    let end = |headers: &[(&str, &str)]| {
        let request = own.request(&server, Method::DELETE, "/auth/sessions");
        let request = request.header("x-csrf-token", own.value(CSRF));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        refused(&answer(end(headers)).await, 403, "csrf_refused");
    }
    let origin = server.url.clone();
    for headers in [&[("origin", origin.as_str())][..], &[("sec-fetch-site", "same-origin")], &[]] {
        answer(end(headers)).await.expect(200);
    }
    // Looking changes nothing, and a link from elsewhere may lead here.
    let look = own.request(&server, Method::GET, "/auth/me").header("sec-fetch-site", "cross-site");
    assert_eq!(answer(look).await.status, 200);
}

async fn refreshed(server: &Server, jar: &Jar, csrf: Option<&str>) -> Answer {
    let request = jar.request(server, Method::POST, "/auth/refresh").json(&json!({}));
    answer(csrf.map_or(request.try_clone().unwrap(), |csrf| request.header("x-csrf-token", csrf))).await
}

async fn a_refresh_by_cookie_needs_the_token_too_and_sets_the_next_cookies(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let first = jar(&server).await;
    server.t.clock.advance(seconds(3_600));
    refused(&refreshed(&server, &first, None).await, 403, "csrf_refused");
    refused(&refreshed(&server, &first, Some("nonsense")).await, 403, "csrf_refused");

    let next = refreshed(&server, &first, Some(first.value(CSRF))).await;

    assert_eq!(next.status, 200, "{next:?}");
    let next = Jar::of(&next);
    assert_eq!(next.value(CSRF), first.value(CSRF));
    assert_ne!(next.value(REFRESH), first.value(REFRESH));
    // The session has an hour less to live.
    assert!(next.attributes(REFRESH).contains(&format!("Max-Age={}", 7 * 24 * 3600 - 3_600)), "{next:?}");
    assert_eq!(answer(next.request(&server, Method::GET, "/auth/me")).await.status, 200);
    let none = Jar::default();
    refused(&refreshed(&server, &none, Some(first.value(CSRF))).await, 401, "session_over");
}

async fn who_is_not_known_any_more_need_not_keep_the_cookies(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let own = jar(&server).await;
    let out = own.request(&server, Method::POST, "/auth/sign-out").header("x-csrf-token", own.value(CSRF));

    let out = answer(out).await;

    assert_eq!(out.status, 204, "{out:?}");
    let again = refreshed(&server, &own, Some(own.value(CSRF))).await;
    refused(&again, 401, "session_over");
    for answered in [&out, &again] {
        let gone = Jar::of(answered);
        for (name, path) in [(ACCESS, "/"), (REFRESH, "/auth"), (CSRF, "/")] {
            let attributes = gone.attributes(name);
            assert_eq!(gone.value(name), "");
            assert!(attributes.starts_with(&format!("Path={path}; Max-Age=0; Secure")), "{attributes}");
        }
    }
}

/// By a form that leads here: what the answer sets would be kept, as if it were our own page.
async fn a_foreign_page_signs_nobody_out(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let out = |site: &str| server.bare(Method::POST, "/auth/sign-out").header("sec-fetch-site", site);

    let foreign = answer(out("cross-site")).await;

    refused(&foreign, 401, "session_over");
    assert_eq!(Jar::of(&foreign).0, []);
    assert_eq!(Jar::of(&answer(out("same-origin")).await).0.len(), 3);
}

async fn a_page_of_a_friend_may_ask_and_no_other(t: TestStore) {
    let setup = Setup { origins: &["https://console.example.org"], ..setup(&t) };
    let server = Server::with(t, setup).await;
    user(&server.t).await;
    let own = jar(&server).await;
    let end = |origin: &str| {
        let request = own.request(&server, Method::DELETE, "/auth/sessions").header("origin", origin);
        request.header("sec-fetch-site", "cross-site").header("x-csrf-token", own.value(CSRF))
    };

    answer(end("https://console.example.org")).await.expect(200);
    refused(&answer(end("https://console.example.org.evil.example")).await, 403, "csrf_refused");
}

async fn where_somebody_comes_from_is_what_a_trusted_proxy_says(t: TestStore) {
    let proxies: Vec<Network> = vec!["127.0.0.1".parse().unwrap()];
    let trusting = Server::with(t.clone(), Setup { proxies, ..setup(&t) }).await;
    let other = server(t.second().await).await;
    user(&t).await;
    let source = async |server: &Server| {
        let request = server.bare(Method::POST, "/auth/sign-in").json(&with(credentials(), "bearer", true));
        let request = request.header("x-forwarded-for", "192.0.2.1, 198.51.100.7");
        let tokens = Tokens::of(&answer(request.header("user-agent", "a program")).await.expect(200));
        let sessions = tokens.get(server, "/auth/sessions").await.expect(200);
        let own = sessions.as_array().unwrap().iter().find(|one| one["current"] == true).unwrap().clone();
        assert_eq!(own["user_agent"], "a program");
        own["source"].clone()
    };

    assert_eq!(source(&trusting).await, "198.51.100.7");
    assert_eq!(source(&other).await, "127.0.0.1");
}
