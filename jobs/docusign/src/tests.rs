//! What the tests of this crate have in common: an account whose provider is played, and keys that are nobody's.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use jiff::Timestamp;
use jobkit::Job;
use jobkit::redact::ExposeSecret;
use jobkit::testing::Bench;
use serde_json::{Value, json};

use crate::account::{Account, Accounts};
use crate::args::SendEnvelopeArgs;
use crate::config::AccountConfig;
use crate::envelope::{COLLECTION, Kept};
use crate::phase::Status;
use crate::provider::{
    Answer, Answered, Budget, By, CallError, Draft, Fault, Found, Reference, SignatureProvider, Stand,
};

/// How the provider behaves at the next call of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    AsEver,
    /// It is done, and the answer is lost.
    LostAfter,
    /// It is not done, and nobody knows.
    LostBefore,
    /// The answer is lost, and it is done only after so many further calls.
    Late(usize),
    Refuse(Fault, &'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    pub reference: String,
    pub installation: String,
    /// By which all of one business key are found.
    pub mark: String,
    pub key: String,
    pub status: Status,
    pub made_at: Option<Timestamp>,
    pub sent: usize,
    pub reminded: usize,
}

/// A provider in memory.
#[derive(Clone, Default)]
pub struct FakeProvider(Arc<Mutex<World>>);

#[derive(Default)]
pub struct World {
    pub envelopes: BTreeMap<String, Played>,
    pub plays: BTreeMap<&'static str, VecDeque<Play>>,
    pub calls: Vec<String>,
    pub budget: Budget,
    /// Whether no search finds drafts, so that another is made.
    pub hides_drafts: bool,
    /// Whether nothing is found by its key.
    pub hides_marks: bool,
    pub now: Option<Timestamp>,
    pub zip: Vec<u8>,
    late: Vec<(usize, Played)>,
    made: usize,
}

impl FakeProvider {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn play(&self, method: &'static str, plays: impl IntoIterator<Item = Play>) {
        self.world().plays.entry(method).or_default().extend(plays);
    }

    /// The one envelope under this key that went out.
    pub fn sent(&self, key: &str) -> Vec<String> {
        let world = self.world();
        let of_key = world.envelopes.iter().filter(|(_, played)| played.key == key && played.sent > 0);
        of_key.map(|(id, _)| id.clone()).collect()
    }

    pub fn set(&self, id: &str, status: Status) {
        if let Some(played) = self.world().envelopes.get_mut(id) {
            played.status = status;
        }
    }

    pub fn count(&self, method: &str) -> usize {
        self.world().calls.iter().filter(|call| call.as_str() == method).count()
    }

    fn call<'a, T: Send + 'a>(
        &self,
        method: &'static str,
        act: impl FnOnce(&mut World) -> Result<T, Fault>,
        late: impl FnOnce() -> Option<Played>,
    ) -> Answer<'a, T> {
        let mut world = self.world();
        world.calls.push(method.into());
        world.come_late();
        let play = world.plays.get_mut(method).and_then(VecDeque::pop_front);
        let budget = world.budget;
        let failed = |fault, code: Option<&str>| CallError {
            doing: method,
            fault,
            code: code.map(str::to_owned),
            trace: Some("trace-1".into()),
            status: None,
            budget,
        };
        let answer = match play {
            None | Some(Play::AsEver) => act(&mut world).map_err(|fault| failed(fault, Some("REFUSED"))),
            Some(Play::LostAfter) => {
                let _ = act(&mut world);
                Err(failed(Fault::Unknown, None))
            }
            Some(Play::LostBefore) => Err(failed(Fault::Unknown, None)),
            Some(Play::Late(calls)) => {
                world.late.extend(late().map(|played| (calls, played)));
                Err(failed(Fault::Unknown, None))
            }
            Some(Play::Refuse(fault, code)) => Err(failed(fault, Some(code))),
        };
        async move { answer.map(|value| Answered { value, budget }) }.boxed()
    }
}

