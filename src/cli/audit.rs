//! `audit`: whether the log is what was signed, what is signed, and the key that signs.

mod key;
mod search;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::epoch::name_in;
use audit::{SigningKey, Vkey};
use clap::Subcommand;
use engine::adapters::buckets::Buckets;
use engine::audit::Shelf;
use engine::audit::export::{self, ExportError};
use engine::audit::prove::{self, ProveError};
use engine::audit::verify::{Against, Finding, Verified, verify};
use jobkit::AuditEntry;
use serde_json::json;

use self::search::{Redact, Search};
use super::exit::{CliError, Exit, Result};
use super::{Call, Voice, actor, print};
use crate::app::{App, AppError, audit as wiring};
use crate::cli::print::row;
use crate::config::settings;

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
    /// Write an entry and its receipt, with which anybody who has the public key can check offline that it is in the log.
    Prove {
        /// The number of the entry, as events and `verify` name it.
        seq: i64,
        /// The folder for `entry-SEQ.json` and `entry-SEQ.tlog-proof`.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        out: PathBuf,
    },
    /// Print the proof that the log as it was with so many entries is the beginning of the log as it was later.
    ProveConsistency { from: u64, to: u64 },
    /// Write what was signed of the log into a new folder, with a program that checks it without us.
    Export {
        folder: PathBuf,
        /// From this leaf on; the tree above is there from the beginning.
        #[arg(long, value_name = "LEAF", default_value_t = 0)]
        from_leaf: u64,
        /// What opens the commitments too, which is personal data.
        #[arg(long)]
        with_personal: bool,
    },
    /// Find entries, the newest first.
    Search(Search),
    /// Erase what is personal, so that nobody can tell any more what an entry stands for; the entries and their proofs stand.
    Redact(Redact),
    /// How many entries are in the tree, what was signed last, and how far each anchor has it.
    Status,
    /// Declare that the database was restored to an earlier state for good: the log goes on from there as another epoch, and a signed statement
    /// says what was lost. `verify` tells it for ever.
    Epoch {
        /// Why, as the entry will say: which backup was restored, and what happened.
        #[arg(long)]
        reason: String,
    },
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
    /// Make another key, hand over to it in a checkpoint that both sign, and print its public key. From then on only the new one signs:
    /// set audit.key to it and start the processes that sign again.
    Rotate {
        /// The file for the new key, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub async fn run(call: &Call, command: Audit) -> Result {
    match command {
        Audit::Verify { anchors, keys } => verified(call, &anchors, keys).await,
        Audit::Prove { seq, out } => prove(call, seq, &out).await,
        Audit::ProveConsistency { from, to } => consistency(call, from, to).await,
        Audit::Export { folder, from_leaf, with_personal } => {
            exported(call, &folder, from_leaf, with_personal).await
        }
        Audit::Search(wanted) => search::search(call, wanted).await,
        Audit::Redact(wanted) => search::redact(call, wanted).await,
        Audit::Status => status(call).await,
        Audit::Epoch { reason } => key::declare(call, &reason).await,
        Audit::Key(KeyCommand::Create { name, out }) => key::create(call, &name, &out),
        Audit::Key(KeyCommand::Rotate { out }) => key::rotate(call, &out).await,
        Audit::Key(KeyCommand::Show) => {
            let loaded = call.load(Voice::Command)?;
            let secret = key::own(&loaded.settings)?;
            let key = secret.vkey().to_string();
            call.print.answer(&json!({ "key": key }), || key.clone())?;
            Ok(Exit::Ok)
        }
    }
}

async fn verified(call: &Call, anchors: &[PathBuf], keys: Vec<Vkey>) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let own = wiring::secret(&settings.audit).map_err(AppError::from)?;
        let keys = believed(app, own.as_ref(), &keys).await?;
        let shelves = shelves(settings, anchors)?;
        let against = Against { keep: settings.audit.keep.period(), keys: &keys, shelves: &shelves };
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

/// The keys that were given, or the one of the configuration under the name of the epoch that goes on.
pub async fn believed(app: &App, own: Option<&SigningKey>, given: &[Vkey]) -> Result<Vec<Vkey>> {
    let (Some(own), []) = (own, given) else { return Ok(given.to_vec()) };
    let number = app.store.epochs().await?.last().map_or(1, |epoch| epoch.number);
    Ok(vec![own.vkey().named(&name_in(own.vkey().name(), number))])
}

