//! Who may come in, and what every answer carries.

use std::time::Duration;

use jobkit::Owner;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::http::{Server, Setup, TOKEN, answer, limits};
use crate::support::store::{TestStore, promises};

promises![
    health_is_open_and_everything_else_is_not,
    without_a_token_only_health_is_served,
    every_answer_is_hardened_and_has_a_name,
    only_the_origins_that_are_named_may_call_from_a_browser,
    a_caller_that_sends_slowly_or_too_much_is_cut_off,
    who_connects_and_says_nothing_keeps_no_place,
    who_does_not_read_its_answer_keeps_no_place,
    a_full_house_still_says_that_it_lives,
    a_server_that_ends_is_not_ready_and_sends_waiting_callers_away,
    a_server_that_is_told_to_end_serves_on_until_a_proxy_has_seen_it,
    nobody_is_served_after_the_end,
];

/// A connection that was served, and stays.
async fn hold(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut held = TcpStream::connect(address).await.unwrap();
    held.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut heard = [0; 15];
    held.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 200 OK");
    held
}

/// Asks for a file that fits into no buffer, and reads nothing of it.
async fn ask_and_not_read(server: &Server) -> (TcpStream, usize) {
    const BYTES: usize = 64 << 20;
    let job = server.t.add(|_| {}).await;
    let owner = Owner { job, claim: 1 };
    server.artifacts.put(owner, "large", vec![b'x'; BYTES]).await.unwrap();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /v1/jobs/{job}/artifacts/1/large HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    deaf.write_all(head.as_bytes()).await.unwrap();
    deaf.readable().await.unwrap();
    (deaf, BYTES)
}

/// How much comes before the server hangs up.
async fn rest(mut stream: TcpStream) -> usize {
    let mut heard = Vec::new();
    // A reset ends it too.
    let _ = stream.read_to_end(&mut heard).await;
    heard.len()
}

async fn who_does_not_read_its_answer_keeps_no_place(t: TestStore) {
    let tight =
        engine::http::Limits { write_timeout: Duration::from_millis(300), connections: 1, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;

    let (deaf, bytes) = ask_and_not_read(&server).await;

    while server.get("/v1/kinds").await.status != 200 {}
    assert!(rest(deaf).await < bytes);
}

async fn a_full_house_still_says_that_it_lives(t: TestStore) {
    let tight = engine::http::Limits { connections: 1, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let held = hold(&server).await;

    for _ in 0..100 {
        answer(server.bare(Method::GET, "/livez")).await.expect(200);
        answer(server.bare(Method::GET, "/readyz")).await.expect(200);
    }
    let refused = server.post("/v1/jobs", &json!({ "kind": "system.noop" })).await;

    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("connection"), "close");
    assert_eq!(refused.expect(503)["code"], "crowded");
    drop(held);
    while server.get("/v1/kinds").await.status != 200 {}
}

async fn health_is_open_and_everything_else_is_not(t: TestStore) {
    let server = Server::over(t).await;

    assert_eq!(answer(server.bare(Method::GET, "/livez")).await.expect(200), json!({ "status": "ok" }));
    let ready = json!({ "ready": true, "store": true, "schema": true, "serving": true });
    assert_eq!(answer(server.bare(Method::GET, "/readyz")).await.expect(200), ready);
    let document = serde_json::to_value(engine::http::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            // The last two ask for a signature instead, and what is below /auth for a session.
            if ["/livez", "/readyz", "/v1/hooks/{name}", "/v1/webhooks/{name}"].contains(&path.as_str())
                || path.starts_with("/auth/")
            {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let closed = answer(server.bare(method.clone(), &path)).await;
            assert_eq!(
                (closed.status, closed.header("www-authenticate")),
                (401, "Bearer"),
                "{method} {path}"
            );
            let wrong = answer(server.bare(method, &path).bearer_auth("another token, long enough")).await;
            assert_eq!(wrong.expect(401)["code"], "unauthorized");
        }
    }
}

async fn without_a_token_only_health_is_served(t: TestStore) {
    let server = Server::with(t, Setup { token: None, ..Setup::default() }).await;

    answer(server.bare(Method::GET, "/livez")).await.expect(200);

    let closed = server.get("/v1/jobs").await.expect(503);
    assert_eq!(closed["code"], "token_not_set");
    assert!(closed["remedy"].as_str().unwrap().contains("http.token"), "{closed}");
    assert_eq!(server.get("/auth/me").await.expect(503)["code"], "sign_in_off");
}

async fn every_answer_is_hardened_and_has_a_name(t: TestStore) {
    let server = Server::over(t).await;

    for path in ["/livez", "/v1/jobs", "/nowhere", "/docs", "/docs/page.js", "/v1/jobs/nonsense"] {
        let got = server.get(path).await;
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert!(got.header(name).contains(part), "{path}: {name}: {got:?}");
        }
        assert_eq!(got.header("x-request-id").len(), 32, "{path}");
        assert!(!got.headers.contains_key("server"));
    }
    let named = server.bare(Method::GET, "/livez").header("x-request-id", "mine-1");
    assert_eq!(answer(named).await.header("x-request-id"), "mine-1");
}