impl World {
    fn add(&mut self, played: Played) -> String {
        self.made += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.made);
        self.envelopes.insert(id.clone(), played);
        id
    }

    fn come_late(&mut self) {
        for (calls, _) in &mut self.late {
            *calls = calls.saturating_sub(1);
        }
        let (now, later) = std::mem::take(&mut self.late).into_iter().partition(|(calls, _)| *calls == 0);
        self.late = later;
        let now: Vec<(usize, Played)> = now;
        for (_, played) in now {
            self.add(played);
        }
    }

    fn own(&mut self, id: &str) -> Result<&mut Played, Fault> {
        self.envelopes.get_mut(id).ok_or(Fault::Missing)
    }
}

impl SignatureProvider for FakeProvider {
    fn create<'a>(&'a self, draft: Draft<'a>, send: bool) -> Answer<'a, String> {
        let made_at = self.world().now;
        let played = Played {
            reference: draft.reference.transaction.clone(),
            installation: draft.reference.installation.clone(),
            mark: draft.reference.key.clone(),
            key: draft.args.key.clone(),
            status: if send { Status::Sent } else { Status::Created },
            made_at,
            sent: usize::from(send),
            reminded: 0,
        };
        let late = played.clone();
        self.call("create", |world| Ok(world.add(played)), || Some(late))
    }

    fn find<'a>(&'a self, reference: &'a Reference, by: By) -> Answer<'a, Vec<Found>> {
        self.call(
            match by {
                By::Transaction => "find",
                By::Key => "find_by_key",
            },
            |world| {
                let by = |(_, played): &(&String, &Played)| {
                    let is_it = match by {
                        By::Transaction => played.reference == reference.transaction,
                        By::Key => played.mark == reference.key && !world.hides_marks,
                    };
                    let is_since = played.made_at.is_none_or(|at| at >= reference.since);
                    is_it
                        && (is_since || by == By::Transaction)
                        && !(world.hides_drafts && played.status == Status::Created)
                };
                Ok(world.envelopes.iter().filter(by).map(found).collect())
            },
            || None,
        )
    }

    fn send<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()> {
        self.call(
            "send",
            |world| {
                let played = world.own(envelope)?;
                match played.status {
                    Status::Created => {
                        played.status = Status::Sent;
                        played.sent += 1;
                        Ok(())
                    }
                    Status::Sent => Ok(()),
                    _ => Err(Fault::State),
                }
            },
            || None,
        )
    }

    fn stand<'a>(&'a self, envelope: &'a str) -> Answer<'a, Stand> {
        self.call("stand", |world| world.own(envelope).map(|played| stand(played)), || None)
    }

    fn stands<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, Vec<(String, Stand)>> {
        self.call(
            "stands",
            |world| {
                let found =
                    envelopes.iter().filter_map(|id| Some((id.clone(), stand(world.envelopes.get(id)?))));
                Ok(found.collect())
            },
            || None,
        )
    }

    fn void<'a>(&'a self, envelope: &'a str, _: &'a str) -> Answer<'a, ()> {
        self.call(
            "void",
            |world| {
                let played = world.own(envelope)?;
                match played.status {
                    Status::Sent | Status::Delivered => {
                        played.status = Status::Voided;
                        Ok(())
                    }
                    _ => Err(Fault::State),
                }
            },
            || None,
        )
    }

    fn remind<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()> {
        self.call("remind", |world| world.own(envelope).map(|played| played.reminded += 1), || None)
    }

    fn drafts<'a>(&'a self, installation: &'a str, from: Timestamp, to: Timestamp) -> Answer<'a, Vec<Found>> {
        self.call(
            "drafts",
            |world| {
                let by = |(_, played): &(&String, &Played)| {
                    played.status == Status::Created
                        && played.installation == installation
                        && played.made_at.is_some_and(|at| (from..=to).contains(&at))
                };
                Ok(world.envelopes.iter().filter(by).map(found).collect())
            },
            || None,
        )
    }

    fn delete_drafts<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, ()> {
        self.call(
            "delete_drafts",
            |world| {
                for id in envelopes {
                    world.own(id)?.status = Status::Deleted;
                }
                Ok(())
            },
            || None,
        )
    }

    fn documents<'a>(&'a self, _: &'a str, into: &'a Path) -> Answer<'a, u64> {
        let into = into.to_owned();
        self.call(
            "documents",
            |world| {
                std::fs::write(into, &world.zip).map_err(|_| Fault::Away)?;
                Ok(world.zip.len() as u64)
            },
            || None,
        )
    }

    fn audit_events<'a>(&'a self, envelope: &'a str) -> Answer<'a, Value> {
        self.call("audit_events", |_| Ok(json!({ "auditEvents": [{ "envelope": envelope }] })), || None)
    }

    fn probe(&self) -> Answer<'_, Vec<(&'static str, String)>> {
        self.call("probe", |_| Ok(vec![("base", "memory".into())]), || None)
    }
}

