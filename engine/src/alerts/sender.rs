//! Sends what is to be sent, at least once: a message is taken, sent, and then said to be sent. Who is killed in between
//! leaves it to be taken again, under the same key.
//!
//! Each route is served for itself, so that a receiver that is silent holds up nobody else's messages; those of routes
//! that this process does not have are left to others.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jobkit::{Backoff, Clock};
use tokio::sync::Notify;
use tracing::{debug, error, info};

use super::courier::Courier;
use crate::service::Patience;
use store::{Delivery, DeliveryEnd, Result, Store, chain};

/// At once by one route; a mail server has only so many places.
const BITE: usize = 4;
/// Longer than any mail server may be silent.
const SENDING: Duration = Duration::from_secs(60);
/// Whoever has not said by then what became of a message is gone.
const HOLD: Duration = Duration::from_secs(120);

const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(5), factor: 3.0, longest: Duration::from_secs(3_600), jitter: 0.0 };

pub struct Sender {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub courier: Arc<Courier>,
    pub attempts: u32,
    /// The keeper has seen that something is due.
    pub to_send: Arc<Notify>,
}

impl Sender {
    pub async fn run(self) {
        join_all(self.courier.routes.keys().map(|route| self.serve(route))).await;
    }

    async fn serve(&self, route: &str) {
        let mut patience = Patience::new("sending alerts", self.clock.clone());
        loop {
            // Before looking, or what is to be sent meanwhile waits for the keeper's next word.
            let to_send = self.to_send.notified();
            match self.bite(route).await {
                Ok(taken) => {
                    patience.succeeded();
                    if taken == 0 {
                        to_send.await;
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }

    async fn bite(&self, route: &str) -> Result<usize> {
        let taken = self.store.take_deliveries(route, BITE, HOLD).await?;
        let ended = join_all(taken.iter().map(|delivery| self.send(delivery))).await;
        ended.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(taken.len())
    }

    async fn send(&self, delivery: &Delivery) -> Result<()> {
        let key = delivery.key();
        let carried = self.courier.carry(&delivery.route, &key, &delivery.message);
        let problem = match tokio::time::timeout(SENDING, carried).await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some((chain(&problem), problem.is_final())),
            Err(_) => Some(("nothing was heard for a minute".to_owned(), false)),
        };
        let end = what_follows(delivery.attempts, self.attempts, problem);
        let (alert, route) = (delivery.alert, &delivery.route);
        match &end {
            DeliveryEnd::Sent => {
                info!(alert.id = %alert, alert.route = route, "alert {alert} was sent by route {route}");
            }
            DeliveryEnd::Retry { after, error } => debug!(
                alert.id = %alert,
                alert.route = route,
                "alert {alert} was not sent by route {route} and is tried again in {after:?}: {error}"
            ),
            DeliveryEnd::Dead { error } => error!(
                alert.id = %alert,
                alert.route = route,
                attempts = delivery.attempts,
                "alert {alert} reached nobody by route {route} and is not tried again: {error}"
            ),
        }
        self.store.end_delivery(delivery, &end).await
    }
}

/// Pure: what becomes of a message after so many attempts.
fn what_follows(attempts: u32, most: u32, problem: Option<(String, bool)>) -> DeliveryEnd {
    match problem {
        None => DeliveryEnd::Sent,
        Some((error, false)) if attempts < most => {
            let attempt = u16::try_from(attempts).unwrap_or(u16::MAX);
            DeliveryEnd::Retry { after: BACKOFF.delay(attempt, 0.5), error }
        }
        Some((error, _)) => DeliveryEnd::Dead { error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tried_ever_later_and_in_the_end_no_more() {
        let seconds = |attempts| match what_follows(attempts, 12, Some(("no".into(), false))) {
            DeliveryEnd::Retry { after, .. } => after.as_secs(),
            _ => 0,
        };

        let waits: Vec<_> = [1, 2, 3, 4, 8, 11, 12, 13].map(seconds).into();

        assert_eq!(waits, [5, 15, 45, 135, 3_600, 3_600, 0, 0]);
        let dead = DeliveryEnd::Dead { error: "gone".into() };
        assert_eq!(what_follows(1, 12, Some(("gone".into(), true))), dead);
        assert_eq!(what_follows(12, 12, None), DeliveryEnd::Sent);
    }
}
