//! Files handed in over the network: what is taken, what is refused, and that a refusal leaves nothing.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::uploads::Rules;
use engine::uploads::scanner::Scanner;
use jobkit::Clock;
use reqwest::{Body, Method, RequestBuilder};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use store::{AlertFilter, Quota};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::binary::Place;
use crate::support::clamav::{self, ClamServer, eicar};
use crate::support::http::{Answer, Server, Setup, TOKEN, answer};
use crate::support::serving::Serving;
use crate::support::store::{TestStore, promises};

promises![
    each_format_is_taken_as_what_it_is,
    each_lie_is_refused_and_leaves_nothing,
    what_comes_is_compared_with_what_was_announced,
    a_name_is_for_people_and_makes_no_path,
    too_much_is_refused_by_its_word_and_by_surprise,
    a_connection_that_is_cut_leaves_neither_file_nor_room_taken,
    the_quota_holds_for_two_at_once,
    malware_is_refused_and_somebody_is_told,
    without_the_word_of_the_scanner_nothing_is_taken,
    a_job_reads_what_was_handed_in_and_keeps_it,
    a_job_is_refused_an_upload_that_is_not_its_tenants,
    bytes_that_are_not_those_that_came_are_given_to_nobody,
    a_file_that_was_deleted_ends_its_job_and_one_that_is_elsewhere_is_waited_for,
    what_is_over_goes_with_its_file_and_so_does_a_file_that_no_row_is_for,
    that_the_scanner_is_away_is_told_before_anybody_asks,
];

const CSV: &str = "Entry,Account,Amount\n1,4000,12.50\n";
const PDF: &[u8] = b"%PDF-1.7\n\x00\xff\n%%EOF\n";

fn upload(server: &Server, path: &str) -> RequestBuilder {
    server.bare(Method::POST, path).bearer_auth(TOKEN)
}

async fn send(server: &Server, body: impl Into<Body>) -> Answer {
    answer(upload(server, "/v1/uploads").body(body)).await
}

