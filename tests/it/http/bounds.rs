//! How much and how slowly somebody may send, at the bounds themselves, by bytes on the wire.

use std::time::Duration;

use jobkit::Owner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::http::{Answer, Server, Setup, TOKEN, answer, limits};
use crate::support::store::{TestStore, promises};

promises![
    a_head_of_as_many_headers_and_bytes_as_may_be_is_read_and_one_more_is_not,
    whoever_sends_a_byte_now_and_then_is_cut_off_in_the_head_and_in_the_body,
    a_body_in_pieces_is_read_up_to_the_bound_and_no_further,
    a_path_leads_nowhere_but_where_it_is_written,
    the_pages_load_nothing_but_themselves,
];

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap()
}

async fn heard(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    // A server that closes on what it has not read resets the connection; what it said before counts.
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

async fn say(server: &Server, text: &[u8]) -> String {
    let mut stream = connect(server).await;
    let _ = stream.write_all(text).await;
    heard(stream).await
}

/// The first words of the answer.
fn status(heard: &str) -> &str {
    heard.get(9..12).unwrap_or_default()
}

const GET: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

async fn a_head_of_as_many_headers_and_bytes_as_may_be_is_read_and_one_more_is_not(t: TestStore) {
    let server = Server::over(t).await;
    // Two are there already.
    for (more, expected) in [(158, "200"), (159, "431")] {
        let headers: String = (0..more).map(|n| format!("x-{n}: y\r\n")).collect();
        assert_eq!(status(&say(&server, format!("{GET}{headers}\r\n").as_bytes()).await), expected, "{more}");
    }
    for (bytes, expected) in [(32 << 10, "200"), (33 << 10, "431")] {
        let rest = bytes - GET.len() - "x: \r\n\r\n".len();
        let head = format!("{GET}x: {}\r\n\r\n", "y".repeat(rest));
        assert_eq!(head.len(), bytes);
        assert_eq!(status(&say(&server, head.as_bytes()).await), expected, "{bytes}");
    }
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(64 << 10));
    assert!(["414", "431"].contains(&status(&say(&server, path.as_bytes()).await)));
}

/// Never silent for as long as it may take in all.
async fn dribble(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 1_024];
    loop {
        tokio::select! {
            read = stream.read(&mut piece) => match read {
                Ok(0) | Err(_) => break,
                Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
            },
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                // A server that has closed says so when it is read.
                let _ = stream.write_all(b"x").await;
            }
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn whoever_sends_a_byte_now_and_then_is_cut_off_in_the_head_and_in_the_body(t: TestStore) {
    let short = Duration::from_millis(400);
    let tight = engine::http::Limits { header_timeout: short, body_timeout: short, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let post = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    );

    let mut head = connect(&server).await;
    head.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut body = connect(&server).await;
    body.write_all(format!("{post}content-length: 100000\r\n\r\n").as_bytes()).await.unwrap();
    let (head, body) = tokio::join!(dribble(head), dribble(body));

    assert!(head.is_empty() || status(&head) == "408", "{head}");
    assert!(status(&body) == "408" && body.contains("body_timeout"), "{body}");
}

async fn a_body_in_pieces_is_read_up_to_the_bound_and_no_further(t: TestStore) {
    let tight = engine::http::Limits { body_bytes: 1_000, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let post = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    );
    let job = |bytes: usize| {
        let begin = r#"{"kind":"system.noop","unique_key":""#;
        format!("{begin}{}\"}}", "k".repeat(bytes - begin.len() - 2))
    };
    let chunked = async |body: &str, more: &str| {
        let pieces: Vec<_> =
            body.as_bytes().chunks(100).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        let pieces: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
        say(&server, format!("{post}transfer-encoding: chunked\r\n\r\n{pieces}{more}").as_bytes()).await
    };

    assert_eq!(status(&chunked(&job(400), "0\r\n\r\n").await), "202");
    // Spaces count too.
    let padded = |bytes: usize| format!("{}{}", job(300), " ".repeat(bytes - 300));
    assert_eq!(status(&chunked(&padded(1_000), "0\r\n\r\n").await), "202");
    // It ends nowhere, and is refused all the same.
    let refused = chunked(&padded(1_001), "").await;
    assert!(status(&refused) == "413" && refused.contains("body_too_large"), "{refused}");
    // Two lengths, or a length and pieces, are read by two programs in two ways.
    for lengths in
        ["content-length: 2\r\ncontent-length: 3\r\n", "content-length: 2\r\ntransfer-encoding: chunked\r\n"]
    {
        let answer = say(&server, format!("{post}{lengths}\r\n{{}}").as_bytes()).await;
        assert!(["", "400"].contains(&status(&answer)), "{lengths}: {answer}");
    }
}

async fn a_path_leads_nowhere_but_where_it_is_written(t: TestStore) {
    let server = Server::over(t).await;
    let (id, claim) = (server.t.add(|_| {}).await, 1u64 << 32);
    server.artifacts.put(Owner { job: id, claim }, "report.txt", b"fine".to_vec()).await.unwrap();
    let worker = server.t.worker().await;
    server.t.claim(worker, 1).await;
    let get = async |path: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
        );
        say(&server, head.as_bytes()).await
    };
    assert_eq!(status(&get(&format!("/v1/jobs/{id}/artifacts/{claim}/report.txt")).await), "200");

    for name in [
        "%2e%2e",
        "..",
        "%2e%2e%2freport.txt",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "report.txt%00",
        ".%2freport.txt",
    ] {
        let told = get(&format!("/v1/jobs/{id}/artifacts/{claim}/{name}")).await;
        assert!(["400", "404"].contains(&status(&told)), "{name}: {told}");
    }
    for path in [
        "/v1/../livez",
        "/v1/%2e%2e/livez",
        "/docs/../livez",
        "/docs/%2e%2e/livez",
        "//livez",
        "/livez/",
        "/v1/jobs/%00",
    ] {
        let told = get(path).await;
        assert!(["400", "404"].contains(&status(&told)), "{path}: {told}");
    }
    for (raw, what) in [
        (&b"GET /livez\0 HTTP/1.1\r\nhost: x\r\n\r\n"[..], "NUL"),
        (b"GET /l\xffz HTTP/1.1\r\nhost: x\r\n\r\n", "no text"),
    ] {
        let told = say(&server, raw).await;
        assert!(["400", "404"].contains(&status(&told)), "{what}: {told}");
    }
    // Into a name that is kept, nothing comes that a database cannot have.
    let pause = server.request("/v1/queues/%00/pause", &serde_json::json!({ "reason": "x" }));
    let Answer { status, text, .. } = answer(pause).await;
    assert!([400, 422].contains(&status), "{status}: {text}");
}

async fn the_pages_load_nothing_but_themselves(t: TestStore) {
    let server = Server::over(t).await;
    for path in ["/docs", "/docs/page.js", "/docs/page.css", "/v1/jobs", "/openapi.json", "/nowhere"] {
        let policy = server.get(path).await.header("content-security-policy").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(
            !policy.contains('*') && !policy.contains("http") && !policy.contains("data:"),
            "{path}: {policy}"
        );
        for closed in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(policy.contains(closed), "{path}: {policy}");
        }
    }
    // And so they need no exception.
    let page = server.get("/docs").await.text;
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("onclick="), "{page}");
    assert!(page.split("<script").skip(1).all(|script| script.starts_with(" src=\"/docs/")), "{page}");
}
