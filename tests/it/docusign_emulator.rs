//! `compline emulate docusign` under DocuSign's own SDKs, unmodified, and under a proxy that keeps DocuSign's contract.
//! What the emulator does by itself is tested in its crate.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use docusign_emulator::{ACCOUNT_ID, INTEGRATION_KEY, USER_ID};
use engine::adapters::tls;
use tempfile::TempDir;

use crate::support::binary::Place;
use crate::support::ports::free_port;
use crate::support::smtp::Authority;
use crate::support::{node, python};

const STEPS: &[&str] = &[
    "token",
    "userinfo",
    "create_from_json",
    "create_from_multipart",
    "draft_and_send",
    "list_by_transaction",
    "list_by_custom_field_and_date",
    "status_of_many",
    "get",
    "recipients",
    "tabs",
    "custom_fields",
    "notification",
    "recipient_view",
    "documents",
    "audit_events",
    "resend",
    "void",
    "delete_a_draft",
    "unknown",
];

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Started, and heard on this port.
    fn start(command: &mut Command, port: u16) -> Self {
        let mut it = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // A second test server that starts beside it may take as long.
        for _ in 0..1200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return it;
            }
            assert_eq!(it.0.try_wait().unwrap(), None, "{command:?} ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{command:?} does not listen on {port}");
    }
}

/// The emulator as the command runs it, with a key that it knows.
struct Office {
    url: String,
    oauth_host: String,
    authority: Authority,
    keys: TempDir,
    _place: Place,
    _emulator: Running,
}

impl Office {
    fn open(more: &[&str]) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let made = python::script("docusign_sdk.py").arg("key").arg(keys.path()).status().unwrap();
        assert!(made.success());
        let (port, front) = (free_port(), free_port());
        let oauth_host = format!("localhost:{front}");
        let place = Place::new();
        let public = keys.path().join("public.pem");
        let listen = format!("127.0.0.1:{port}");
        let mut args = vec!["emulate", "docusign", "--listen", &listen, "--oauth-host", &oauth_host];
        args.extend(["--public-key", public.to_str().unwrap()]);
        args.extend(more);
        let emulator = Running::start(&mut place.command(&args), port);
        let (url, authority) = (format!("http://{listen}"), Authority::new());
        Self { url, oauth_host, authority, keys, _place: place, _emulator: emulator }
    }

    /// Runs the steps of an SDK, which end with an error where an answer is not the one they want.
    #[track_caller]
    fn run(&self, command: &mut Command) -> Vec<String> {
        let (certificate, key) = self.authority.server();
        let ca = self.authority.certificate();
        let output = command
            .env("EMULATOR", &self.url)
            .env("OAUTH_HOST", &self.oauth_host)
            .env("TLS_CA", &ca)
            .env("NODE_EXTRA_CA_CERTS", &ca)
            .env("TLS_CERTIFICATE", certificate)
            .env("TLS_KEY", key)
            .env("PRIVATE_KEY", self.keys.path().join("private.pem"))
            .env("INTEGRATION_KEY", INTEGRATION_KEY)
            .env("USER_ID", USER_ID)
            .env("ACCOUNT_ID", ACCOUNT_ID)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "after {said}\n{}", String::from_utf8_lossy(&output.stderr));
        said.lines().map(str::to_owned).collect()
    }
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let place = Place::new();
    for (option, value, named) in [
        ("--fault", "fire=0.1", "there is no fault `fire`"),
        ("--fault", "html=2", "from 0 to 1"),
        ("--switch", "nonsense=1", "there is no switch `nonsense`"),
        ("--switch", "polling=often", "the switch `polling` does not take"),
        ("--public-key", "nowhere.pem", "nowhere.pem cannot be read"),
        ("--listen", "here", "--listen"),
        ("--virtual-clock", "soon", "`soon` is not a time"),
    ] {
        place.run(&["emulate", "docusign", option, value]).expect(2).says(&[named]);
    }
    let place = place.file("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    place.run(&["emulate", "docusign", "--public-key", "key.pem"]).expect(2).says(&["PRIVATE KEY"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    place.run(&["emulate", "docusign", "--listen", &listen]).expect(1).says(&["the address is taken"]);
}

