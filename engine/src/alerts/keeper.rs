//! Folds news into alerts, decides what is told of them and by which routes, and forgets old ones.
//!
//! Every process does it. News is folded by one at a time, and a decision holds only for the version of the alert that
//! it was made about, so each is carried out once.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, IdGenerator};
use tokio::sync::Notify;
use tracing::warn;

use super::Alerting;
use super::message::message;
use super::telling::{Next, decide};
use crate::service::Patience;
use crate::store::{AlertRow, Result, Store, Told};

/// How soon people hear of a thing; nobody is woken for it any earlier.
const LOOK: Duration = Duration::from_secs(1);
const BITE: usize = 1_000;
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

pub struct Keeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub alerting: Alerting,
    /// The sender waits for this.
    pub to_send: Arc<Notify>,
}

impl Keeper {
    pub async fn run(self) {
        let mut patience = Patience::new("keeping alerts", self.clock.clone());
        let ids = IdGenerator::new(self.clock.clone());
        let mut prune_at = self.clock.steady();
        loop {
            let prune = self.clock.steady() >= prune_at;
            match self.round(&ids, prune).await {
                Ok(more) => {
                    patience.succeeded();
                    if prune {
                        prune_at = self.clock.steady() + PRUNE_EVERY;
                    }
                    if more {
                        continue;
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// True when there is more of the same to do at once.
    async fn round(&self, ids: &IdGenerator, prune: bool) -> Result<bool> {
        let work = self.store.alert_work().await?;
        let mut more = false;
        if work.news {
            more = self.store.fold(BITE, ids).await? == BITE;
        }
        let mut to_send = work.to_send;
        if work.news || work.to_tell {
            to_send |= self.tell_all().await?;
        }
        if to_send {
            self.to_send.notify_one();
        }
        if let Some(keep) = self.alerting.pace.keep.filter(|_| prune) {
            while self.store.prune_alerts(keep, BITE).await? == BITE as u64 {}
        }
        Ok(more)
    }

    /// A process without routes would tell nobody, and leaves it to one that has some.
    async fn tell_all(&self) -> Result<bool> {
        let Some(courier) = &self.alerting.courier else { return Ok(false) };
        let mut any = false;
        for alert in self.store.alerts_to_tell(BITE).await? {
            let told = match decide(&alert, &self.alerting.pace) {
                Next::Close => Told { messages: None, look_again: None, close: true },
                Next::Tell { telling, look_again } => {
                    let concerned = courier.routes.iter().filter(|(_, route)| route.concerns(&alert));
                    let message = message(&alert, telling, self.clock.now());
                    let messages = concerned.map(|(name, _)| (name.clone(), message.clone())).collect();
                    Told { messages: Some(messages), look_again, close: false }
                }
            };
            let decided_here = self.store.tell(&alert, &told).await?;
            if decided_here && let Some(messages) = told.messages {
                any |= !messages.is_empty();
                say(&alert, messages.len());
            }
        }
        Ok(any)
    }
}

fn say(alert: &AlertRow, routes: usize) {
    let AlertRow { id, rule, severity, text, count, .. } = alert;
    warn!(
        alert.id = %id,
        alert.rule = rule,
        alert.severity = severity.name(),
        alert.count = count,
        alert.routes = routes,
        "alert {id} ({rule}): {text}"
    );
}
