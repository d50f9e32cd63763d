//! Carries one message by one route, to the mail server or to the receiver of a webhook.

use std::sync::Arc;

use jobkit::{Mail, Mailer, PortError};
use serde_json::Value;

use super::message::mail;
use super::{Routes, To};
use crate::webhooks::{WebhookError, Webhooks};
use store::StoreError;

pub struct Courier {
    pub routes: Routes,
    pub mailer: Option<Arc<dyn Mailer>>,
    pub webhooks: Arc<Webhooks>,
}

#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    #[error("the route is not in [alerts.routes] of this process")]
    NoRoute,
    #[error("nothing was sent, because it could not be written down")]
    Unwritten(#[source] StoreError),
    #[error("there is no mail server; set mail.host")]
    NoMail,
    #[error("the mail was not sent")]
    Mail(#[source] PortError),
    #[error("the webhook was not taken")]
    Webhook(#[source] WebhookError),
}

impl CarryError {
    /// Trying again would be of no use.
    pub fn is_final(&self) -> bool {
        matches!(self, CarryError::Webhook(WebhookError::Gone))
    }
}

impl Courier {
    /// The key is the same whenever the message is sent again.
    pub async fn carry(&self, route: &str, key: &str, message: &Value) -> Result<(), CarryError> {
        match &self.routes.get(route).ok_or(CarryError::NoRoute)?.to {
            To::Mail(to) => {
                let mailer = self.mailer.as_ref().ok_or(CarryError::NoMail)?;
                let (subject, text) = mail(message);
                mailer.send(key, &Mail { to: to.clone(), subject, text }).await.map_err(CarryError::Mail)
            }
            To::Webhook(target) => {
                self.webhooks.post(key, target, message).await.map_err(CarryError::Webhook)
            }
        }
    }
}