async fn only_the_origins_that_are_named_may_call_from_a_browser(t: TestStore) {
    let server =
        Server::with(t, Setup { origins: &["https://console.example.org"], ..Setup::default() }).await;
    for (origin, allowed) in [
        ("https://console.example.org", "https://console.example.org"),
        ("https://console.example.org.evil.example", ""),
        ("http://console.example.org", ""),
        ("null", ""),
    ] {
        let asked = server
            .bare(Method::OPTIONS, "/v1/jobs")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let got = answer(asked).await;
        assert_eq!(got.header("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(got.header("access-control-allow-credentials"), "");
    }
}

async fn a_caller_that_sends_slowly_or_too_much_is_cut_off(t: TestStore) {
    let short = Duration::from_millis(300);
    let tight = engine::http::Limits { header_timeout: short, body_timeout: short, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let say = async |text: String| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        // A server that closes on what it has not read resets the connection; what it said before counts.
        let _ = stream.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    };

    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    );
    assert_eq!(say("GET /livez HTTP/1.1\r\nhost".into()).await, "");
    assert!(say(format!("{head}content-length: 100\r\n\r\n{{")).await.contains("body_timeout"));
    assert!(say(format!("{head}content-length: 100000000\r\n\r\n")).await.contains("body_too_large"));
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    assert!(say(format!("{head}{many}\r\n")).await.starts_with("HTTP/1.1 431"));
    let large = format!("x-large: {}\r\n", "y".repeat(64 << 10));
    assert!(say(format!("{head}{large}\r\n")).await.starts_with("HTTP/1.1 431"));
    answer(server.bare(Method::GET, "/livez")).await.expect(200);
}

async fn who_connects_and_says_nothing_keeps_no_place(t: TestStore) {
    let tight =
        engine::http::Limits { header_timeout: Duration::from_millis(300), connections: 2, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // One that was served and stays is no other.
    let mut served = TcpStream::connect(address).await.unwrap();
    served.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();

    answer(server.bare(Method::GET, "/livez")).await.expect(200);

    let mut heard = Vec::new();
    served.read_to_end(&mut heard).await.unwrap();
    assert!(heard.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&heard));
    for mut silent in silent {
        assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    }
}

async fn a_server_that_ends_is_not_ready_and_sends_waiting_callers_away(t: TestStore) {
    let mut server = Server::over(t).await;
    let id = server.t.add(|_| {}).await;
    let path = format!("/v1/jobs/{id}/wait?timeout=60s");
    let waiting = server.bare(Method::GET, &path).bearer_auth(TOKEN);
    let waiting = tokio::spawn(answer(waiting));
    // The wait is under way when its bell hangs.
    while server.get(&format!("/v1/jobs/{id}")).await.status != 200 {}

    server.end().await;

    let sent_away = waiting.await.unwrap();
    assert_eq!((sent_away.status, &sent_away.json()["state"]), (202, &json!("available")));
    assert!(server.bare(Method::GET, "/livez").send().await.is_err());
}

async fn a_server_that_is_told_to_end_serves_on_until_a_proxy_has_seen_it(t: TestStore) {
    let long = engine::http::Limits { stop_delay: Duration::from_secs(3_600), ..limits() };
    let mut server = Server::with(t, Setup { limits: long, ..Setup::default() }).await;
    let id = server.t.add(|_| {}).await;

    server.stop.cancel();

    let ready = json!({ "ready": false, "store": true, "schema": true, "serving": false });
    assert_eq!(answer(server.bare(Method::GET, "/readyz")).await.expect(503), ready);
    server.post("/v1/jobs", &json!({ "kind": "system.noop" })).await.expect(202);
    // Nobody is sent away yet: who asked again at once would only ask here.
    let path = format!("/v1/jobs/{id}/wait?timeout=60s");
    let waiting = tokio::spawn(answer(server.bare(Method::GET, &path).bearer_auth(TOKEN)));
    server.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!(waiting.await.unwrap().expect(200)["state"], "cancelled");
    server.hard.cancel();
    server.end().await;
    assert!(server.bare(Method::GET, "/livez").send().await.is_err());
}

async fn nobody_is_served_after_the_end(t: TestStore) {
    let mut server = Server::over(t).await;
    let (deaf, bytes) = ask_and_not_read(&server).await;

    server.hard.cancel();
    server.end().await;

    assert!(rest(deaf).await < bytes);
}
