//! `evidence`: a ZIP for auditors, in which every sentence names the entries that it stands on.

use std::path::{Path, PathBuf};

use audit::Vkey;
use clap::Args;
use engine::audit::verify::Against;
use engine::evidence::pack::Files;
use engine::evidence::{Framework, PackError, Wish, pack};
use jobkit::AuditEntry;
use serde_json::json;

use super::audit::{believed, shelves};
use super::exit::{CliError, Exit, Result};
use super::moment::Moment;
use super::{Call, actor, print};
use crate::app::{AppError, artifacts, audit as wiring};

#[derive(Debug, Args)]
pub struct Evidence {
    /// From then on: a day in UTC, a time, or so long ago.
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    from: Moment,
    /// Until before then; now when nothing is said.
    #[arg(long = "to", value_name = "WHEN", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// Name the controls of this framework alone.
    #[arg(long, value_name = "soc2|hipaa|iso27001")]
    framework: Option<Framework>,
    /// The file, which must not be there yet.
    #[arg(long, value_name = "FILE", default_value = "evidence.zip")]
    out: PathBuf,
    /// Names and addresses of users too, and what opens commitments: personal data.
    #[arg(long)]
    with_personal: bool,
    /// The files that entries name too, such as signed documents, which may be about people.
    #[arg(long)]
    with_files: bool,
    /// Compare with this folder of an anchor too, beside those of the configuration.
    #[arg(long = "anchor", value_name = "FOLDER")]
    anchors: Vec<PathBuf>,
    /// Believe this public key, and not the one of the configuration; can be given several times.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<Vkey>,
}

pub async fn run(call: &Call, wanted: Evidence) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let now = app.store.now().await?;
        let (from, until) = (wanted.from.before(now), wanted.until.map_or(now, |until| until.before(now)));
        if from >= until {
            let problem = format!("--from {from} does not lie before --to {until}");
            return Err(CliError::usage(problem, "say when the period begins and when it ends"));
        }
        let own = wiring::secret(&settings.audit).map_err(AppError::from)?;
        let keys = believed(app, own.as_ref(), &wanted.keys).await?;
        if keys.is_empty() {
            let remedy = "set audit.key, or give --key; a pack without a public key cannot be checked";
            return Err(CliError::usage("audit.key is not set", remedy));
        }
        let shelves = shelves(settings, &wanted.anchors)?;
        let against = Against { keep: settings.audit.keep.period(), keys: &keys, shelves: &shelves };
        // Whoever takes the log along is written down, before there is anything to take.
        app.audit.append(taken_along(&wanted.out, &wanted)).await.map_err(CliError::from_chain)?;
        let files = wanted.with_files.then(|| artifacts::store(settings)).transpose()?;
        let wish = Wish {
            from,
            until,
            made_at: now,
            framework: wanted.framework,
            keys: &keys,
            with_personal: wanted.with_personal,
            themes: app.registry.themes(),
            files: files.as_deref(),
        };
        let packed =
            pack(app.store.as_ref(), &against, &wish, &wanted.out).await.map_err(
                |problem| match problem {
                    PackError::Occupied(_) => CliError::from_chain(problem).ending(Exit::Usage),
                    PackError::Nothing => CliError::from_chain(problem).ending(Exit::NotFound),
                    other => CliError::from_chain(other),
                },
            )?;
        let findings = packed.verified.findings.len();
        let json = json!({
            "file": wanted.out, "from": from, "until": until, "entries": packed.entries,
            "receipts": packed.receipts, "findings": packed.verified.findings, "files": packed.files,
        });
        call.print.answer(&json, || {
            let told = match findings {
                0 => "the log fits what was signed".to_owned(),
                many => format!("{many} things in the log do not fit; report.html names them"),
            };
            format!(
                "{} has {} of {from} to {until}; {told}{}",
                wanted.out.display(),
                print::count(usize::try_from(packed.entries).unwrap_or(usize::MAX), "entry"),
                if wanted.with_files { of_files(packed.files) } else { String::new() },
            )
        })?;
        if shelves.is_empty() && !call.print.json {
            print::remark(
                "nothing outside of the database was asked; --anchor FOLDER compares with an anchor",
            );
        }
        // A file that was deleted is as it was agreed; one that was changed is not.
        Ok(if findings == 0 && packed.files.differing == 0 { Exit::Ok } else { Exit::Failed })
    })
    .await
}

fn of_files(files: Files) -> String {
    let Files { named, in_the_pack, gone, differing, not_taken } = files;
    let left = match not_taken {
        0 => String::new(),
        many => format!(", {many} were not taken, since their names are no plain file names"),
    };
    let differ = match differing {
        0 => String::new(),
        many => format!(", and {many} are not what was archived; report.html names them"),
    };
    format!("; of {named} files {in_the_pack} are in it, {gone} are gone{left}{differ}")
}

fn taken_along(out: &Path, wanted: &Evidence) -> AuditEntry {
    let details = json!({
        "file": out, "framework": wanted.framework, "with_personal": wanted.with_personal, "with_files": wanted.with_files,
    });
    actor().entry("audit.evidence", "audit", "begun", details)
}
