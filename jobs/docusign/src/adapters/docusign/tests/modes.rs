//! What nobody could find out about the real service is a switch of the emulator. In every position of each, what is sent goes out once, what is voided is voided, what
//! is signed is archived, and looking finds what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use docusign_emulator::{Act, ClockMode, Mode, Options, Rule, Switches};
use jobkit::door::{Delivered, Door, Headers};
use jobkit::testing::Bench;
use jobkit::{Failure, Job, Outcome, Personal};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::apply_event::ApplyEventArgs;
use crate::connect::Connect;
use crate::remind::RemindArgs;
use crate::void::VoidArgs;
use crate::{ApplyEvent, Remind, SendEnvelopeArgs, Void};

/// Each a position, or several that belong together. Where a switch is a number, one that is felt.
const MODES: [&str; 23] = [
    "",
    "duplicate_transaction=refused",
    "transaction_finds_drafts=false",
    "send_again=refused",
    "unknown_envelope_status=400",
    "hourly_limit=8",
    "hourly_limit=8 limit_status=429",
    "hourly_limit=8 limit_reset=seconds",
    "burst_limit=3",
    "burst_limit=3 limit_status=429",
    "polling=per-url",
    "polling=per-envelope",
    "polling=per-envelope polling_limit=2",
    "strict=true",
    "anchors=found",
    "anchors=missing",
    "processing_ms=0",
    "connect=hold",
    "connect_retry=never",
    "connect_retry=daily",
    "connect_retry_keeps_time=false",
    "connect_timeout_ms=2000",
    "header_case=lower",
];

/// Of how many calls there are, and how one that hits it is told of.
const LIMITS: [(&str, &str); 2] = [
    ("hourly_limit=", "HOURLY_APIINVOCATION_LIMIT_EXCEEDED"),
    ("burst_limit=", "BURST_APIINVOCATION_LIMIT_EXCEEDED"),
];
/// How often one envelope is looked at is ours to keep to.
const POLLED: &str = "Envelope_Polling_Limit_Exceeded";

#[test]
fn no_switch_is_left_out() {
    let known = serde_json::to_value(Switches::default()).unwrap();
    let known: BTreeSet<&str> = known.as_object().unwrap().keys().map(String::as_str).collect();

    let thrown = MODES.iter().flat_map(|mode| mode.split(' ')).filter_map(|one| one.split_once('='));

    assert_eq!(thrown.map(|(name, _)| name).collect::<BTreeSet<_>>(), known);
}

/// Where deliveries arrive. The first that says that all have signed is not taken: the other side has to come again.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<(Vec<Delivered>, usize)>>);

impl Inbox {
    fn serve(&self, listener: TcpListener, connect: Connect) {
        let (own, connect) = (self.clone(), Arc::new(connect));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (headers, body) = read(&mut stream).await;
                let opened = connect.open(&headers, &body).await;
                let status = own.take(opened.ok());
                let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
    }

    fn take(&self, delivered: Option<Delivered>) -> u16 {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(delivered) = delivered else { return 401 };
        let args = parsed(&delivered);
        if args.event.as_deref() == Some("envelope-completed") && inbox.1 == 0 {
            inbox.1 += 1;
            return 503;
        }
        inbox.0.push(delivered);
        200
    }

    /// What came, once each.
    fn empty(&self, known: &mut BTreeSet<String>) -> Vec<ApplyEventArgs> {
        let came = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
        came.into_iter().filter(|one| known.insert(one.mark.clone())).map(|one| parsed(&one)).collect()
    }
}

fn parsed(delivered: &Delivered) -> ApplyEventArgs {
    serde_json::from_str(delivered.job.args.get()).unwrap()
}

async fn read(stream: &mut TcpStream) -> (Headers, Vec<u8>) {
    let mut heard = Vec::new();
    loop {
        let end = heard.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&heard[..end]).into_owned();
            let mut headers = Headers::new();
            for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
                headers.entry(name.to_lowercase()).or_default().push(value.trim().to_owned());
            }
            let length = headers.get("content-length").and_then(|values| values[0].parse::<usize>().ok());
            if heard.len() >= end + 4 + length.unwrap_or(0) {
                return (headers, heard.split_off(end + 4));
            }
        }
        if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
            return (Headers::new(), Vec::new());
        }
    }
}