#[test]
fn the_official_sdk_for_python_finds_what_it_knows() {
    let office = Office::open(&[]);
    assert_eq!(office.run(python::script("docusign_sdk.py").arg("run")), STEPS);
}

#[test]
fn the_official_sdk_for_node_finds_what_it_knows() {
    let office = Office::open(&[]);
    assert_eq!(office.run(&mut node::script("docusign_sdk.mjs")), [STEPS, &["keys"]].concat());
}

/// The contract, which is not ours to keep in this repository.
fn contract() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../shared/data/docusign/esignature.v2.1.core.json");
    path.canonicalize().ok()
}

#[tokio::test]
async fn answers_keep_the_contract_as_a_proxy_reads_it() {
    let Some(contract) = contract() else {
        eprintln!("skipped: ../shared/data/docusign/esignature.v2.1.core.json is not there");
        return;
    };
    // The contract has one status for all that is refused.
    let office = Office::open(&["--switch", "unknown_envelope_status=400"]);
    let port = free_port();
    let mut prism = node::program("prism");
    prism.args(["proxy", contract.to_str().unwrap(), &format!("{}/restapi", office.url), "--errors"]);
    prism.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    let _prism = Running::start(&mut prism, port);
    let through = format!("http://127.0.0.1:{port}");

    // It does refuse: a scalar that is no string.
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls::client(None).unwrap());
    let client = client.build().unwrap();
    let wrong = client
        .post(format!("{through}/v2.1/accounts/{ACCOUNT_ID}/envelopes"))
        .json(&serde_json::json!({"emailSubject": 5}))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 422);

    // These are not in the contract.
    let left_out = ["tabs", "delete_a_draft"];
    let mut script = python::script("docusign_sdk.py");
    script.arg("run").env("BASE_PATH", through).env("UNKNOWN_STATUS", "400");
    let done = office.run(script.env("LEAVE_OUT", [&left_out[..], &["archive"]].concat().join(",")));
    let wanted: Vec<&str> = STEPS.iter().filter(|step| !left_out.contains(step)).copied().collect();
    assert_eq!(done, wanted);
}

/// The field names that the strict emulator knows are those of the contract.
#[test]
fn the_names_that_are_checked_are_those_of_the_contract() {
    let Some(contract) = contract() else {
        eprintln!("skipped: ../shared/data/docusign/esignature.v2.1.core.json is not there");
        return;
    };
    let contract: serde_json::Value = serde_json::from_slice(&std::fs::read(contract).unwrap()).unwrap();
    let kept = include_str!("../../jobs/docusign/emulator/src/contract.txt");
    let kept: Vec<&str> = kept.lines().filter(|line| !line.starts_with('#')).collect();
    let wanted: Vec<String> = contract["definitions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, definition)| {
            let properties = definition["properties"].as_object().into_iter().flatten();
            let fields = properties.map(|(name, form)| {
                let of = |form: &serde_json::Value| {
                    form["$ref"].as_str().map(|place| place.rsplit('/').next().unwrap().to_owned())
                };
                match (of(form), form["type"].as_str()) {
                    (Some(of), _) => format!("{name}={of}"),
                    (None, Some("array")) => format!("{name}=[{}]", of(&form["items"]).unwrap_or_default()),
                    (None, Some("boolean")) => format!("{name}=?"),
                    _ => name.clone(),
                }
            });
            let mut fields: Vec<String> = fields.collect();
            fields.sort_by(|a, b| a.split('=').next().cmp(&b.split('=').next()));
            format!("{name}: {}", fields.join(" "))
        })
        .collect();
    let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    wanted.sort_by_key(|line| line.split(':').next());
    assert_eq!(kept, wanted);
}
