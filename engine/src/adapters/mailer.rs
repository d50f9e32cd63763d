//! Mail by SMTP: TLS from the first byte, or STARTTLS that must succeed, or in the clear to this machine alone.
//!
//! What the server says is not passed on beyond its number: servers repeat the address that they refuse, and that
//! is personal data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jobkit::redact::ExposeSecret;
use jobkit::{Clock, Mail, Mailer, Personal, PortError, SecretString};
use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tracing::warn;

use super::host::host_name;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Tls,
    StartTls,
    None,
}

pub struct Server {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub credentials: Option<(String, SecretString)>,
    pub from: Personal<String>,
    /// The authority of the house, if it has one of its own.
    pub authority: Option<PathBuf>,
}

pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    #[error("mail.from is no mail address; write one such as compline@example.org")]
    From,
    #[error("the certificates in mail.ca_file cannot be read")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("TLS to the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// What failed, without the server's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the mail server answered with {0}")]
    Refused(u16),
    #[error(
        "TLS with the mail server failed; is its certificate one that mail.ca_file or Mozilla's list vouches for?"
    )]
    Tls,
    #[error("the mail server did not answer in time")]
    Slow,
    #[error("the mail server cannot be reached")]
    Away,
    #[error("{0}")]
    Unsuitable(&'static str),
    #[error("an address of the mail is none")]
    Address,
}

impl SmtpMailer {
    /// Does not connect: a server that is away is waited for.
    pub fn new(server: &Server, clock: Arc<dyn Clock>) -> Result<Self, MailerError> {
        let from = server.from.expose().parse().map_err(|_| MailerError::From)?;
        let tls = match server.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(parameters(server)?),
            Encryption::Tls => Tls::Wrapper(parameters(server)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .hello_name(ClientId::Domain(host_name()))
            .timeout(Some(ANSWER_WITHIN))
            .tls(tls);
        if let Some((user, password)) = &server.credentials {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), from, clock })
    }

    /// Says hello and signs in, and sends nothing.
    pub async fn reach(&self) -> Result<(), SendError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(SendError::Away),
            Err(error) => Err(told(&error)),
        }
    }

    /// To each alone. Good enough is that somebody gets it; who does not, the log counts and nobody names.
    async fn send_to_each(&self, all: &Envelope, text: &[u8]) -> Result<(), PortError> {
        let (mut taken, mut refused) = (0, None);
        for to in all.to() {
            let one = Envelope::new(all.from().cloned(), vec![to.clone()]);
            let one = one.map_err(|_| failed(SendError::Address))?;
            match self.transport.send_raw(&one, text).await {
                Ok(_) => taken += 1,
                Err(error) if is_refusal(&error) => refused = Some(told(&error)),
                Err(error) => return Err(failed(told(&error))),
            }
        }
        match refused {
            Some(problem) if taken == 0 => Err(failed(problem)),
            Some(problem) => {
                warn!("a mail reached {taken} of {} recipients: {problem}", all.to().len());
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn message(&self, key: &str, mail: &Mail) -> Result<Message, SendError> {
        let domain = self.from.email.domain();
        let mut message = Message::builder()
            // The same for every sending of one key, so that a second one can be seen.
            .message_id(Some(format!("<{key}@{domain}>")))
            .date(self.clock.now().into())
            .from(self.from.clone())
            .subject(&mail.subject);
        for to in &mail.to {
            message = message.to(to.expose().parse().map_err(|_| SendError::Address)?);
        }
        let message = message.header(ContentType::TEXT_PLAIN).body(mail.text.clone());
        message.map_err(|_| SendError::Unsuitable("the mail has nobody to go to"))
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, key: &'a str, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let message = self.message(key, mail).map_err(failed)?;
            let (envelope, text) = (message.envelope(), message.formatted());
            match self.transport.send_raw(envelope, &text).await {
                // A server that knows one of them no more refuses the mail to all.
                Err(error) if is_refusal(&error) && envelope.to().len() > 1 => {
                    self.send_to_each(envelope, &text).await
                }
                sent => sent.map(drop).map_err(|error| failed(told(&error))),
            }
        })
    }
}

/// The server said no, and will say so again.
fn is_refusal(error: &lettre::transport::smtp::Error) -> bool {
    error.is_permanent() && error.status().is_some()
}

fn failed(error: SendError) -> PortError {
    PortError::new("sending mail", error)
}

fn parameters(server: &Server) -> Result<TlsParameters, MailerError> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.authority {
        let unreadable = |cause| MailerError::Authority(Box::new(cause));
        let pem = std::fs::read(path).map_err(|cause| MailerError::Authority(Box::new(cause)))?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(unreadable)?);
    }
    parameters.build_rustls().map_err(MailerError::Tls)
}

fn told(error: &lettre::transport::smtp::Error) -> SendError {
    match error.status() {
        Some(code) => SendError::Refused(u16::from(code)),
        None if error.is_tls() || says_tls(error) => SendError::Tls,
        None if error.is_timeout() => SendError::Slow,
        None if error.is_client() || error.is_response() => SendError::Unsuitable(
            "the mail server does not offer what is asked of it: STARTTLS, or signing in",
        ),
        None => SendError::Away,
    }
}

/// A certificate that is refused comes as an error of the network.
fn says_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        if cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = cause.source();
    }
    false
}
