//! ClamAV, by the protocol of its daemon: a file goes over in chunks (`INSTREAM`), and one line comes back. Nothing but `OK`
//! is clean, and nothing but a signature's name is malware; whatever else comes is no answer.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::uploads::scanner::{Known, ScanError, Scanner, Verdict};

/// Where the daemon listens: `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is no address; write unix:/run/clamav/clamd.ctl or tcp://HOST:PORT");
        if let Some(path) = text.strip_prefix("unix:") {
            return match Path::new(path).is_absolute() {
                true => Ok(Self::Unix(path.into())),
                false => Err(problem()),
            };
        }
        let host = text.strip_prefix("tcp://").ok_or_else(problem)?;
        let port = host.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        match port.and_then(|port| port.parse::<u16>().ok()) {
            Some(1..) => Ok(Self::Tcp(host.into())),
            _ => Err(problem()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct ClamAv {
    pub address: Address,
    /// For a file, from the first byte to the answer.
    pub timeout: Duration,
    /// Its signatures should not be older.
    pub oldest: Duration,
}

/// Far below any StreamMaxLength, which is about the whole stream.
const CHUNK: usize = 64 << 10;
/// Longer than any line that it says.
const LONGEST_ANSWER: u64 = 4 << 10;
/// To say hello.
const A_MOMENT: Duration = Duration::from_secs(10);

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl ClamAv {
    fn name(&self) -> String {
        self.address.to_string()
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, ScanError> {
        let connected: io::Result<Box<dyn Wire>> = match &self.address {
            Address::Unix(path) => UnixStream::connect(path).await.map(|wire| Box::new(wire) as _),
            Address::Tcp(host) => TcpStream::connect(host).await.map(|wire| Box::new(wire) as _),
        };
        connected.map_err(|cause| self.away(cause))
    }

    fn away(&self, cause: io::Error) -> ScanError {
        ScanError::Away { address: self.name(), cause }
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, ScanError>> + Send,
    ) -> Result<T, ScanError> {
        let silent = |_| ScanError::Silent { address: self.name(), within: limit };
        tokio::time::timeout(limit, work).await.map_err(silent)?
    }

    async fn send(&self, file: &Path) -> Result<String, ScanError> {
        let mut file = tokio::fs::File::open(file).await.map_err(ScanError::File)?;
        let mut wire = self.connect().await?;
        wire.write_all(b"zINSTREAM\0").await.map_err(|cause| self.away(cause))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = file.read(&mut chunk).await.map_err(ScanError::File)?;
            let length = u32::try_from(read).unwrap_or(0).to_be_bytes();
            let sent = match wire.write_all(&length).await {
                Ok(()) => wire.write_all(&chunk[..read]).await,
                Err(problem) => Err(problem),
            };
            // It may have said why before it hung up.
            if read == 0 || sent.is_err() {
                let answer = self.answer(&mut *wire).await;
                return match (sent, answer) {
                    (Err(cause), Ok(answer)) if answer.is_empty() => Err(self.away(cause)),
                    (Err(cause), Err(_)) => Err(self.away(cause)),
                    (_, answer) => answer,
                };
            }
        }
    }

    async fn answer(&self, wire: &mut dyn Wire) -> Result<String, ScanError> {
        let mut answer = Vec::new();
        let read = wire.take(LONGEST_ANSWER).read_to_end(&mut answer).await;
        match read {
            Err(cause) if answer.is_empty() => Err(self.away(cause)),
            _ => {
                let line = answer.split(|byte| *byte == 0).next().unwrap_or_default();
                Ok(String::from_utf8_lossy(line).trim().to_owned())
            }
        }
    }

    async fn ask(&self) -> Result<Known, ScanError> {
        let mut wire = self.connect().await?;
        wire.write_all(b"zVERSION\0").await.map_err(|cause| self.away(cause))?;
        let answer = self.answer(&mut *wire).await?;
        known(&answer).ok_or_else(|| ScanError::Odd { address: self.name(), answer: plain(&answer) })
    }
}

impl Scanner for ClamAv {
    fn scan<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Verdict, ScanError>> {
        async move {
            let answer = self.within(self.timeout, self.send(file)).await?;
            match verdict(&answer) {
                Some(Said::Verdict(verdict)) => Ok(verdict),
                Some(Said::TooLarge) => Err(ScanError::TooLarge { address: self.name() }),
                None => Err(ScanError::Odd { address: self.name(), answer: plain(&answer) }),
            }
        }
        .boxed()
    }

    fn look(&self) -> BoxFuture<'_, Result<Known, ScanError>> {
        self.within(A_MOMENT, self.ask()).boxed()
    }

    fn oldest(&self) -> Duration {
        self.oldest
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Verdict(Verdict),
    /// It did not look at all of it.
    TooLarge,
}

fn verdict(answer: &str) -> Option<Said> {
    if answer.contains("size limit exceeded") {
        return Some(Said::TooLarge);
    }
    let said = answer.strip_prefix("stream: ")?;
    if said == "OK" {
        return Some(Said::Verdict(Verdict::Clean));
    }
    let signature = said.strip_suffix(" FOUND").filter(|name| !name.is_empty())?;
    // With AlertExceedsMax it says so of what it did not look into any further.
    match signature.starts_with("Heuristics.Limits.Exceeded") {
        true => Some(Said::TooLarge),
        false => Some(Said::Verdict(Verdict::Infected(plain(signature)))),
    }
}

/// `ClamAV 1.4.6/27800/Sat Nov 28 08:00:00 2026`; without signatures of its makers the name alone.
fn known(answer: &str) -> Option<Known> {
    let mut parts = answer.splitn(3, '/');
    let version = parts.next().filter(|version| version.starts_with("ClamAV "))?;
    let at = parts.nth(1).and_then(|at| DateTime::strptime("%a %b %d %H:%M:%S %Y", at.trim()).ok());
    // Its zone is that of its machine; a few hours do not matter here.
    let at = at.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp());
    Some(Known { version: plain(version), at })
}

/// Short, and without what would break a line.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_ok_is_clean_and_nothing_but_a_name_is_malware() {
        let infected = |name: &str| Some(Said::Verdict(Verdict::Infected(name.into())));
        for (answer, said) in [
            ("stream: OK", Some(Said::Verdict(Verdict::Clean))),
            ("stream: Eicar-Test FOUND", infected("Eicar-Test")),
            ("stream: a\nb FOUND", infected("ab")),
            ("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", Some(Said::TooLarge)),
            ("INSTREAM size limit exceeded. ERROR", Some(Said::TooLarge)),
            ("stream: FOUND", None),
            ("stream: Can't allocate memory ERROR", None),
            ("stream: OK FOUND OK", None),
            ("OK", None),
            ("", None),
            ("COMMAND READ TIMED OUT", None),
        ] {
            assert_eq!(verdict(answer), said, "{answer}");
        }
    }

    #[test]
    fn what_it_knows_is_as_old_as_it_says() {
        let told = known("ClamAV 1.4.6/27800/Sat Nov 28 08:00:00 2026").unwrap();
        assert_eq!(told.at, Some("2026-11-28T08:00:00Z".parse().unwrap()));
        let padded = known("ClamAV 1.4.6/27800/Tue Dec  1 08:00:00 2026").unwrap();
        assert_eq!(padded.at, Some("2026-12-01T08:00:00Z".parse().unwrap()));
        let alone = Known { version: "ClamAV 1.4.6".into(), at: None };
        assert_eq!(known("ClamAV 1.4.6"), Some(alone));
        assert_eq!(known("UNKNOWN COMMAND"), None);
    }

    #[test]
    fn an_address_is_a_socket_or_a_host_with_its_port() {
        for good in
            ["unix:/run/clamav/clamd.ctl", "tcp://127.0.0.1:3310", "tcp://[::1]:3310", "tcp://clamd:3310"]
        {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in ["", "unix:clamd.ctl", "tcp://clamd", "tcp://:3310", "tcp://clamd:0", "http://clamd:3310"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
