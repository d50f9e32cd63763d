//! The shared ports in memory: what was mailed and what was looked up, for a test to see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::models::{ModelRecord, Models, NewModel, Standing, StandingChange, is_known, promotion};
use crate::ports::{
    DatabaseError, Databases, HostError, Mail, Mailer, ObjectError, Objects, PortError, SecretStore,
};
use crate::{Ctx, SecretString};

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

/// Databases by their names.
#[derive(Default)]
pub struct FakeDatabases(BTreeMap<String, String>);

impl FakeDatabases {
    #[must_use]
    pub fn with(mut self, name: &str, url: &str) -> Self {
        self.0.insert(name.into(), url.into());
        self
    }
}

impl Databases for FakeDatabases {
    fn url(&self, name: &str) -> Result<SecretString, DatabaseError> {
        let url = self.0.get(name).ok_or_else(|| DatabaseError::Unknown(name.into()))?;
        Ok(SecretString::from(url.as_str()))
    }
}

/// The list of models in memory, in the order in which they came.
#[derive(Default)]
pub struct FakeModels(Mutex<Vec<ModelRecord>>);

impl FakeModels {
    fn lock(&self) -> MutexGuard<'_, Vec<ModelRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest_first(&self, is: impl Fn(&ModelRecord) -> bool) -> Vec<ModelRecord> {
        self.lock().iter().rev().filter(|record| is(record)).cloned().collect()
    }
}

impl Models for FakeModels {
    fn add<'a>(&'a self, ctx: &'a Ctx, model: &'a NewModel) -> BoxFuture<'a, Result<ModelRecord, HostError>> {
        async move {
            let mut records = self.lock();
            if let Some(known) = records.iter().find(|record| record.model.id == model.id) {
                return is_known(&known.model, model).map(|()| known.clone()).map_err(HostError::Refused);
            }
            let versions = records.iter().filter(|record| record.model.name == model.name);
            let record = ModelRecord {
                model: model.clone(),
                version: versions.count() as u32 + 1,
                standing: Standing::Challenger,
                made_by: ctx.job().id,
                made_at: ctx.clock().now(),
            };
            records.push(record.clone());
            Ok(record)
        }
        .boxed()
    }

    fn promote<'a>(
        &'a self,
        _: &'a Ctx,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<StandingChange>, HostError>> {
        async move {
            let mut records = self.lock();
            let unknown = || HostError::Refused(format!("there is no model {id}"));
            let name =
                records.iter().find(|record| record.model.id == id).map(|record| record.model.name.clone());
            let name = name.ok_or_else(unknown)?;
            let of_name: Vec<ModelRecord> =
                records.iter().filter(|record| record.model.name == name).cloned().collect();
            let changes = promotion(&of_name, id).ok_or_else(unknown)?;
            for change in &changes {
                for record in records.iter_mut().filter(|record| record.model.id == change.id) {
                    record.standing = change.to;
                }
            }
            Ok(changes)
        }
        .boxed()
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<ModelRecord>, PortError>> {
        async move { Ok(self.newest_first(|record| record.model.id == id).pop()) }.boxed()
    }

    fn named<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<ModelRecord>, PortError>> {
        async move { Ok(self.newest_first(|record| record.model.name == name)) }.boxed()
    }
}