fn found((id, played): (&String, &Played)) -> Found {
    Found {
        id: id.clone(),
        status: played.status,
        made_at: played.made_at,
        transaction: Some(played.reference.clone()),
    }
}

fn stand(played: &Played) -> Stand {
    let status = if played.status == Status::Completed { "completed" } else { "sent" };
    Stand { status: played.status, changed_at: None, recipients: vec![("1".into(), status.into())] }
}

/// An account with its played provider, called `default`.
pub fn account(config: AccountConfig) -> (Accounts, FakeProvider) {
    let provider = FakeProvider::default();
    let account = Account {
        name: "default".into(),
        installation: Some("test".into()),
        config,
        provider: Arc::new(provider.clone()),
    };
    (Accounts::new([account]), provider)
}

pub fn args(key: &str) -> SendEnvelopeArgs {
    serde_json::from_value(json!({
        "key": key,
        "subject": "Report",
        "documents": [{ "name": "report.pdf", "base64": "JVBERi0xLjcKJSVFT0YK" }],
        "signers": [{ "name": "Ada", "email": "ada@example.org", "tabs": [{ "page": 1 }] }],
    }))
    .unwrap()
}

pub fn kept(bench: &Bench, key: &str) -> Kept {
    Kept::of(bench.host.kept().one(COLLECTION, key).unwrap()).unwrap()
}

/// The results of a job, which is to complete.
pub async fn completed<J: Job>(bench: &Bench, job: &J, args: &J::Args) -> Value {
    match bench.run(job, args, 1).await {
        Ok(jobkit::Outcome::Completed(Some(value))) => value,
        other => panic!("{} did not complete: {other:?}", J::KIND),
    }
}

/// A ZIP as DocuSign makes it.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub const PDF: &[u8] = b"%PDF-1.7\nsigned\n%%EOF\n";

/// As DocuSign signs a delivery.
pub fn signature(key: &str, body: &[u8]) -> String {
    use base64::Engine;
    let key = jobkit::SecretString::from(key.to_owned());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    base64::engine::general_purpose::STANDARD.encode(ring::hmac::sign(&key, body))
}