struct House {
    mode: &'static str,
    world: World,
    bench: Bench,
    inbox: Inbox,
    known: BTreeSet<String>,
}

impl House {
    async fn open(mode: &'static str) -> Self {
        let mut switches = Switches::default();
        for one in mode.split(' ').filter(|one| !one.is_empty()) {
            switches = switches.set(one).unwrap();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let webhook = format!("http://{}/v1/webhooks/docusign", listener.local_addr().unwrap());
        let options = Options {
            switches,
            hmac_keys: vec!["hmac-1".into()],
            clock: ClockMode::Standing,
            ..Options::default()
        };
        let world = world_with(options, |config| {
            config.connect_hmac_keys_path = config.private_key_path.with_file_name("hmac");
            std::fs::write(&config.connect_hmac_keys_path, "hmac-1\n").unwrap();
            let owner_alone = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&config.connect_hmac_keys_path, owner_alone).unwrap();
            config.webhook_url = webhook;
        })
        .await;
        let inbox = Inbox::default();
        inbox.serve(listener, Connect { accounts: world.accounts.clone() });
        let bench = bench(&world);
        Self { mode, world, bench, inbox, known: BTreeSet::new() }
    }

    /// All clocks.
    fn later(&self, by: Duration) {
        let now = self.world.emulator.advance(by).unwrap();
        self.world.clock.set(now);
        self.bench.clock.set(now);
    }

    /// Runs a job as the engine does: again when it says so, and later.
    async fn run<J: Job>(&self, job: &J, args: &J::Args) -> Result<Value, Failure> {
        let bench = self.bench.beside();
        let mut tried = 1;
        for _ in 0..60 {
            let ended = bench.run(job, args, tried).await;
            bench.host.kept().let_go(bench.id);
            match ended {
                Ok(Outcome::Completed(value)) => return Ok(value.unwrap_or_default()),
                Ok(Outcome::Snooze(wait)) | Err(Failure::NotNow { after: wait, .. }) => self.later(wait),
                Err(Failure::Transient(_)) if tried < 12 => {
                    tried += 1;
                    self.later(Duration::from_secs(2));
                }
                Err(failure) => return Err(failure),
                Ok(other) => panic!("{}: {other:?}", self.mode),
            }
        }
        panic!("{}: {} does not end", self.mode, J::KIND)
    }

    fn faults(&self, rules: &[&str]) {
        let rules = rules.iter().map(|rule| rule.parse::<Rule>().ok().unwrap()).collect();
        self.world.emulator.set_faults(7, rules).unwrap();
    }

    async fn send(&self, args: &SendEnvelopeArgs) -> Result<String, Failure> {
        let send = SendEnvelope { accounts: self.world.accounts.clone(), roots: Vec::new() };
        let sent = self.run(&send, args).await?;
        Ok(sent["envelope"].as_str().unwrap().to_owned())
    }

    async fn deliver(&mut self) {
        match self.mode.contains("connect=hold") {
            true => drop(self.world.emulator.deliver(Mode::Normal).await),
            false => self.world.emulator.delivered().await,
        }
        let job = ApplyEvent { accounts: self.world.accounts.clone() };
        for args in self.inbox.empty(&mut self.known) {
            self.run(&job, &args).await.unwrap();
        }
    }

    async fn sweep(&self) {
        self.later(Duration::from_secs(21 * 60));
        let job = Reconcile { accounts: self.world.accounts.clone() };
        self.run(&job, &ReconcileArgs::default()).await.unwrap();
    }

    fn phase(&self, key: &str) -> Phase {
        kept(&self.bench, key).phase
    }
}

fn anchored(key: &str) -> SendEnvelopeArgs {
    let mut anchored = args(key);
    // %PDF-1.7, /sign/, %%EOF
    anchored.documents[0].base64 = Some(Personal::new("JVBERi0xLjcKL3NpZ24vCiUlRU9GCg==".into()));
    anchored.signers[0].tabs[0] = serde_json::from_value(serde_json::json!({ "anchor": "/sign/" })).unwrap();
    anchored
}

