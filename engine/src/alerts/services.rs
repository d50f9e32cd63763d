//! The parts of alerting that run for as long as the process does.

use std::sync::Arc;

use jobkit::Clock;
use tokio::sync::Notify;

use super::Alerting;
use super::keeper::Keeper;
use super::sender::Sender;
use super::watcher::Watcher;
use crate::service::{Alarm, Service};
use store::Store;

pub fn start(
    alerting: Alerting,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    alarm: &Alarm,
) -> Vec<Service> {
    let to_send = Arc::new(Notify::new());
    let watcher =
        Watcher { store: store.clone(), clock: clock.clone(), stuck_after: alerting.pace.stuck_after };
    let mut services = vec![Service::passing("watcher of queues", alarm, watcher.run())];
    if let Some(courier) = alerting.courier.clone() {
        let sender = Sender {
            store: store.clone(),
            clock: clock.clone(),
            courier,
            attempts: alerting.pace.attempts,
            to_send: to_send.clone(),
        };
        services.push(Service::passing("sender of alerts", alarm, sender.run()));
    }
    let keeper = Keeper { store: store.clone(), clock: clock.clone(), alerting, to_send };
    services.push(Service::passing("keeper of alerts", alarm, keeper.run()));
    services
}