/// Made for these tests alone.
pub const PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCjasPcYudjhUPt
p7lwZXM7zkyGALEikuNs2HkTnTFvlg58QC+OwObL8Y53k/C3A7WbXMoyroYRZY4d
/a4FUM6guPzFo/imMlZpcKAhw0QFExRhkIMz1e0d0fMtZaazfBCbN5qK1wWsypNv
bFYhmdDKkHzMbiv/d6Sy4K/mLPNKxM5BxqMocPe+PUqZYS9b0zSV4OIvIsj+0eEq
qGveDKArw0Lm/Sv0dPwuQ3Lacy+NK2blSNIqMs1j6D+6Fv/P99YsYbx8n6qgpMcO
IBuv8wGoUOje/JX2lQ5gd2koahKAp2c3oDFeyKzYtE3vL/2wbGCMc/3tR8M9BHBI
o5Mn8DDzAgMBAAECggEALYlUppbQz4SVFyZDoDRE1gd4f2a19WJlCTGRG4wT+Hoh
8zGXjvnl1jKrdlq9GuJnurEyjsjfBv37ihPkaArKaTLjDNfSM82XEq6VkJLu41Mb
vMweI1WbS1Hzp1TKDP2nSvlFkSa1qB6S0tunbJmF+swkWnrgu8FFHatKmKMx8EVQ
VpModMtmucwvl6jEX6wr+WHs7sVHfMeaJfkouCmsl/h4lr97G53BEGWKS4nZ/M7T
czSiDJYtiS9obfLIm1OmiQQC4pwuCwNGRKRM8mcaR9QQ6uKxGef398HMfm4/8fTs
FaVn32/bNprREeEXbSCF9kG0PwvQMpXCN2i85tXa8QKBgQDk18XvN70wCC3gpsP3
ZRdTbpLVFgqyZNUPDLvdd1LVuoWYQUAxzWJsqet85Okz2Xom3701+Y0jJbcMvniN
Vo/7+wBbzr98zKGZ1TomLI9BuY7V1xq9pgkEBp0ov4pMYsOdBPluidV8W44OzARU
h7q6f+/fjEE6F/hV50bJxT5XTQKBgQC2z1x6vyn89qSo8pTATGfGf0jNz2lcsQvV
0to19MCe/bAoxBKS/dGlm4VtEgzHi4hs73rFTWGXTJ4gNSHuDpViovKxBc+ShJ99
S5cuwO3DXjnOowNK5A8yQCV/Z3Y9YWrP9yMqRjFPEfAc7FtxyLnncmB6NzHHRIhg
gsvj8SMJPwKBgBh6Q/+8dI4Ise+PpvJ1a7NO5oHIY8iFJI0Bja64rrGRy+xnPliV
YWvCGSA41ADpyDkUQYbedIxH4naIgRiNI8WOKZGoYa8VrEtqFVgz9/bNxEt3QLL8
aYZ2tqS/KCnXfpjzCUMblyxAFsfaZrQr+HsuaBf/RpLSMYvuuxGl+W8ZAoGBAJqI
n7yDbJMSTA8lQOltrSv23SxdcMuSPlb6bsu9ojbEbO2JEcqAFYDQ/vE8mOD16tVr
e3Td/OlRMzo2r//1BALljBJovxc0VT4tcBdtr4+/T06GLnpYXyAzaX9RjnpEp241
k9xgib41g6xvgL2m2L/1x+iIT+QK4t3yszh01xExAoGAQ26AzCDb8oJKuaUbH9ic
l7ZRkFBl3MaQh7vlQZxMt3ZP7OK9i6S5WaN79lbKudkemjHe9IrncfRXteP/8sFj
C3SzmtAzMYgXI4JQls74TgXgIbeA2Zp7nnhFlqFs/QgiCeVU6t7J6hzciSYjwbXB
owmaW5awStJluRi0SUIwO2E=
-----END PRIVATE KEY-----
";