async fn passes(mode: &'static str) {
    let mut house = House::open(mode).await;

    // Each sort of answer is lost once on the way.
    let mut ids = BTreeMap::new();
    for (key, faults) in [
        ("a", &["lost-answer@create=1x", "lost-answer@put=1x"][..]),
        ("b", &["late-commit@create=1x:20"]),
        ("c", &["error-after@create=1x", "html@get=1x"]),
        ("d", &["lost-before@create=1x", "error-after@put=1x"]),
    ] {
        house.faults(faults);
        let sent = house.send(&args(key)).await;
        ids.insert(key, sent.unwrap_or_else(|failure| panic!("{mode}: {key}: {}", failure.chain())));
    }
    house.faults(&[]);
    // What was made and not told was found, however the other side lets us look.
    let by = house.world.emulator.by_field(TRANSACTION_FIELD);
    for key in ["a", "c", "d"] {
        let of_key = &by[kept(&house.bench, key).envelope.transaction.as_str()];
        assert!(of_key["sent"].is_array() && of_key["unsent"].is_null(), "{mode}: {key}: {by}");
    }
    let anchored = house.send(&anchored("e")).await;
    let no_anchor = mode.contains("anchors=missing");
    assert_eq!(anchored.is_err(), no_anchor, "{mode}: {anchored:?}");

    house.faults(&["lost-answer@put=1x"]);
    let void = VoidArgs {
        key: "b".into(),
        not_begun: false,
        account: None,
        reason: Personal::new("It is wrong.".into()),
    };
    let voided = house.run(&Void { accounts: house.world.accounts.clone() }, &void).await.unwrap();
    house.faults(&[]);
    assert_eq!((&voided["state"], voided.get("too_late")), (&Value::from("voided"), None), "{mode}");
    let remind = Remind { accounts: house.world.accounts.clone() };
    let reminded = house.run(&remind, &RemindArgs { key: "d".into() }).await.unwrap();
    assert_eq!(reminded["outcome"], "reminded", "{mode}");

    house.world.emulator.act(&ids["c"], "1", &Act::Sign).unwrap();
    house.deliver().await;
    // Until those who come again have come again.
    house.later(Duration::from_secs(25 * 3_600));
    house.deliver().await;
    let is_lost = mode.contains("connect_retry=never");
    assert_eq!(house.phase("c") == Phase::Completed, !is_lost, "{mode}: by message");
    house.world.emulator.act(&ids["d"], "1", &Act::Decline("no".into())).unwrap();
    house.sweep().await;
    let archive = Archive { accounts: house.world.accounts.clone() };
    house.run(&archive, &ArchiveArgs { key: "c".into() }).await.unwrap();

    let expected = [
        ("a", Phase::Sent),
        ("b", Phase::Voided),
        ("c", Phase::Archived),
        ("d", Phase::Declined),
        ("e", if no_anchor { Phase::Failed } else { Phase::Sent }),
    ];
    for (key, phase) in expected {
        assert_eq!(house.phase(key), phase, "{mode}: {key}");
    }
    let by = house.world.emulator.by_field(TRANSACTION_FIELD);
    for (reference, ids) in by.as_object().unwrap() {
        let sent = ids["sent"].as_array().unwrap().len();
        let never = kept(&house.bench, "e").envelope.transaction == *reference && no_anchor;
        assert_eq!(sent, usize::from(!never), "{mode}: {by}");
    }
    let nobody = "00000000-0000-4000-8000-000000000000";
    house.later(Duration::from_secs(3_601));
    let unknown = house.world.provider.stand(nobody).await.unwrap_err();
    assert_eq!(unknown.fault, Fault::Missing, "{mode}");
    // A limit that was thrown is there to be hit; nothing else may be.
    let broken = house.world.emulator.violations();
    let of_calls =
        |told: &String| LIMITS.iter().any(|(thrown, hit)| mode.contains(thrown) && told.ends_with(hit));
    let broken = broken.into_iter().filter(|told| !of_calls(told));
    let (looks, broken): (Vec<_>, Vec<_>) = broken.partition(|told| told.ends_with(POLLED));
    assert!(broken.is_empty(), "{mode}: {broken:?}");
    // With one look in all, the events are refused once behind the documents, and then left alone until they may be had.
    let refused = usize::from(mode == "polling=per-envelope");
    assert_eq!(looks.len(), refused, "{mode}: {looks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_passes_in_every_mode() {
    for mode in MODES {
        passes(mode).await;
    }
}
