//! From the settings to what leaves the house: webhooks, mail, and the courier of alerts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::adapters::http_client::{self, HttpError, WebClient};
use engine::adapters::mailer::{Encryption, MailerError, Server, SmtpMailer};
use engine::alerts::courier::Courier;
use engine::alerts::{Alerting, Pace, Route, Routes, To};
use engine::identity;
use engine::identity::keys::SHORTEST_KEY;
use engine::identity::platform::jwks::Jwks;
use engine::identity::platform::{Platform, Source};
use engine::reference::SecretRef;
use engine::webhooks::Webhooks;
use engine::webhooks::signature::{Keys, NotASecret};
use engine::webhooks::target::{Prefix, Target};
use jobkit::redact::ExposeSecret;
use jobkit::{Clock, Mailer};

use crate::config::ReferenceError;
use crate::config::outgoing::{self as written, MailTls};
use crate::config::settings::Settings;

#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    #[error("what `{key}` refers to cannot be had")]
    Unresolved {
        key: String,
        #[source]
        cause: ReferenceError,
    },
    #[error("what `webhooks.secrets[{at}]` refers to {cause}")]
    Secret { at: usize, cause: NotASecret },
    #[error("`{key}` {problem}")]
    Address { key: String, problem: String },
    #[error("identity.platform.secret: `{0}` holds fewer than {SHORTEST_KEY} bytes")]
    ShortSecret(SecretRef),
    #[error(transparent)]
    Key(#[from] identity::keys::KeyError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Mail(#[from] MailerError),
}

pub fn webhooks(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<Webhooks>, OutgoingError> {
    let written::Webhooks { allow, secrets, timeout, ca_file } = &settings.webhooks;
    let mut keys = Keys::default();
    for (at, secret) in secrets.iter().enumerate() {
        let unresolved = |cause| OutgoingError::Unresolved { key: format!("webhooks.secrets[{at}]"), cause };
        let secret = secret.resolve().map_err(unresolved)?;
        keys.add(secret.expose_secret()).map_err(|cause| OutgoingError::Secret { at, cause })?;
    }
    let wrong = |problem| OutgoingError::Address { key: "webhooks.allow".into(), problem };
    let allow = allow.iter().map(|text| Prefix::parse(text)).collect::<Result<_, _>>().map_err(wrong)?;
    let client = Arc::new(WebClient::new(some(ca_file).as_deref())?);
    Ok(Arc::new(Webhooks { client, keys, allow, timeout: *timeout, clock }))
}

/// Who knows people of the platform by its JWTs; none where it is not described.
pub fn platform(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Option<Platform>, OutgoingError> {
    let own = &settings.identity.platform;
    let Some(key) = settings.identity.key.as_ref().filter(|_| own.is_set()) else { return Ok(None) };
    let source = match &own.secret {
        Some(secret) => {
            let unresolved =
                |cause| OutgoingError::Unresolved { key: "identity.platform.secret".into(), cause };
            let resolved = secret.resolve().map_err(unresolved)?;
            if resolved.expose_secret().len() < SHORTEST_KEY {
                return Err(OutgoingError::ShortSecret(secret.clone()));
            }
            Source::Secret(resolved)
        }
        None => Source::Jwks(Arc::new(jwks(settings, clock)?)),
    };
    Ok(Some(Platform::new(own, source, &identity::keys::Keys::load(key)?, clock.clone())))
}

/// The keys of the platform, by the authority of the house if it has one of its own.
pub fn jwks(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Jwks, OutgoingError> {
    let wrong = |problem| OutgoingError::Address { key: "identity.platform.jwks_url".into(), problem };
    let target = Target::parse(&settings.identity.platform.jwks_url).map_err(wrong)?;
    let client = Arc::new(WebClient::new(some(&settings.webhooks.ca_file).as_deref())?);
    Ok(Jwks::new(target.url().clone(), client, clock.clone()))
}

/// The accounts of DocuSign, by the authority of the house if it has one of its own. Nothing connects before it is needed.
pub fn docusign_accounts(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<docusign::Accounts, OutgoingError> {
    if settings.docusign.accounts.is_empty() {
        return Ok(docusign::Accounts::default());
    }
    let http = http_client::of_a_provider(some(&settings.webhooks.ca_file).as_deref())?;
    Ok(docusign::accounts(&settings.docusign, &http, clock))
}

/// None when no mail server is configured.
pub fn mailer(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Option<SmtpMailer>, OutgoingError> {
    let mail = &settings.mail;
    if mail.host.is_empty() {
        return Ok(None);
    }
    let password = mail.password.as_ref().map(|password| {
        let unresolved = |cause| OutgoingError::Unresolved { key: "mail.password".into(), cause };
        password.resolve().map_err(unresolved)
    });
    let server = Server {
        host: mail.host.clone(),
        port: mail.port,
        encryption: match mail.tls {
            MailTls::Required => Encryption::Tls,
            MailTls::StartTls => Encryption::StartTls,
            MailTls::None => Encryption::None,
        },
        credentials: password.transpose()?.map(|password| (mail.user.clone(), password)),
        from: mail.from.personal(),
        authority: some(&mail.ca_file),
    };
    Ok(Some(SmtpMailer::new(&server, clock)?))
}

fn some(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.into())
}

/// None when nobody is to be told.
pub fn courier(
    settings: &Settings,
    webhooks: Arc<Webhooks>,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<Courier>>, OutgoingError> {
    let routes = routes(settings)?;
    if routes.is_empty() {
        return Ok(None);
    }
    let mailer = mailer(settings, clock)?.map(|mailer| Arc::new(mailer) as Arc<dyn Mailer>);
    Ok(Some(Arc::new(Courier { routes, mailer, webhooks })))
}

fn routes(settings: &Settings) -> Result<Routes, OutgoingError> {
    let mut routes = Routes::new();
    for (name, route) in &settings.alerts.routes {
        let key = || format!("alerts.routes.{name}.webhook");
        let to = match &route.webhook {
            None => To::Mail(route.mail.iter().map(|address| address.personal()).collect()),
            Some(url) => {
                let url = url.resolve().map_err(|cause| OutgoingError::Unresolved { key: key(), cause })?;
                let target = Target::parse(url.expose_secret());
                To::Webhook(target.map_err(|problem| OutgoingError::Address { key: key(), problem })?)
            }
        };
        let written::Route { after, severity, rules, kinds, queues, .. } = route.clone();
        routes.insert(name.clone(), Route { to, after, severity, rules, kinds, queues });
    }
    Ok(routes)
}

pub fn alerting(settings: &Settings, courier: Option<Arc<Courier>>) -> Alerting {
    let written::Alerts { window, repeat, stuck_after, attempts, keep, .. } = &settings.alerts;
    let pace = Pace {
        window: *window,
        repeat: *repeat,
        stuck_after: *stuck_after,
        attempts: *attempts,
        keep: keep.period(),
    };
    Alerting { pace, courier }
}