fn sum(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn workbook(more: &[(&str, &[u8])]) -> Vec<u8> {
    office("xl/workbook.xml", more)
}

fn office(main: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let parts = [("[Content_Types].xml", &b"<Types/>"[..]), (main, b"<main/>")];
    for (name, bytes) in parts.iter().chain(more) {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
    assert!(!answer.json()["remedy"].as_str().unwrap().is_empty(), "{answer:?}");
}

/// No file, no row, no room taken.
async fn nothing_is_left(server: &Server) {
    let listed = server.get("/v1/uploads").await.expect(200);
    assert_eq!(listed["uploads"], json!([]), "{listed}");
    assert_eq!(server.upload_files(), Vec::<std::path::PathBuf>::new());
}

async fn each_format_is_taken_as_what_it_is(t: TestStore) {
    let server = Server::over(t).await;
    let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (bytes, media, format) in [
        (CSV.as_bytes().to_vec(), "text/csv", "text"),
        (b"Buchung;M\xfcller\n".to_vec(), "text/plain", "text"),
        (CSV.as_bytes().to_vec(), "", "text"),
        (b"{\"entry\":1}\n{\"entry\":2}\n".to_vec(), "application/x-ndjson", "json"),
        (b"<?xml version=\"1.0\"?><AuditFile/>".to_vec(), "application/xml", "xml"),
        (workbook(&[]), xlsx, "xlsx"),
        (b"PAR1xxxx\x04\0\0\0PAR1".to_vec(), "application/octet-stream", "parquet"),
        (PDF.to_vec(), "application/pdf", "pdf"),
        (PDF.to_vec(), "", "pdf"),
        (office("word/document.xml", &[]), docx, "docx"),
    ] {
        let mut request = upload(&server, "/v1/uploads").body(bytes.clone());
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        let answer = answer(request).await;

        let location = answer.header("location").to_owned();
        let told = answer.expect(201);
        assert_eq!((&told["format"], &told["state"]), (&json!(format), &json!("ready")), "{told}");
        assert_eq!((&told["bytes"], &told["sha256"]), (&json!(bytes.len()), &json!(sum(&bytes))), "{told}");
        assert_eq!(
            (&told["scanned"], &told["name"], &told["tenant"]),
            (&json!(false), &Value::Null, &Value::Null)
        );
        assert_eq!(told["address"], format!("upload:{}", told["id"].as_str().unwrap()));
        assert_eq!(server.get(&location).await.expect(200), told);
        let [file] = &server.upload_files()[..] else { panic!("{:?}", server.upload_files()) };
        assert_eq!(std::fs::read(file).unwrap(), bytes);
        assert_eq!(file.file_name().unwrap().to_str(), told["id"].as_str());
        let deleted = self::answer(server.bare(Method::DELETE, &location).bearer_auth(TOKEN)).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        nothing_is_left(&server).await;
        refused(&server.get(&location).await, 404, "not_found");
    }
}

async fn each_lie_is_refused_and_leaves_nothing(t: TestStore) {
    let server = Server::over(t).await;
    let macros = workbook(&[("xl/vbaProject.bin", b"x")]);
    let bomb = vec![0; 17 << 20];
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    let deflated = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in [("[Content_Types].xml", &b"<Types/>"[..]), ("xl/workbook.xml", &bomb)] {
        packed.start_file(name, deflated).unwrap();
        packed.write_all(bytes).unwrap();
    }
    let bomb = packed.finish().unwrap().into_inner();
    let octets = "application/octet-stream";
    for (bytes, media, name, status, code) in [
        (b"MZ\x90\x00\x03\x00".to_vec(), octets, "", 415, "unsupported_format"),
        (b"MZ\x90\x00\x03\x00".to_vec(), "text/csv", "GL.csv", 415, "unsupported_format"),
        (b"%PDF-1.7\n".to_vec(), octets, "", 415, "unsupported_format"),
        ([b"MZ\x90\x00", PDF].concat(), "application/pdf", "report.pdf", 415, "unsupported_format"),
        (
            office("word/document.xml", &[("word/vbaProject.bin", b"x")]),
            octets,
            "",
            415,
            "unsupported_format",
        ),
        (CSV.into(), "application/pdf", "", 422, "format_differs"),
        (PDF.to_vec(), "text/plain", "", 422, "format_differs"),
        (PDF.to_vec(), octets, "report.docx", 422, "format_differs"),
        (office("word/document.xml", &[]), octets, "report.xlsx", 422, "format_differs"),
        (b"<!DOCTYPE html><p>".to_vec(), "text/plain", "", 415, "unsupported_format"),
        (b"\x1f\x8b\x08\x00\x00".to_vec(), octets, "GL.csv.gz", 415, "unsupported_format"),
        (macros, octets, "", 415, "unsupported_format"),
        (bomb, octets, "", 415, "unsupported_format"),
        (b"PK\x03\x04 and nothing more".to_vec(), octets, "", 415, "unsupported_format"),
        (b"PAR1 and nothing more".to_vec(), octets, "", 415, "unsupported_format"),
        (b"a,b\n\x00".to_vec(), octets, "", 415, "unsupported_format"),
        (Vec::new(), octets, "", 415, "unsupported_format"),
        (CSV.into(), "multipart/form-data; boundary=x", "", 415, "unsupported_format"),
        (CSV.into(), "image/png", "", 415, "unsupported_format"),
        (CSV.into(), "application/json", "", 422, "format_differs"),
        (CSV.into(), octets, "GL.xlsx", 422, "format_differs"),
        (workbook(&[]), "text/csv", "", 422, "format_differs"),
        (b"{\"a\":1}".to_vec(), octets, "GL.csv", 422, "format_differs"),
    ] {
        let mut request = upload(&server, "/v1/uploads").header("content-type", media).body(bytes);
        if !name.is_empty() {
            request = request.header("content-disposition", format!("attachment; filename={name}"));
        }
        let answer = answer(request).await;

        refused(&answer, status, code);
        nothing_is_left(&server).await;
    }
    let packed = upload(&server, "/v1/uploads").header("content-encoding", "gzip").body(CSV);
    refused(&answer(packed).await, 415, "unsupported_format");
}

async fn what_comes_is_compared_with_what_was_announced(t: TestStore) {
    let server = Server::over(t).await;
    let with = async |header: String| {
        answer(upload(&server, "/v1/uploads").header("content-digest", header).body(CSV)).await
    };
    let own = STANDARD.encode(digest(&SHA256, CSV.as_bytes()));
    let other = STANDARD.encode(digest(&SHA256, b"other"));

    refused(&with(format!("sha-256=:{other}:")).await, 422, "digest_differs");
    refused(&with("sha-256=:AAAA:".into()).await, 400, "invalid_header");
    refused(&with("md5=:AAAA:".into()).await, 400, "invalid_header");
    nothing_is_left(&server).await;
    let told = with(format!("sha-256=:{own}:")).await.expect(201);
    assert_eq!(told["sha256"], sum(CSV.as_bytes()));
}

async fn a_name_is_for_people_and_makes_no_path(t: TestStore) {
    let server = Server::over(t).await;
    let mut told = Vec::new();
    for header in [
        "attachment; filename=../../../../tmp/evil.csv",
        "attachment; filename*=UTF-8''..%2F..%2Fevil.csv",
        r"attachment; filename=C:\fakepath\evil.csv",
        "attachment; filename*=UTF-8''B%C3%BCcher.csv",
    ] {
        let request = upload(&server, "/v1/uploads").header("content-disposition", header).body(CSV);
        told.push(answer(request).await.expect(201));
    }
    let names: Vec<_> = told.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["evil.csv", "evil.csv", "evil.csv", "Bücher.csv"]);
    let mut files: Vec<_> = server
        .upload_files()
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut ids: Vec<_> = told.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(files, ids);
    for bad in ["attachment; filename*=UTF-8''a%00.csv", "attachment; filename=\"\""] {
        let request = upload(&server, "/v1/uploads").header("content-disposition", bad).body(CSV);
        refused(&answer(request).await, 400, "invalid_header");
    }
    for path in ["/v1/uploads/..%2F..%2Fetc%2Fpasswd", "/v1/uploads/x"] {
        refused(&server.get(path).await, 400, "invalid_parameter");
    }
}

fn small() -> Setup {
    let uploads = Rules { max_bytes: 1_000, quota: Quota { bytes: 2_000, count: 10 }, ..Rules::default() };
    Setup { uploads, ..Setup::default() }
}

/// Without a word on how much comes.
fn chunked(pieces: Vec<Vec<u8>>) -> Body {
    Body::wrap_stream(futures::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
}

async fn too_much_is_refused_by_its_word_and_by_surprise(t: TestStore) {
    let server = Server::with(t, small()).await;
    let line = b"a,b,c,d,e\n".to_vec();

    refused(&send(&server, line.repeat(101)).await, 413, "body_too_large");
    refused(&send(&server, chunked(vec![line.repeat(60), line.repeat(60)])).await, 413, "body_too_large");
    nothing_is_left(&server).await;
    // What is exactly as large as it may be is not too large, whichever way it comes.
    let told = send(&server, line.repeat(100)).await.expect(201);
    let streamed = send(&server, chunked(vec![line.repeat(50), line.repeat(50)])).await.expect(201);
    assert_eq!((&told["bytes"], &told["sha256"]), (&streamed["bytes"], &streamed["sha256"]));
    refused(&send(&server, "a").await, 409, "quota_full");
}

/// Sends so much of a request that announces more.
async fn begin(server: &Server, announced: usize, sent: &[u8]) -> TcpStream {
    begin_at(&server.url, announced, sent).await
}

async fn begin_at(url: &str, announced: usize, sent: &[u8]) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {announced}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn listed(server: &Server) -> Vec<Value> {
    server.get("/v1/uploads").await.expect(200)["uploads"].as_array().unwrap().clone()
}

async fn a_connection_that_is_cut_leaves_neither_file_nor_room_taken(t: TestStore) {
    let server = Server::with(t, small()).await;
    let stream = begin(&server, 1_000, b"a,b,c\n").await;
    until("it is being received", async || listed(&server).await.len() == 1).await;
    let [one] = &listed(&server).await[..] else { panic!() };
    assert_eq!(
        (&one["state"], &one["bytes"], &one["sha256"]),
        (&json!("receiving"), &json!(1_000), &Value::Null)
    );
    // No job has it as long as it is not whole.
    let job = json!({ "kind": "test.reads_upload", "args": { "path": one["address"] } });
    refused(&server.post("/v1/jobs", &job).await, 409, "refused");

    drop(stream);

    until("nothing is left", async || listed(&server).await.is_empty() && server.upload_files().is_empty())
        .await;
    let told = server.t.audit().await;
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), &entry.details["reason"])).collect();
    assert_eq!(told, [("upload.refuse", &json!("broken_off"))]);
    for _ in 0..2 {
        send(&server, vec![b'a'; 1_000]).await.expect(201);
    }
}

