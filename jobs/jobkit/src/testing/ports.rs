//! The shared ports in memory: what was mailed and what was looked up, for a test to see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::SecretString;
use crate::ports::{Mail, Mailer, ObjectError, Objects, PortError, SecretStore};

/// Sends a mail once per key, as a mail server that honours idempotency keys does.
#[derive(Default)]
pub struct FakeMailer(Mutex<BTreeMap<String, Mail>>);

impl FakeMailer {
    /// What was sent, by key.
    pub fn sent(&self) -> BTreeMap<String, Mail> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Mail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailer for FakeMailer {
    fn send<'a>(&'a self, key: &'a str, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>> {
        self.lock().entry(key.into()).or_insert_with(|| mail.clone());
        async { Ok(()) }.boxed()
    }
}

/// Knows the secrets it was given, and no others.
#[derive(Default)]
pub struct FakeSecrets(BTreeMap<String, SecretString>);

impl FakeSecrets {
    pub fn with(mut self, reference: &str, secret: &str) -> Self {
        self.0.insert(reference.into(), secret.into());
        self
    }
}

impl SecretStore for FakeSecrets {
    fn get<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<SecretString, PortError>> {
        async move {
            let found = self.0.get(reference).cloned();
            found.ok_or_else(|| PortError::new(format!("getting the secret {reference}"), "no such secret"))
        }
        .boxed()
    }
}

/// Buckets in memory; others hold nothing.
#[derive(Default)]
pub struct FakeObjects(Mutex<BTreeMap<String, Vec<u8>>>);

impl FakeObjects {
    pub fn with(self, address: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.put(address, bytes);
        self
    }

    pub fn put(&self, address: &str, bytes: impl Into<Vec<u8>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address.into(), bytes.into());
    }
}

impl Objects for FakeObjects {
    fn fetch<'a>(&'a self, address: &'a str, into: &'a Path) -> BoxFuture<'a, Result<u64, ObjectError>> {
        async move {
            let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
            let bytes = found.ok_or_else(|| ObjectError::Missing(address.into()))?;
            std::fs::write(into, &bytes).map_err(|cause| PortError::new("writing a file", cause))?;
            Ok(bytes.len() as u64)
        }
        .boxed()
    }
}
