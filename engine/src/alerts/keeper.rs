//! Folds news into alerts, decides what is told of them and by which routes, and forgets old ones.
//!
//! Every process does it. News is folded by one at a time, and a decision holds only for the version of the alert that
//! it was made about, so each is carried out once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, IdGenerator};
use tokio::sync::Notify;
use tracing::warn;

use super::Alerting;
use super::courier::Courier;
use super::message::message;
use super::telling::{Next, Telling, addressed, decide};
use crate::service::Patience;
use store::{AlertRow, Message, Result, Store, Told};

/// How soon people hear of a thing; nobody is woken for it any earlier.
const LOOK: Duration = Duration::from_secs(1);
const BITE: usize = 1_000;
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
const CLOSE_EVERY: Duration = Duration::from_secs(60);

pub struct Keeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub alerting: Alerting,
    /// Those who serve the routes wait for this.
    pub to_send: Arc<Notify>,
}

impl Keeper {
    pub async fn run(self) {
        let mut patience = Patience::new("keeping alerts", self.clock.clone());
        let ids = IdGenerator::new(self.clock.clone());
        let (mut prune_at, mut close_at) = (self.clock.steady(), self.clock.steady());
        loop {
            let now = self.clock.steady();
            let due = Due { prune: now >= prune_at, close: now >= close_at };
            match self.round(&ids, due).await {
                Ok(more) => {
                    patience.succeeded();
                    if due.prune {
                        prune_at = now + PRUNE_EVERY;
                    }
                    if due.close {
                        close_at = now + CLOSE_EVERY;
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
    async fn round(&self, ids: &IdGenerator, due: Due) -> Result<bool> {
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
            self.to_send.notify_waiters();
        }
        if due.close && self.alerting.courier.is_none() {
            let quiet = self.alerting.pace.window;
            while self.store.close_untold(quiet, BITE).await? == BITE as u64 {}
        }
        if let Some(keep) = self.alerting.pace.keep.filter(|_| due.prune) {
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
                    let messages = Some(self.messages(courier, &alert, telling).await?);
                    Told { messages, look_again, close: false }
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

    async fn messages(&self, courier: &Courier, alert: &AlertRow, telling: Telling) -> Result<Vec<Message>> {
        let escalated = match courier.routes.values().any(|route| route.after.is_some()) {
            true => self.escalated(alert).await?,
            false => BTreeSet::new(),
        };
        let now = self.clock.now();
        let message = |(route, telling, after): (&str, Telling, Duration)| Message {
            route: route.to_owned(),
            text: message(alert, telling, now),
            after,
        };
        Ok(addressed(&courier.routes, alert, telling, &escalated).into_iter().map(message).collect())
    }

    /// The routes that were told of it, or are as good as told.
    async fn escalated(&self, alert: &AlertRow) -> Result<BTreeSet<String>> {
        if alert.tellings == 0 {
            return Ok(BTreeSet::new());
        }
        let now = self.store.now().await?;
        let deliveries = self.store.alert(alert.id).await?.map(|detail| detail.deliveries);
        let told = deliveries.into_iter().flatten().filter(|sent| sent.attempts > 0 || sent.due_at <= now);
        Ok(told.map(|sent| sent.route).collect())
    }
}

/// What comes round now and then.
#[derive(Clone, Copy)]
struct Due {
    prune: bool,
    close: bool,
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
