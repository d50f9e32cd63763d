//! Envelopes through an emulated DocuSign that loses answers, while workers die: what `scripts/campaigns/docusign` does with ten thousand.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use docusign::envelope::{Archived, COLLECTION, Kept};
use docusign::phase::Phase;
use docusign_emulator::{ACCOUNT_ID, Act, Emulator, INTEGRATION_KEY, Mode, Options, Rule, USER_ID};
use engine::adapters::tls;
use jobkit::RecordFilter;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::RecordPage;

use super::*;
use crate::support::ports::free_port;
use crate::support::python;

const KEY: &str = "business_key";

on_both![
    envelopes_are_sent_once_through_lost_answers_and_kills,
    what_is_signed_is_archived_once_whatever_order_messages_come_in,
    records_that_are_gone_have_nothing_sent_again,
    an_account_without_consent_is_parked_and_its_doctor_says_what_to_open,
    a_report_that_is_handed_in_is_sent_as_it_came_and_what_is_none_is_refused,
];

struct House {
    world: World,
    emulator: Emulator,
    port: u16,
}

impl House {
    async fn open(world: World, faults: &[&str], options: Options) -> Self {
        let faults: Vec<Rule> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let emulator =
            Emulator::start(Options { faults, hmac_keys: vec!["hmac-1".into()], ..options }).await.unwrap();
        let (port, url) = (free_port(), emulator.url());
        let key = world.place.path().join("private.pem");
        let made = python::script("docusign_sdk.py").arg("key").arg(world.place.path()).status().unwrap();
        assert!(made.success());
        let keys = world.place.path().join("hmac");
        std::fs::write(&keys, "hmac-1\n").unwrap();
        for secret in [&key, &keys] {
            std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let place = [
            ("INTEGRATION_KEY", INTEGRATION_KEY.to_owned()),
            ("ACCOUNT_ID", ACCOUNT_ID.to_owned()),
            ("USER_ID", USER_ID.to_owned()),
            ("BASE_URL", url.clone()),
            ("OAUTH_URL", url),
            ("OAUTH_HOST", "account-d.docusign.com".to_owned()),
            ("PRIVATE_KEY_PATH", key.display().to_string()),
            ("CONNECT_HMAC_KEYS_PATH", keys.display().to_string()),
            ("WEBHOOK_URL", format!("http://127.0.0.1:{port}/v1/webhooks/docusign")),
            ("MAX_CALLS_PER_HOUR", "1000000".to_owned()),
            ("MAX_BURST_30S", "10000".to_owned()),
        ]
        .into_iter()
        .fold(world.place, |place, (name, value)| place.with(&format!("DOCUSIGN_{name}"), &value));
        let place = place
            .with("COMPLINE__BREAKERS__COOL_DOWN", "500ms")
            .with("COMPLINE__HTTP__RATE_LIMITS__EXEMPT", r#"["127.0.0.1/32"]"#);
        Self { world: World { place, ..world }, emulator, port }
    }

    /// As many envelopes, under keys of their own.
    async fn send(&self, count: usize) -> Vec<String> {
        let keys: Vec<String> = (0..count).map(|number| format!("report-{number}")).collect();
        let rows: Vec<_> = keys.iter().map(|key| self.row(key)).collect();
        self.world.insert(&rows).await;
        keys
    }

    fn row(&self, key: &str) -> NewRow {
        let args = json!({
            "key": key,
            "subject": "Report",
            "documents": [{ "name": "report.pdf", "base64": "JVBERi0xLjcKL3NpZ24vCiUlRU9GCg==" }],
            "signers": [{ "name": "Ada", "email": "ada@example.org", "tabs": [{ "anchor": "/sign/" }] }],
            "custom_fields": { KEY: key },
        });
        NewRow { queue: "docusign".into(), ..self.world.row("docusign.send_envelope", &args.to_string()) }
    }

    /// How many records are in each phase.
    async fn phases(&self) -> BTreeMap<&'static str, usize> {
        let mut phases = BTreeMap::new();
        for kept in self.kept().await {
            *phases.entry(kept.phase.name()).or_default() += 1;
        }
        phases
    }

    async fn kept(&self) -> Vec<Kept> {
        let filter = RecordFilter { collection: COLLECTION.into(), limit: 1_000, ..RecordFilter::default() };
        let found = self.world.store.records(&Scope::Installation, &RecordPage::of(&filter)).await;
        found.unwrap_or_default().into_iter().map(|record| Kept::of(record).unwrap()).collect()
    }

    async fn until_all(&self, phase: Phase, count: usize) {
        let all = async || self.phases().await.get(phase.name()) == Some(&count);
        self.world.until(&format!("{count} envelopes are {}", phase.name()), all).await;
    }

    /// For each key the envelopes that went out.
    fn sent(&self) -> BTreeMap<String, Vec<String>> {
        let by = self.emulator.by_field(KEY);
        let ids = |found: &Value| {
            let sent = found["sent"].as_array().cloned().unwrap_or_default();
            sent.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
        };
        by.as_object().unwrap().iter().map(|(key, found)| (key.clone(), ids(found))).collect()
    }

    fn assert_each_sent_once(&self, keys: &[String]) {
        let sent = self.sent();
        for key in keys {
            assert_eq!(sent.get(key).map(Vec::len), Some(1), "{key}: {:?}", sent.get(key));
        }
        assert_eq!(self.emulator.violations(), Vec::<String>::new());
    }

    /// What a backup of before has of envelopes.
    async fn forget_all(&self) {
        use sqlx::Connection as _;
        let url = &self.world.url;
        if url.starts_with("sqlite") {
            let mut file = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::query("DELETE FROM record").execute(&mut file).await.unwrap();
        } else {
            let mut database = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query("DELETE FROM compline.record").execute(&mut database).await.unwrap();
        }
    }

    /// A server that takes deliveries, and works.
    fn serve(&self) -> Process {
        let log = self.world.place.path().join(format!("{}.log", self.world.ids.next()));
        let output = std::fs::File::create(&log).unwrap();
        let mut command = self.world.place.command(&["serve"]);
        command.env("COMPLINE__HTTP__LISTEN", format!("127.0.0.1:{}", self.port));
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Process { child, log, clock: self.world.clock.clone() }
    }
}

async fn envelopes_are_sent_once_through_lost_answers_and_kills(world: World) {
    let faults = [
        "lost-answer@create=0.15",
        "late-commit@create=0.10:500",
        "error-after@create=0.05",
        "lost-before@create=0.05",
        "lost-answer@put=0.20",
        "error-after@put=0.10",
        "html@get=0.20",
    ];
    let house = House::open(world, &faults, Options { fault_seed: 7, ..Options::default() }).await;
    let keys = house.send(60).await;
    let mut workers = [house.world.start("work", "left"), house.world.start("work", "right")];

    for (turn, enough) in [8, 24, 40].into_iter().enumerate() {
        house.world.until("more were sent", async || house.world.ended().await.len() >= enough).await;
        workers[turn % 2].kill();
        workers[turn % 2] = house.world.start("work", &format!("again-{turn}"));
    }
    house.world.until("all were sent", async || house.world.ended().await.len() >= keys.len()).await;

    house.assert_each_sent_once(&keys);
    let sent = house.sent();
    for kept in house.kept().await {
        assert_eq!(kept.envelope.envelope.as_ref(), sent[&kept.record.id.key].first());
    }
    for worker in workers {
        worker.stop().await;
    }
}

/// As a backup of before has them: none of what went out since. Of a backup of each other moment the family's own tests tell.
async fn records_that_are_gone_have_nothing_sent_again(world: World) {
    let house = House::open(world, &["lost-answer@create=0.3"], Options::default()).await;
    let keys = house.send(12).await;
    let worker = house.world.start("work", "before");
    house.world.until("all were sent", async || house.world.ended().await.len() >= keys.len()).await;
    worker.stop().await;
    let sent = house.sent();
    house.forget_all().await;

    let rows: Vec<_> = keys.iter().chain(["new".to_owned()].iter()).map(|key| house.row(key)).collect();
    house.world.insert(&rows).await;
    let worker = house.world.start("work", "restored");
    house.world.until("all were looked for", async || house.world.ended().await.len() > 2 * keys.len()).await;

    house.assert_each_sent_once(&keys);
    house.assert_each_sent_once(&["new".to_owned()]);
    for kept in house.kept().await {
        let key = &kept.record.id.key;
        if let Some(before) = sent.get(key) {
            assert_eq!(kept.envelope.envelope.as_ref(), before.first(), "{key}");
        }
    }
    assert_eq!(house.kept().await.len(), keys.len() + 1);
    worker.stop().await;
}

async fn what_is_signed_is_archived_once_whatever_order_messages_come_in(world: World) {
    let house = House::open(world, &[], Options::default()).await;
    let mut server = house.serve();
    let keys = house.send(12).await;
    house.until_all(Phase::Sent, keys.len()).await;

    for ids in house.sent().values() {
        house.emulator.act(&ids[0], "1", &Act::Sign).unwrap();
    }
    house.emulator.deliver(Mode::Duplicate).await;
    house.emulator.deliver(Mode::Reverse).await;
    house.until_all(Phase::Archived, keys.len()).await;

    house.assert_each_sent_once(&keys);
    for kept in house.kept().await {
        let id = kept.envelope.envelope.clone().unwrap();
        let hash = |document: &str| {
            let bytes = house.emulator.document(&id, document).unwrap();
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let of =
            |name: &str| kept.envelope.archive.iter().find(|file: &&Archived| file.name == name).unwrap();
        assert_eq!(of("001-report.pdf").sha256, hash("1"));
        assert_eq!(of("certificate.pdf").sha256, hash("certificate"));
    }
    let archives =
        JobFilter { kinds: vec!["docusign.archive".into()], limit: Some(100), ..JobFilter::default() };
    let archives = house.world.store.jobs(&Scope::Installation, &archives).await.unwrap();
    assert_eq!(archives.len(), keys.len());
    assert!(server.is_alive());
    server.stop().await;
}

async fn an_account_without_consent_is_parked_and_its_doctor_says_what_to_open(world: World) {
    let options = Options { no_consent_users: vec![USER_ID.into()], ..Options::default() };
    let house = House::open(world, &[], options).await;
    house.send(3).await;
    let worker = house.world.start("work", "only");
    let account = async || {
        let filter =
            RecordFilter { collection: docusign::account::COLLECTION.into(), ..RecordFilter::default() };
        let found = house.world.store.records(&Scope::Installation, &RecordPage::of(&filter)).await;
        found.unwrap_or_default().first().map(|record| record.state.clone())
    };
    house.world.until("the account is parked", async || account().await.as_deref() == Some("parked")).await;

    let told = house.world.place.run(&["docusign", "doctor"]).expect(1);
    assert!(
        told.out.contains("/oauth/auth?response_type=code&scope=signature%20impersonation"),
        "{}",
        told.all()
    );
    let all = JobFilter { limit: Some(10), ..JobFilter::default() };
    for job in house.world.store.jobs(&Scope::Installation, &all).await.unwrap() {
        assert!(!job.state.is_final(), "{}", job.id);
    }
    assert!(house.sent().is_empty());
    worker.stop_now().await;
}

async fn a_report_that_is_handed_in_is_sent_as_it_came_and_what_is_none_is_refused(world: World) {
    const TOKEN: &str = "a token for tests, long enough";
    let mut house = House::open(world, &[], Options::default()).await;
    house.world.place =
        house.world.place.with("COMPLINE__HTTP__TOKEN", "env:THE_TOKEN").with("THE_TOKEN", TOKEN);
    let server = house.serve();
    let url = format!("http://127.0.0.1:{}", house.port);
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls::client(None).unwrap());
    let client = client.build().unwrap();
    let post = |path: &str| client.post(format!("{url}{path}")).bearer_auth(TOKEN);
    house
        .world
        .until("the API is there", async || client.get(format!("{url}/readyz")).send().await.is_ok())
        .await;
    let hand_in = async |bytes: Vec<u8>, name: &str| {
        let request =
            post("/v1/uploads").header("content-disposition", format!("attachment; filename={name}"));
        let answer = request.body(bytes).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{name}");
        answer.json::<Value>().await.unwrap()["address"].clone()
    };
    let ask = async |key: &str, name: &str, upload: &Value| {
        let args = json!({
            "key": key, "subject": "Report", "documents": [{ "name": name, "upload": upload }],
            "signers": [{ "name": "Ada", "email": "ada@example.org" }], "custom_fields": { KEY: key },
        });
        let job = json!({ "kind": "docusign.send_envelope", "args": args });
        let answer = post("/v1/jobs").json(&job).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    // Of every byte, as a PDF has them.
    let report =
        [b"%PDF-1.7\n".to_vec(), (0..=255).cycle().take(100_000).collect(), b"\n%%EOF\n".to_vec()].concat();
    let address = hand_in(report.clone(), "report.pdf").await;
    let ledger = hand_in(b"{\"entry\":1}\n".to_vec(), "ledger.json").await;

    let (status, refused) = ask("report-0", "ledger.json", &ledger).await;
    assert_eq!((status, &refused["code"]), (422, &json!("invalid_args")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("documents[0].name: it must end with one of .pdf"));
    let (status, sent) = ask("report-1", "report.pdf", &address).await;
    assert_eq!(status, 202, "{sent}");
    let (status, lied) = ask("report-2", "report.pdf", &ledger).await;
    assert_eq!(status, 202, "{lied}");

    house.until_all(Phase::Sent, 1).await;
    let lied: JobId = lied["id"].as_str().unwrap().parse().unwrap();
    house.world.until_state(lied, JobState::Discarded).await;
    let told = house.world.job(lied).await.job.error.unwrap();
    assert!(told.contains("documents[0]: it is no PDF, as its name says, but something else"), "{told}");
    let sent = house.sent();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["report-1"]);
    assert!(house.emulator.document(&sent["report-1"][0], "1").unwrap() == report, "other bytes were sent");
    server.stop().await;
}