/// The same key, as older tools write it.
pub const PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAo2rD3GLnY4VD7ae5cGVzO85MhgCxIpLjbNh5E50xb5YOfEAv
jsDmy/GOd5PwtwO1m1zKMq6GEWWOHf2uBVDOoLj8xaP4pjJWaXCgIcNEBRMUYZCD
M9XtHdHzLWWms3wQmzeaitcFrMqTb2xWIZnQypB8zG4r/3eksuCv5izzSsTOQcaj
KHD3vj1KmWEvW9M0leDiLyLI/tHhKqhr3gygK8NC5v0r9HT8LkNy2nMvjStm5UjS
KjLNY+g/uhb/z/fWLGG8fJ+qoKTHDiAbr/MBqFDo3vyV9pUOYHdpKGoSgKdnN6Ax
Xsis2LRN7y/9sGxgjHP97UfDPQRwSKOTJ/Aw8wIDAQABAoIBAC2JVKaW0M+ElRcm
Q6A0RNYHeH9mtfViZQkxkRuME/h6IfMxl4755dYyq3ZavRriZ7qxMo7I3wb9+4oT
5GgKymky4wzX0jPNlxKulZCS7uNTG7zMHiNVm0tR86dUygz9p0r5RZEmtagektLb
p2yZhfrMJFp64LvBRR2rSpijMfBFUFaTKHTLZrnML5eoxF+sK/lh7O7FR3zHmiX5
KLgprJf4eJa/exudwRBlikuJ2fzO03M0ogyWLYkvaG3yyJtTpokEAuKcLgsDRkSk
TPJnGkfUEOrisRnn9/fBzH5uP/H07BWlZ99v2zaa0RHhF20ghfZBtD8L0DKVwjdo
vObV2vECgYEA5NfF7ze9MAgt4KbD92UXU26S1RYKsmTVDwy73XdS1bqFmEFAMc1i
bKnrfOTpM9l6Jt+9NfmNIyW3DL54jVaP+/sAW86/fMyhmdU6JiyPQbmO1dcavaYJ
BAadKL+KTGLDnQT5bonVfFuODswEVIe6un/v34xBOhf4VedGycU+V00CgYEAts9c
er8p/PakqPKUwExnxn9Izc9pXLEL1dLaNfTAnv2wKMQSkv3RpZuFbRIMx4uIbO96
xU1hl0yeIDUh7g6VYqLysQXPkoSffUuXLsDtw145zqMDSuQPMkAlf2d2PWFqz/cj
KkYxTxHwHOxbcci553Jgejcxx0SIYILL4/EjCT8CgYAYekP/vHSOCLHvj6bydWuz
TuaByGPIhSSNAY2uuK6xkcvsZz5YlWFrwhkgONQA6cg5FEGG3nSMR+J2iIEYjSPF
jimRqGGvFaxLahVYM/f2zcRLd0Cy/GmGdrakvygp136Y8wlDG5csQBbH2ma0K/h7
LmgX/0aS0jGL7rsRpflvGQKBgQCaiJ+8g2yTEkwPJUDpba0r9t0sXXDLkj5W+m7L
vaI2xGztiRHKgBWA0P7xPJjg9erVa3t03fzpUTM6Nq//9QQC5YwSaL8XNFU+LXAX
ba+Pv09Ohi56WF8gM2l/UY56RKduNZPcYIm+NYOsb4C9pti/9cfoiE/kCuLd8rM4
dNcRMQKBgENugMwg2/KCSrmlGx/YnJe2UZBQZdzGkIe75UGcTLd2T+zivYukuVmj
e/ZWyrnZHpox3vSK53H0V7Xj//LBYwt0s5rQMzGIFyOCUJbO+E4F4CG3gNmae554
RZahbP0IIgnlVOreyeoc3IkmI8G1waMJmluWsErSZbkYtElCMDth
-----END RSA PRIVATE KEY-----
";

/// Its public half.
pub const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAo2rD3GLnY4VD7ae5cGVz
O85MhgCxIpLjbNh5E50xb5YOfEAvjsDmy/GOd5PwtwO1m1zKMq6GEWWOHf2uBVDO
oLj8xaP4pjJWaXCgIcNEBRMUYZCDM9XtHdHzLWWms3wQmzeaitcFrMqTb2xWIZnQ
ypB8zG4r/3eksuCv5izzSsTOQcajKHD3vj1KmWEvW9M0leDiLyLI/tHhKqhr3gyg
K8NC5v0r9HT8LkNy2nMvjStm5UjSKjLNY+g/uhb/z/fWLGG8fJ+qoKTHDiAbr/MB
qFDo3vyV9pUOYHdpKGoSgKdnN6AxXsis2LRN7y/9sGxgjHP97UfDPQRwSKOTJ/Aw
8wIDAQAB
-----END PUBLIC KEY-----
";