async fn the_quota_holds_for_two_at_once(t: TestStore) {
    let uploads = Rules { quota: Quota { bytes: 1_000, count: 10 }, max_bytes: 1_000, ..Rules::default() };
    let server = Arc::new(Server::with(t, Setup { uploads, ..Setup::default() }).await);
    let barrier = Arc::new(Barrier::new(4));
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let (server, barrier) = (server.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                send(&server, vec![b'a'; 600]).await
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in racing {
        let answer = one.await.unwrap();
        if answer.status != 201 {
            refused(&answer, 409, "quota_full");
        }
        statuses.push(answer.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

fn scanned_by(scanner: Arc<dyn Scanner>) -> Setup {
    Setup { scanner: Some(scanner), ..Setup::default() }
}

async fn malware_is_refused_and_somebody_is_told(t: TestStore) {
    let clamd = ClamServer::start();
    let server = Server::with(t, scanned_by(clamd.scanner())).await;

    for body in [eicar(), format!("{CSV}2,4000,{}\n", eicar())] {
        let answer = send(&server, body).await;
        refused(&answer, 422, "infected");
        assert!(answer.json()["detail"].as_str().unwrap().contains("Eicar-Compline"), "{answer:?}");
        nothing_is_left(&server).await;
    }

    let clean = send(&server, CSV).await.expect(201);
    assert_eq!(clean["scanned"], true);
    let told = server.t.audit().await;
    let signature = &told[0].details["signature"];
    assert_eq!((told[0].action.as_str(), told[0].outcome.as_str()), ("upload.refuse", "refused"));
    assert!(signature.as_str().unwrap().starts_with("Eicar-Compline"), "{told:?}");
    let ids = jobkit::IdGenerator::new(server.t.clock.clone());
    while server.t.store.fold(100, &ids).await.unwrap() > 0 {}
    let filter = AlertFilter { rules: vec!["upload.infected".into()], ..AlertFilter::default() };
    let alerts = server.t.store.alerts(&filter).await.unwrap();
    assert_eq!(
        alerts.iter().map(|alert| (alert.key.as_str(), alert.count)).collect::<Vec<_>>(),
        [("upload.infected/clamav", 2)]
    );
}

async fn without_the_word_of_the_scanner_nothing_is_taken(t: TestStore) {
    let clamd = ClamServer::start();
    let server = Server::with(t, scanned_by(clamd.patient(Duration::from_secs(1)))).await;

    // More than it looks at.
    let large = send(&server, CSV.repeat(clamav::MOST / CSV.len() + 1)).await;
    refused(&large, 503, "scanner_away");
    assert!(large.json()["remedy"].as_str().unwrap().contains("StreamMaxLength"), "{large:?}");
    nothing_is_left(&server).await;
    clamd.freeze();
    refused(&send(&server, CSV).await, 503, "scanner_away");
    nothing_is_left(&server).await;
    clamd.thaw();
    clamd.stop();
    let away = send(&server, CSV).await;
    refused(&away, 503, "scanner_away");
    assert_eq!(away.header("retry-after"), "10");
    nothing_is_left(&server).await;
    clamd.start_again();

    let told = send(&server, CSV).await.expect(201);
    assert_eq!(told["scanned"], true);
    refused(&send(&server, eicar()).await, 422, "infected");
}

async fn a_job_reads_what_was_handed_in_and_keeps_it(t: TestStore) {
    let server = Server::over(t).await;
    let told = send(&server, CSV).await.expect(201);
    let job = json!({ "kind": "test.reads_upload", "args": { "path": told["address"] } });
    let job = server.post("/v1/jobs", &job).await.expect(202);
    let place = format!("/v1/uploads/{}", told["id"].as_str().unwrap());
    let kept = answer(server.bare(Method::DELETE, &place).bearer_auth(TOKEN)).await;
    refused(&kept, 409, "refused");
    assert!(kept.json()["detail"].as_str().unwrap().contains(job["id"].as_str().unwrap()), "{kept:?}");

    let working = server.work();
    let ended =
        server.get(&format!("/v1/jobs/{}/wait?timeout=30s", job["id"].as_str().unwrap())).await.expect(200);
    server.stop.cancel();
    working.await.unwrap();

    assert_eq!((&ended["state"], &ended["result"]), (&json!("completed"), &json!(CSV)), "{ended}");
    let told = server.t.audit().await;
    let used = told.iter().find(|entry| entry.action == "upload.use").unwrap();
    assert_eq!(used.actor, format!("job:{} (test.reads_upload)", job["id"].as_str().unwrap()));
}

async fn a_job_is_refused_an_upload_that_is_not_its_tenants(t: TestStore) {
    let server = Server::over(t).await;
    let own = answer(upload(&server, "/v1/uploads?tenant=north").body(CSV)).await.expect(201);
    assert_eq!(own["tenant"], "north");
    let never = format!("upload:{}", uuid::Uuid::new_v4());
    for (path, tenant, status) in [
        (own["address"].as_str().unwrap(), Some("south"), 409),
        (own["address"].as_str().unwrap(), None, 409),
        (never.as_str(), Some("north"), 409),
        (own["address"].as_str().unwrap(), Some("north"), 202),
    ] {
        let job = json!({ "kind": "test.reads_upload", "tenant": tenant, "args": { "path": path } });
        let answer = server.post("/v1/jobs", &job).await;
        assert_eq!(answer.status, status, "{path} {tenant:?}: {answer:?}");
        if status == 409 {
            refused(&answer, 409, "refused");
            assert!(answer.json()["detail"].as_str().unwrap().contains("POST /v1/uploads"), "{answer:?}");
        }
    }
}

async fn bytes_that_are_not_those_that_came_are_given_to_nobody(t: TestStore) {
    let server = Server::over(t).await;
    let told = send(&server, CSV).await.expect(201);
    let job = json!({ "kind": "test.reads_upload", "args": { "path": told["address"] } });
    let job = server.post("/v1/jobs", &job).await.expect(202);
    std::fs::write(&server.upload_files()[0], CSV.replace("12.50", "99.50")).unwrap();

    let working = server.work();
    let ended =
        server.get(&format!("/v1/jobs/{}/wait?timeout=30s", job["id"].as_str().unwrap())).await.expect(200);
    server.stop.cancel();
    working.await.unwrap();

    assert_eq!(ended["state"], "discarded", "{ended}");
    assert!(ended["error"].as_str().unwrap().contains("not those that were received"), "{ended}");
}

async fn a_file_that_was_deleted_ends_its_job_and_one_that_is_elsewhere_is_waited_for(t: TestStore) {
    let server = Server::over(t).await;
    let mut jobs = Vec::new();
    for is_here in [true, false] {
        let told = send(&server, CSV).await.expect(201);
        let job = json!({ "kind": "test.reads_upload", "args": { "path": told["address"] } });
        let job = server.post("/v1/jobs", &job).await.expect(202)["id"].as_str().unwrap().to_owned();
        let id = told["id"].as_str().unwrap().to_owned();
        let file = server.upload_files().into_iter().find(|file| file.ends_with(&id)).unwrap();
        std::fs::remove_file(&file).unwrap();
        if !is_here {
            std::fs::remove_file(file.with_file_name(format!(".kept-{id}"))).unwrap();
        }
        jobs.push((job, id));
    }
    let look = async |job: &str| server.get(&format!("/v1/jobs/{job}")).await.expect(200);

    let working = server.work();
    until("both were tried", async || {
        !look(&jobs[0].0).await["error"].is_null() && !look(&jobs[1].0).await["error"].is_null()
    })
    .await;

    for ((job, id), is_final, says) in [
        (&jobs[0], true, "was deleted from uploads.directory; hand it in again and enqueue a new job"),
        (&jobs[1], false, "is not on this machine: mount the disk"),
    ] {
        let told = look(job).await;
        let error = told["error"].as_str().unwrap();
        assert!(error.contains(&format!("upload {id} {says}")), "{told}");
        assert_eq!(told["state"] == "discarded", is_final, "{told}");
    }
    server.stop.cancel();
    working.await.unwrap();
}

async fn what_is_over_goes_with_its_file_and_so_does_a_file_that_no_row_is_for(t: TestStore) {
    let server = Server::over(t).await;
    let kept = send(&server, CSV).await.expect(201);
    let kept =
        server.upload_files().into_iter().find(|file| file.ends_with(kept["id"].as_str().unwrap())).unwrap();
    // Behind the clock of the store, which a test moves, are all files that are written now.
    let long_ago = std::time::SystemTime::from(server.t.clock.now()) - Duration::from_secs(90_000);
    let folder = kept.parent().unwrap();
    let lost = [uuid::Uuid::new_v4().to_string(), format!(".{}", uuid::Uuid::new_v4()), "notes.txt".into()];
    for name in &lost {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    std::fs::File::options().append(true).open(&kept).unwrap().set_modified(long_ago).unwrap();

    server.app.uploads.expire().await.unwrap();

    let mut left = server.upload_files();
    left.sort();
    let mut expected = vec![kept.clone(), folder.join("notes.txt")];
    expected.sort();
    assert_eq!(left, expected);
    let week = Duration::from_secs(7 * 86_400 + 60);
    server.t.clock.advance(week);
    server.app.uploads.expire().await.unwrap();
    assert_eq!(server.upload_files(), [folder.join("notes.txt")]);
    assert_eq!(listed(&server).await, Vec::<Value>::new());
}

async fn that_the_scanner_is_away_is_told_before_anybody_asks(t: TestStore) {
    let clamd = ClamServer::start();
    clamd.stop();
    let server = Server::with(t, scanned_by(clamd.scanner())).await;
    let ids = jobkit::IdGenerator::new(server.t.clock.clone());
    let filter =
        AlertFilter { open: true, rules: vec!["upload.scanner_away".into()], ..AlertFilter::default() };

    until("somebody is told", async || {
        server.t.store.fold(100, &ids).await.unwrap();
        server.t.store.alerts(&filter).await.unwrap().len() == 1
    })
    .await;

    let alerts = server.t.store.alerts(&filter).await.unwrap();
    assert_eq!(
        (alerts[0].key.as_str(), alerts[0].severity),
        ("upload.scanner_away/clamav", store::Severity::Critical)
    );
    // Another server finds it well, and says so at its start.
    clamd.start_again();
    let another = Server::with(server.t.second().await, scanned_by(clamd.scanner())).await;
    until("it is over", async || {
        another.t.store.fold(100, &ids).await.unwrap();
        another.t.store.alerts(&filter).await.unwrap().is_empty()
    })
    .await;
}

/// Killed in the middle: what was taken is given back by itself, and the file goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_midway_leaves_nothing_for_long() {
    let place = Place::new()
        .with("COMPLINE__HTTP__TOKEN", "env:THE_TOKEN")
        .with("THE_TOKEN", TOKEN)
        .with("COMPLINE__RETENTION__EVERY", "100ms");
    place.run(&["migrate"]).expect(0);
    let mut serving = Serving::start(&place);
    let _stream = begin_at(&serving.url, 1_000, b"a,b,c\n").await;
    let uploads = || place.run(&["uploads", "list", "--json"]).expect(0).json().as_array().unwrap().clone();
    let files = || std::fs::read_dir(place.path().join("uploads")).map(Iterator::count).unwrap_or_default();
    until("it is being received", async || uploads().len() == 1 && files() == 1).await;

    serving.kill();

    assert_eq!((&uploads()[0]["state"], &uploads()[0]["bytes"]), (&json!("receiving"), &json!(1_000)));
    // Five minutes and more go by.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join("compline.db"));
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE upload SET expires_at = expires_at - 400000000")
        .execute(&mut connection)
        .await
        .unwrap();
    let _serving = Serving::start(&place);
    until("nothing is left", async || uploads().is_empty() && files() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_first_is_refused_before_a_byte_is_sent() {
    let server = Server::with(TestStore::sqlite().await, small()).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 5000\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = vec![0; 12];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), "HTTP/1.1 413");
}
