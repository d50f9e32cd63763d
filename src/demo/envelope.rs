//! The envelope of the demo: the report goes out for signature to an emulated DocuSign in this process, both sign, its message comes to the
//! demo's own door, and what was signed is archived. Nothing leaves the machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use docusign::config::{AccountConfig, DEFAULT_ACCOUNT};
use docusign::envelope::{self, Archived, Kept};
use docusign::phase::Phase;
use docusign_emulator::{Emulator, Options};
use engine::reference::SecretRef;
use jobkit::{JobId, NewJob};
use serde::Serialize;
use serde_json::json;
use store::{AuditSearch, Scope, StoreError};

use super::emulated;
use super::folder::Folder;
use crate::app::App;
use crate::config::listen::Listen;
use crate::config::settings::Settings;

/// In the demo's folder: what opens its API.
pub const TOKEN: &str = "http.token";
const MOST_ENTRIES: usize = 100;

/// Whoever has the envelope signed.
pub struct Signing {
    emulator: Emulator,
    /// Another each time: the emulator forgets, and the demo's database does not.
    key: String,
    artifacts: PathBuf,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Signed {
    pub key: String,
    /// As DocuSign calls it.
    pub envelope: Option<String>,
    pub state: &'static str,
    /// As the audit log tells it.
    pub went: Vec<String>,
    pub folder: Option<PathBuf>,
    pub archive: Vec<Archived>,
}

impl Signed {
    pub fn is_archived(&self) -> bool {
        self.state == Phase::Archived.name()
    }
}

/// One for each door: who may sign a message of DocuSign may not open the API.
pub struct Secrets {
    pub hmac: String,
    pub token: String,
}

impl Signing {
    /// Starts the emulator, and tells the demo where it is. Fails where there is no loopback.
    pub async fn open(folder: &mut Folder, secrets: &Secrets, settings: &mut Settings) -> io::Result<Self> {
        let key = folder.secret("docusign/key.pem", &emulated::private_key())?;
        let hmac = folder.secret("docusign/hmac", &format!("{}\n", secrets.hmac))?;
        let token = folder.secret(TOKEN, &format!("{}\n", secrets.token))?;
        let options = Options { hmac_keys: vec![secrets.hmac.clone()], ..Options::default() };
        let emulator = Emulator::start(options).await?;
        // One can listen where nobody can connect: on an interface that is down.
        tokio::net::TcpStream::connect(emulator.address()).await?;
        let door = free_address()?;
        let account = AccountConfig {
            connect_hmac_keys_path: hmac,
            webhook_url: format!("http://{door}/v1/webhooks/docusign"),
            ..emulated::account(&emulator, key)
        };
        settings.docusign.accounts.insert(DEFAULT_ACCOUNT.into(), account);
        settings.docusign.roots = vec![folder.path().to_path_buf()];
        settings.http.listen = Listen::At(door);
        settings.http.token = Some(SecretRef::File(token));
        // The time, and nothing of what follows it.
        let key = format!("report-{}", &secrets.token[..12]);
        Ok(Self { emulator, key, artifacts: settings.artifacts.directory.clone() })
    }

    /// Two sign the report that the job `scored` makes, one after the other.
    pub fn job(&self, report: &Path, scored: JobId) -> NewJob {
        let place = |y: u32| json!([{ "document": 1, "page": 1, "x": 80, "y": y }]);
        let args = json!({
            "key": self.key,
            "subject": "Report on the sample ledger",
            "documents": [{ "name": "report.pdf", "path": report }],
            "signers": [
                { "name": "Ada Lovelace", "email": "ada@example.org", "tabs": place(680) },
                { "name": "Alan Turing", "email": "alan@example.org", "order": 2, "tabs": place(720) },
            ],
        });
        NewJob::new("docusign.send_envelope", args).after([scored])
    }

    /// Has it signed as soon as it is out; whether nothing more happens to it.
    pub async fn step(&self, app: &App) -> Result<bool, StoreError> {
        let Some(kept) = self.kept(app).await? else { return Ok(true) };
        if let (Phase::Sent, Some(envelope)) = (kept.phase, &kept.envelope.envelope) {
            // Once it is complete it is refused, and the message is on its way.
            let _ = self.emulator.complete(envelope);
        }
        Ok(kept.phase.is_over() && kept.phase != Phase::Completed)
    }

    pub async fn signed(&self, app: &App) -> Result<Option<Signed>, StoreError> {
        let Some(Kept { phase, envelope, .. }) = self.kept(app).await? else { return Ok(None) };
        let object = format!("{}/{}", envelope::COLLECTION, self.key);
        let wanted = AuditSearch { object: Some(object), ..AuditSearch::default() };
        let entries = app.store.search_audit(&wanted, MOST_ENTRIES).await?;
        let word = |action: &str| action.rsplit('.').next().unwrap_or(action).to_owned();
        let mut went: Vec<_> = entries.iter().rev().map(|(_, entry)| word(&entry.action)).collect();
        went.dedup();
        let folder = envelope.archive.first().and_then(|file| Some(file.address.split_once(':')?.1));
        Ok(Some(Signed {
            key: self.key.clone(),
            envelope: envelope.envelope,
            state: phase.name(),
            went,
            folder: folder.and_then(|place| Some(self.artifacts.join(place).parent()?.to_path_buf())),
            archive: envelope.archive,
        }))
    }

    async fn kept(&self, app: &App) -> Result<Option<Kept>, StoreError> {
        let record = app.store.record(&Scope::Installation, &envelope::id(None, &self.key)).await?;
        Ok(record.and_then(|record| Kept::of(record).ok()))
    }

    pub async fn close(self) {
        self.emulator.stop().await;
    }
}

/// Below those that the system gives to whoever connects, and demos of one time begin far from each other.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 22_000;

/// The envelope says where its messages go before the door is open. Who takes the port in between is told by its name.
fn free_address() -> io::Result<SocketAddr> {
    let begin = std::process::id().wrapping_mul(7_919);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for next in 0..PORTS {
        let port = FIRST_PORT + begin.wrapping_add(next) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or_default()));
        match TcpListener::bind(address) {
            Ok(_) => return Ok(address),
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => last = cause,
            Err(cause) => return Err(cause),
        }
    }
    Err(last)
}
