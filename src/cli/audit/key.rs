//! `audit key`: the key that signs the log, made and handed over.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use audit::SigningKey;
use audit::note::{GenerateError, KeyError};
use engine::audit::new_key;
use engine::audit::rotate::RotateError;
use engine::audit::signer::{Rhythm, SignError, Signer};
use jobkit::redact::ExposeSecret;
use serde_json::json;

use super::shelves;
use crate::app::{App, AppError, audit as wiring};
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::{Call, actor, print};
use crate::config::settings::Settings;

/// The key of the configuration.
pub fn own(settings: &Settings) -> Result<SigningKey> {
    let own = wiring::secret(&settings.audit).map_err(AppError::from)?;
    own.ok_or_else(|| CliError::usage("audit.key is not set", "`compline audit key create` makes a key"))
}

/// The file first: a key that the log was handed over to and that nobody has would be the end of the log.
pub async fn rotate(call: &Call, out: &Path) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let own = own(settings)?;
        let new = new_key(own.vkey().name()).map_err(CliError::from_chain)?;
        keep(out, &new)?;
        let (old, key) = (own.vkey().to_string(), new.vkey().to_string());
        let signer = signer(app, settings, own)?;
        let handed = signer.hand_over(&new, &actor()).await.inspect_err(|problem| match problem {
            RotateError::Sign(SignError::Store(_)) => print::remark(&format!(
                "{} is kept: where the answer of the store was lost, the log may be handed over to it; `compline audit status` says by whom it is signed",
                out.display()
            )),
            // Nothing was handed over to it.
            _ => drop(std::fs::remove_file(out)),
        });
        let signed = handed.map_err(CliError::from_chain)?;
        let json = json!({ "from": old, "key": key, "file": out, "size": signed.size });
        call.print.answer(&json, || {
            format!(
                "{key}\nsigns the log from {} entries on. Set audit.key = \"file:{}\" and start the processes that sign again: until then \
                 nothing is signed.\nWhoever believes {old} is led to it; give it to your auditors all the same",
                signed.size,
                out.display()
            )
        })?;
        Ok(Exit::Ok)
    })
    .await
}

fn signer(app: &App, settings: &Settings, own: SigningKey) -> Result<Signer> {
    Ok(Signer {
        store: app.store.clone(),
        clock: app.clock.clone(),
        secret: Arc::new(own),
        rhythm: Rhythm { every: settings.audit.checkpoint_every, entries: settings.audit.checkpoint_entries },
        shelves: shelves(settings, &[])?.into_iter().map(Arc::from).collect(),
    })
}

pub async fn declare(call: &Call, reason: &str) -> Result {
    if reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty", "say which backup was restored, and what happened"));
    }
    call.with_app_and_settings(async |app, settings| {
        let signer = signer(app, settings, own(settings)?)?;
        let done = signer.declare_restored(reason, &actor()).await.map_err(CliError::from_chain)?;
        let lost = done.signed - done.common;
        let json = json!({ "epoch": done.number, "common": done.common, "signed": done.signed, "lost": lost });
        call.print.answer(&json, || {
            format!(
                "epoch {} goes on behind {} entries; {lost} that had been signed are lost, which `compline audit verify` tells from now on",
                done.number, done.common
            )
        })?;
        Ok(Exit::Ok)
    })
    .await
}

pub fn create(call: &Call, name: &str, out: &Path) -> Result {
    let secret = new_key(name).map_err(|problem| match problem {
        GenerateError::Key(KeyError::Name) => CliError::usage(
            format!("--name `{name}`: {problem}"),
            "name the log like a place, audit.example.com/compline",
        ),
        other => CliError::from_chain(other),
    })?;
    keep(out, &secret)?;
    let key = secret.vkey().to_string();
    call.print.answer(&json!({ "key": key, "file": out }), || {
        format!(
            "{key}\nis the public key: give it to your auditors, and set audit.key = \"file:{}\"",
            out.display()
        )
    })?;
    Ok(Exit::Ok)
}

fn keep(out: &Path, secret: &SigningKey) -> Result<()> {
    write(out, secret).map_err(|problem| {
        CliError::usage(
            format!("--out {}: {problem}", out.display()),
            "name a file that is not there yet, in a folder that this user may write to",
        )
    })
}

/// Whole or not at all, and for its owner alone from the first byte.
fn write(out: &Path, secret: &SigningKey) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    let written = file
        .write_all(format!("{}\n", secret.to_secret().expose_secret()).as_bytes())
        .and_then(|()| file.sync_all());
    written.inspect_err(|_| {
        // Half a key is none, and in the way.
        let _ = std::fs::remove_file(out);
    })
}
