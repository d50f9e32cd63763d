//! `audit`: whether the log is what was signed, what is signed, and the key that signs.

use std::io::Write;
use std::path::{Path, PathBuf};

use audit::note::{GenerateError, KeyError};
use audit::{SigningKey, Vkey};
use clap::Subcommand;
use engine::audit::verify::{Against, Finding, Verified, verify};
use engine::audit::{Shelf, new_key};
use jobkit::redact::ExposeSecret;
use serde_json::json;

use super::exit::{CliError, Exit, Result};
use super::{Call, Voice, print};
use crate::app::{AppError, audit as wiring};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Read every entry and compare it with the tree, the checkpoints and the anchors. Exit code 1 when anything does not fit.
    Verify {
        /// Compare with this folder of an anchor too, beside those of the configuration.
        #[arg(long = "anchor", value_name = "FOLDER")]
        anchors: Vec<PathBuf>,
        /// Believe this public key, and not the one of the configuration; can be given several times.
        #[arg(long = "key", value_name = "VKEY")]
        keys: Vec<Vkey>,
    },
    /// How many entries are in the tree, what was signed last, and how far each anchor has it.
    Status,
    /// The key that signs.
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and write it to a file that only its owner can read; the public key is printed.
    Create {
        /// The name of the log, for ever: of your organisation and the installation.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The file, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the public key, for auditors to verify with.
    Show,
}

pub async fn run(call: &Call, command: Audit) -> Result {
    match command {
        Audit::Verify { anchors, keys } => verified(call, &anchors, keys).await,
        Audit::Status => status(call).await,
        Audit::Key(KeyCommand::Create { name, out }) => create(call, &name, &out),
        Audit::Key(KeyCommand::Show) => {
            let loaded = call.load(Voice::Command)?;
            let Some(secret) = wiring::secret(&loaded.settings.audit).map_err(AppError::from)? else {
                return Err(CliError::usage(
                    "audit.key is not set",
                    "`compline audit key create` makes a key",
                ));
            };
            let key = secret.vkey().to_string();
            call.print.answer(&json!({ "key": key }), || key.clone())?;
            Ok(Exit::Ok)
        }
    }
}

async fn verified(call: &Call, anchors: &[PathBuf], keys: Vec<Vkey>) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let own = wiring::secret(&settings.audit).map_err(AppError::from)?;
        let keys: Vec<Vkey> = match keys.is_empty() {
            true => own.iter().map(|key| key.vkey().clone()).collect(),
            false => keys,
        };
        let configured = settings.audit.anchors.iter();
        let configured = configured.map(|(name, anchor)| wiring::shelf(name, &anchor.directory));
        let given = anchors.iter().map(|folder| wiring::shelf(&folder.display().to_string(), folder));
        let shelves: Vec<Box<dyn Shelf>> = configured.chain(given).collect();
        let against = Against { keys: &keys, shelves: &shelves };
        let found = verify(app.store.as_ref(), &against).await.map_err(CliError::from_chain)?;
        call.print.answer(&found, || told(&found))?;
        if keys.is_empty() && !call.print.json {
            print::remark(
                "no signature was verified: audit.key is not set; --key VKEY names the key to believe",
            );
        }
        if shelves.is_empty() && !call.print.json {
            print::remark(
                "nothing outside of the database was asked; --anchor FOLDER compares with an anchor",
            );
        }
        Ok(if found.findings.is_empty() { Exit::Ok } else { Exit::Failed })
    })
    .await
}

/// More of them are counted.
const MOST_SHOWN: usize = 100;

fn told(found: &Verified) -> String {
    let mut lines = vec![format!(
        "{} entries and {} checkpoints were compared; {} entries are not in the tree yet; anchors have {}",
        found.entries, found.checkpoints, found.waiting, found.anchored
    )];
    lines.extend(found.findings.iter().take(MOST_SHOWN).map(Finding::to_string));
    match found.findings.len() {
        0 => lines.push("all of it fits".into()),
        many if many > MOST_SHOWN => lines.push(format!("and {} more; --json has all", many - MOST_SHOWN)),
        _ => {}
    }
    print::plain(&lines.join("\n"))
}

async fn status(call: &Call) -> Result {
    call.with_app(async |app| {
        let tree = app.store.tree().await?;
        let size = tree.map_or(0, |tree| tree.size);
        let signed = app.store.last_checkpoint().await?;
        let anchors = app.store.anchors().await?;
        let json = json!({
            "size": size,
            "signed": signed.as_ref().map(|signed| json!({ "size": signed.size, "at": signed.at, "note": signed.note })),
            "anchors": anchors.iter().map(|a| json!({ "name": a.name, "size": a.size, "at": a.at })).collect::<Vec<_>>(),
        });
        call.print.answer(&json, || {
            let signed = signed.as_ref().map_or_else(
                || "nothing is signed yet".into(),
                |signed| format!("signed up to entry {} at {}", signed.size, print::time(signed.at)),
            );
            let head = format!("{size} entries in the tree; {signed}");
            let rows: Vec<_> =
                anchors.iter().map(|a| row![a.name.as_str(), a.size.to_string(), print::time(a.at)]).collect();
            match rows.is_empty() {
                true => head,
                false => format!("{head}\n{}", print::table(&["ANCHOR", "ENTRIES", "SINCE"], &rows)),
            }
        })?;
        Ok(Exit::Ok)
    })
    .await
}

fn create(call: &Call, name: &str, out: &Path) -> Result {
    let secret = new_key(name).map_err(|problem| match problem {
        GenerateError::Key(KeyError::Name) => CliError::usage(
            format!("--name `{name}`: {problem}"),
            "name the log like a place, audit.example.com/compline",
        ),
        other => CliError::from_chain(other),
    })?;
    write(out, &secret).map_err(|problem| {
        CliError::usage(
            format!("--out {}: {problem}", out.display()),
            "name a file that is not there yet, in a folder that this user may write to",
        )
    })?;
    let key = secret.vkey().to_string();
    call.print.answer(&json!({ "key": key, "file": out }), || {
        format!(
            "{key}\nis the public key: give it to your auditors, and set audit.key = \"file:{}\"",
            out.display()
        )
    })?;
    Ok(Exit::Ok)
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
