//! The audit log as families and programs around the engine see it: entries go into the store's append-only
//! table. What the engine itself does is written down by the store, in the transaction that does it.

use std::sync::Arc;

use futures::future::BoxFuture;
use jobkit::{Audit, AuditEntry, PortError};

use store::Store;

pub struct StoreAudit {
    store: Arc<dyn Store>,
}

impl StoreAudit {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

impl Audit for StoreAudit {
    fn append(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let written = self.store.append_audit(&entry).await;
            written.map_err(|cause| PortError::new("writing an audit entry", cause))
        })
    }
}