/// The anchors of the configuration, and folders beside them.
pub fn shelves(settings: &settings::Settings, given: &[PathBuf]) -> Result<Vec<Box<dyn Shelf>>> {
    let buckets = Arc::new(Buckets::open(&settings.buckets).map_err(AppError::from)?);
    let configured = settings.audit.anchors.iter();
    let configured = configured.map(|(name, anchor)| wiring::anchor_shelf(name, anchor, &buckets));
    let given = given.iter().map(|folder| wiring::shelf(&folder.display().to_string(), folder));
    Ok(configured.chain(given).collect())
}

/// More of them are counted.
const MOST_SHOWN: usize = 100;

fn told(found: &Verified) -> String {
    let mut lines = vec![format!(
        "{} entries and {} checkpoints were compared; {} entries are not in the tree yet; anchors have {}",
        found.entries - found.gone,
        found.checkpoints,
        found.waiting,
        found.anchored
    )];
    if found.gone > 0 {
        lines.push(format!(
            "{} entries before them are gone with their segments; their hashes were",
            found.gone
        ));
    }
    lines.extend(found.lost.iter().map(ToString::to_string));
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

async fn prove(call: &Call, seq: i64, out: &Path) -> Result {
    call.with_app(async |app| {
        let proven = prove::receipt(app.store.as_ref(), seq).await.map_err(refused)?;
        let [entry, receipt] = ["json", "tlog-proof"].map(|end| out.join(format!("entry-{seq}.{end}")));
        let files = [(&entry, proven.line.as_slice()), (&receipt, proven.receipt.text().as_bytes())]
            .map(|(path, bytes)| std::fs::write(path, bytes).map_err(|problem| (path, problem)));
        for written in files {
            written.map_err(|(path, problem)| {
                CliError::usage(
                    format!("--out: {}: {problem}", path.display()),
                    "name a folder that can be written to",
                )
            })?;
        }
        let json = json!({ "seq": seq, "leaf": proven.receipt.index, "entry": entry, "receipt": receipt });
        call.print.answer(&json, || {
            format!(
                "entry {seq} is leaf {}: {} is what was hashed, {} proves it",
                proven.receipt.index,
                entry.display(),
                receipt.display()
            )
        })?;
        Ok(Exit::Ok)
    })
    .await
}

async fn consistency(call: &Call, from: u64, to: u64) -> Result {
    call.with_app(async |app| {
        let found = prove::consistency(app.store.as_ref(), from, to).await.map_err(refused)?;
        let hash = ToString::to_string;
        let json = json!({
            "from": { "size": found.from.0, "root": hash(&found.from.1) },
            "to": { "size": found.to.0, "root": hash(&found.to.1) },
            "proof": found.proof.iter().map(hash).collect::<Vec<_>>(),
        });
        call.print.answer(&json, || {
            let head = format!(
                "{} entries, root {}\n{} entries, root {}",
                found.from.0, found.from.1, found.to.0, found.to.1
            );
            found.proof.iter().fold(head, |text, hash| format!("{text}\n{hash}"))
        })?;
        Ok(Exit::Ok)
    })
    .await
}

fn refused(problem: ProveError) -> CliError {
    match problem {
        ProveError::Unknown(_) => CliError::from_chain(problem).ending(Exit::NotFound),
        ProveError::Proof(_) => CliError::from_chain(problem).ending(Exit::Usage),
        _ => CliError::from_chain(problem),
    }
}

async fn exported(call: &Call, folder: &Path, from: u64, openings: bool) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let own = wiring::secret(&settings.audit).map_err(AppError::from)?;
        let keys = believed(app, own.as_ref(), &[]).await?;
        if keys.is_empty() {
            let remedy = "set audit.key; an export without its public key cannot be checked";
            return Err(CliError::usage("audit.key is not set", remedy));
        }
        // Whoever takes the log along is written down, before there is anything to take.
        app.audit.append(taken_along(folder, from, openings)).await.map_err(CliError::from_chain)?;
        let wish = export::Wish { keys: &keys, from, openings };
        let done =
            export::export(app.store.as_ref(), folder, &wish).await.map_err(|problem| match problem {
                ExportError::Occupied(_) | ExportError::Beyond { .. } | ExportError::Gone { .. } => {
                    CliError::from_chain(problem).ending(Exit::Usage)
                }
                other => CliError::from_chain(other),
            })?;
        let json =
            json!({ "first": done.first, "size": done.size, "openings": done.openings, "folder": folder });
        call.print.answer(&json, || {
            format!(
                "leaves {} to {} are in {}; `python3 verify.py --key VKEY .` in there checks them",
                done.first,
                done.size - 1,
                folder.display()
            )
        })?;
        Ok(Exit::Ok)
    })
    .await
}

fn taken_along(folder: &Path, from: u64, openings: bool) -> AuditEntry {
    let details = json!({ "folder": folder, "from_leaf": from, "with_personal": openings });
    actor().entry("audit.export", "audit", "begun", details)
}
