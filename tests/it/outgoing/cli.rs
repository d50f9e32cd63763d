use std::time::Duration;

use serde_json::json;

use crate::support::binary::Place;
use crate::support::ports::free_port;
use crate::support::receiver::{Receiver, SECRET};
use crate::support::smtp::{Authority, PASSWORD, Smtp, USER};

const ADDRESS: &str = "night.operator@example.org";
const TOKEN: &str = "t0ken-9f2e";

/// A house with a mail server, a receiver, a route to each, and leave to call the receiver back.
struct Scene {
    place: Place,
    smtp: Smtp,
    receiver: Receiver,
    _authority: Authority,
}

async fn scene() -> Scene {
    let (authority, receiver) = (Authority::new(), Receiver::start().await);
    let smtp = Smtp::encrypted("starttls", &authority);
    let toml = format!(
        r#"
        [mail]
        host = "localhost"
        port = {}
        user = "{USER}"
        password = "env:SMTP_PASSWORD"
        from = "compline@example.org"
        ca_file = "{}"
        [webhooks]
        secrets = ["env:WEBHOOK_SECRET"]
        allow = ["{}"]
        [alerts.routes.people]
        mail = ["{ADDRESS}"]
        [alerts.routes.pager]
        webhook = "env:PAGER"
        "#,
        smtp.port,
        authority.certificate().display(),
        receiver.url("/back"),
    );
    let place = Place::new()
        .file("compline.toml", &toml)
        .with("SMTP_PASSWORD", PASSWORD)
        .with("WEBHOOK_SECRET", SECRET)
        .with("PAGER", &receiver.url(&format!("/{TOKEN}")))
        .with("COMPLINE__LOG__FILTER", "trace");
    Scene { place, smtp, receiver, _authority: authority }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn people_are_told_and_nothing_personal_or_secret_is_printed() {
    let Scene { place, smtp, receiver, _authority } = scene().await;
    let mut printed = String::new();
    let mut run = |args: &[&str], code: i32| {
        let ran = place.run(args).expect(code);
        printed.push_str(&ran.all());
        ran
    };

    run(&["config", "check"], 0);
    run(&["config", "show"], 0).says(&["alerts.routes.people.mail", "[redacted]", "env:PAGER"]);
    run(&["config", "show", "--json"], 0);
    run(&["migrate"], 0);
    run(&["doctor"], 0).says(&["localhost lets us in", "2 routes, and every receiver can be reached"]);
    run(&["alerts", "list"], 0).says(&["nothing is the matter"]);
    let sample = run(&["alerts", "test", "pager", "--json"], 0);
    run(&["alerts", "test", "people"], 0).says(&["a sample was sent by route people"]);
    run(&["alerts", "test", "nobody"], 2).says(&["there is no route `nobody`", "pager, people"]);
    let url = receiver.url("/back/1");
    let job = run(
        &["enqueue", "system.fail", "--args", r#"{"message":"no","permanent":true}"#, "--callback", &url],
        0,
    );
    run(&["enqueue", "system.noop", "--callback", "https://elsewhere.test/"], 2)
        .says(&["callback", "webhooks.allow"]);
    run(&["work", "--until-idle"], 1);

    // What was not told before the process ended is told by the next.
    let serving = place.command(&["serve"]).spawn().unwrap();
    let told = || smtp.mails().len() >= 2 && receiver.received().len() >= 3;
    for _ in 0..1_200 {
        if !told() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(told(), "{:?} {:?}", smtp.mails(), receiver.received());
    let pid = rustix::process::Pid::from_child(&serving);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = tokio::task::spawn_blocking(move || serving.wait_with_output().unwrap());
    let output = output.await.unwrap();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));

    let listed = place.run(&["alerts", "list", "--json"]).expect(0).json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let mut run = |args: &[&str], code: i32| {
        let ran = place.run(args).expect(code);
        printed.push_str(&ran.all());
        ran
    };
    run(&["alerts", "list"], 0).says(&["job.discarded", "open"]);
    run(&["alerts", "show", &id], 0).says(&["pager", "people", "sent", job.out.trim()]);
    run(&["alerts", "show", &id, "--json"], 0);
    run(&["alerts", "ack", &id], 0).says(&["is acknowledged"]);
    run(&["alerts", "ack", &id], 0).says(&["was closed or acknowledged already"]);
    run(&["alerts", "show", "019c0a2e-5a5c-7cc1-b6c0-0123456789ab"], 3).says(&["there is no alert"]);

    for secret in [ADDRESS, PASSWORD, SECRET, &SECRET[6..], TOKEN] {
        assert!(!printed.contains(secret), "`{secret}` is printed:\n{printed}");
    }
    assert_eq!(smtp.mails()[1]["to"], json!([ADDRESS]));
    let (back, alerts): (Vec<_>, Vec<_>) =
        receiver.received().into_iter().partition(|one| one.path == "/back/1");
    assert_eq!(back[0].json()["data"]["id"], job.out.trim());
    assert_eq!(alerts[0].id(), sample.json()["id"]);
    assert!(back.iter().chain(&alerts).all(|one| one.verify().is_ok()));
}

#[test]
fn what_is_away_is_told_by_doctor_with_a_remedy() {
    let toml = format!(
        r#"
        [mail]
        host = "localhost"
        port = {}
        tls = "none"
        from = "compline@example.org"
        [webhooks]
        secrets = ["env:WEBHOOK_SECRET"]
        [alerts.routes.people]
        mail = ["{ADDRESS}"]
        [alerts.routes.pager]
        webhook = "http://127.0.0.1:{}/{TOKEN}"
        "#,
        free_port(),
        free_port(),
    );
    let place = Place::new().file("compline.toml", &toml).with("WEBHOOK_SECRET", SECRET);

    let ran = place.run(&["doctor"]).expect(4);
    assert!(!ran.all().contains(TOKEN) && !ran.all().contains(ADDRESS), "{}", ran.all());
    ran.says(&["the mail server cannot be reached", "route pager", "remedy: check"]);
    place.run(&["alerts", "test", "people"]).expect(4).says(&["the mail was not sent", "compline doctor"]);
    let bare = Place::new();
    bare.run(&["doctor"]).expect(0).says(&["there is no route", "mail.host is empty"]);
}

#[test]
fn what_is_wrong_with_mail_webhooks_and_routes_is_told_with_its_key() {
    let mail = "[mail]\nhost = \"mail.example.org\"\nfrom = \"compline@example.org\"\n";
    for (toml, told) in [
        ("[mail]\nhost = \"mail.example.org\"\n".to_owned(), "`mail.from`: must be a mail address"),
        (format!("{mail}tls = \"none\"\n"), "`mail.tls`: may be \"none\" for a server on this machine alone"),
        (format!("{mail}user = \"ada\"\n"), "`mail.password`: is missing"),
        (format!("{mail}password = \"{PASSWORD}\"\n"), "a secret is never written"),
        (format!("{mail}port = 0\n"), "`mail.port`"),
        ("[webhooks]\nallow = [\"http://hooks.example.org\"]\n".into(), "must begin with https://"),
        ("[webhooks]\nallow = [\"https://hooks.example.org\"]\n".into(), "`webhooks.secrets`: is empty"),
        (format!("[webhooks]\nsecrets = \"{SECRET}\"\n"), "a secret is never written"),
        (format!("[webhooks]\nsecrets = [\"{SECRET}\"]\n"), "a secret is never written"),
        ("[webhooks]\ntimeout = \"2m\"\n".into(), "`webhooks.timeout`"),
        ("[alerts]\nwindow = \"10ms\"\n".into(), "`alerts.window`"),
        ("[alerts]\nattempts = 0\n".into(), "`alerts.attempts`"),
        ("[alerts.routes.ops]\nseverity = \"info\"\n".into(), "`alerts.routes.ops`: tells nobody"),
        (format!("[alerts.routes.ops]\nmail = [\"{ADDRESS}\"]\n"), "needs a mail server; set mail.host"),
        (format!("[alerts.routes.ops]\nmail = \"{ADDRESS}\"\n"), "write a list of mail addresses"),
        (format!("{mail}[alerts.routes.ops]\nmail = [\"night operator\"]\n"), "no mail address"),
        ("[alerts.routes.ops]\nwebhook = \"https://h.test/\"\n".into(), "`webhooks.secrets`: is empty"),
        ("[alerts.routes.ops]\nwebhook = \"http://h.test/\"\n".into(), "must begin with https://"),
        ("[alerts.routes.ops]\nrules = [\"job.discard\"]\n".into(), "did you mean `job.discarded`?"),
        ("[alerts.routes.ops]\nkinds = [\"system.nop\"]\n".into(), "did you mean `system.noop`?"),
        ("[alerts.routes.ops]\nseverity = \"bad\"\n".into(), "unknown variant `bad`"),
        ("[alerts.routes.ops]\nafter = \"0s\"\n".into(), "`alerts.routes.ops.after`: must be from \"1s\""),
        ("[alerts.routes.ops]\nafter = 30\n".into(), "a duration such as"),
        ("[alerts.routes.\"a b\"]\nseverity = \"info\"\n".into(), "the name must be 1 to 32"),
    ] {
        let ran = Place::new().file("compline.toml", &toml).run(&["config", "check"]).expect(2);

        for secret in [ADDRESS, PASSWORD, SECRET] {
            assert!(!ran.all().contains(secret), "{toml}: {}", ran.all());
        }
        assert!(ran.all().contains(told), "{toml}: {}", ran.all());
    }
    let unset = "[webhooks]\nsecrets = [\"env:NOT_THERE\"]\n";
    Place::new()
        .file("compline.toml", unset)
        .run(&["config", "check"])
        .expect(2)
        .says(&["webhooks.secrets[0]"]);
    let short =
        Place::new().file("compline.toml", "[webhooks]\nsecrets = [\"env:S\"]\n").with("S", "hunter2");
    let ran = short.run(&["config", "check"]).expect(2).says(&["webhooks.secrets[0]", "openssl rand"]);
    assert!(!ran.all().contains("hunter2"), "{}", ran.all());
}
