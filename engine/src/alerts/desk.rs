//! The use cases around alerts: what the CLI and HTTP may do with them.

use std::sync::Arc;

use jobkit::{AuditEntry, Clock, IdGenerator};
use serde_json::Value;

use super::courier::{CarryError, Courier};
use super::message::sample;
use store::{Actor, AlertDetail, AlertFilter, AlertId, AlertRow, Result, Store};

pub struct Desk {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
}

impl Desk {
    pub async fn list(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>> {
        self.store.alerts(filter).await
    }

    pub async fn show(&self, id: AlertId) -> Result<Option<AlertDetail>> {
        self.store.alert(id).await
    }

    /// False when it is acknowledged already, is a condition that has ended, or is not there.
    pub async fn ack(&self, id: AlertId, by: &Actor) -> Result<bool> {
        self.store.ack(id, by).await
    }

    /// Sends a sample by a route, now and once. Returns the key that the receiver sees.
    pub async fn test(&self, courier: &Courier, route: &str, by: &Actor) -> Result<String, CarryError> {
        let entry = AuditEntry {
            at: None,
            actor: by.name.clone(),
            action: "alert.test".into(),
            object: route.into(),
            outcome: "ok".into(),
            tenant: None,
            origin: by.origin.clone(),
            details: Value::Null,
        };
        self.store.append_audit(&entry).await.map_err(CarryError::Unwritten)?;
        let key = format!("alert_test_{}_{route}", IdGenerator::new(self.clock.clone()).next().0.simple());
        courier.carry(route, &key, &sample(route, self.clock.now())).await?;
        Ok(key)
    }
}
