//! `demo`: everything at once, in a directory of its own, and a table of what was done.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use engine::http::view::JobInFull;
use indicatif::ProgressBar;
use jobkit::redact::ExposeSecret;
use serde_json::json;

use super::exit::{Exit, Result};
use super::print::{optional_time, row, short, table, took};
use super::{Call, print};
use crate::app::signals::Signals;
use crate::config::settings::Log;
use crate::config::{self, ConfigError, Loaded};
use crate::demo::envelope::Signed;
use crate::demo::folder::Folder;
use crate::demo::{self, Demo};
use crate::telemetry::{self, Voice};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop when the work is done. The exit code is 0 only if all was shown: every job succeeded, the envelope was archived, and the files are there.
    #[arg(long)]
    exit: bool,
    /// Where to set it up, with a store of its own: store.url is not used. A demo that is stopped before its end takes away what it made.
    #[arg(long, value_name = "DIR", default_value = "compline-demo")]
    dir: PathBuf,
}

pub fn run(call: &Call, args: &DemoArgs) -> Result {
    let mut folder = Folder::at(&args.dir);
    // What does not stay of it goes when the runtime has ended: until then a job that computes on a thread of its own may still write there.
    super::on_runtime(show(call, args, &mut folder))
}

async fn show(call: &Call, args: &DemoArgs, folder: &mut Folder) -> Result {
    let signals = Signals::listen();
    telemetry::start(&Log::default(), Voice::Command).map_err(super::exit::CliError::from_chain)?;
    signals.warn_of_unheard();
    let waiting = spinner(call);
    let demo = Demo::run(folder, &signals).await;
    waiting.finish_and_clear();
    // Asked only now: a store in a folder that is not there yet would be a mistake of the configuration.
    if let Some(remark) = unused_store(&config::load(call.file.as_deref()), &args.dir.join(demo::STORE)) {
        print::remark(&remark);
    }
    let demo = demo?;
    let (missing, stopped) = (demo.missing(), demo.stopped);
    let is_heard = call.print.told(&as_json(&demo, folder, &missing), || as_text(call, &demo, folder));
    if !stopped {
        missing.iter().for_each(|what| print::remark(&format!("missing: {what}")));
    }
    match is_heard {
        Ok(true) if !args.exit && !stopped => {
            if let Some(api) = demo.api() {
                print::remark(&api);
            }
            print::remark("serving until interrupted (Ctrl-C); `demo --exit` stops here");
            demo.serve(signals).await?;
        }
        // Nobody reads where it serves, or the answer could not be written.
        heard => {
            demo.close().await;
            heard?;
        }
    }
    Ok(if missing.is_empty() && !stopped { Exit::Ok } else { Exit::Failed })
}

/// That jobs which are made up are not enqueued where somebody's own are, and run by what runs these: for whoever named a store, and may think
/// that it is used.
fn unused_store(loaded: &Result<Loaded, ConfigError>, own: &Path) -> Option<String> {
    let own = std::path::absolute(own).unwrap_or_else(|_| own.to_path_buf());
    let unused = match loaded {
        Ok(loaded) => {
            let origin = loaded.origin(STORE_URL)?;
            let url = loaded.settings.store.url.resolve().ok();
            let file = url.as_ref().and_then(|url| url.expose_secret().strip_prefix("sqlite://"));
            let file = file.and_then(|file| std::path::absolute(file.split('?').next()?).ok());
            if file.as_ref() == Some(&own) {
                return None;
            }
            format!("{STORE_URL} of {origin} is not used")
        }
        Err(_) => "the configuration has mistakes, and is not used".into(),
    };
    Some(format!(
        "{unused}: the demo has a store of its own, {}, so that what it makes up never stands among your jobs",
        own.display()
    ))
}

const STORE_URL: &str = "store.url";

fn spinner(call: &Call) -> ProgressBar {
    if call.print.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message("making a ledger and running the jobs");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn as_json(demo: &Demo, folder: &Folder, missing: &[String]) -> serde_json::Value {
    let jobs: Vec<_> = demo
        .told
        .iter()
        .map(|told| json!({ "what": told.what, "job": JobInFull::from(told.detail.clone()) }))
        .collect();
    let envelope = match &demo.signed {
        Ok(signed) => json!(signed),
        Err(problem) => json!({ "problem": problem }),
    };
    // None where it is about to be removed.
    let directory = folder.stays().then_some(&demo.folder);
    json!({ "directory": directory, "strange": demo.strange, "jobs": jobs, "envelope": envelope, "missing": missing })
}

fn as_text(call: &Call, demo: &Demo, place: &Folder) -> String {
    let rows: Vec<_> = demo
        .told
        .iter()
        .map(|told| {
            let job = &told.detail.job;
            let mut row = row![told.what, job.kind.as_str()];
            row.push(call.print.state(job.state));
            row.extend(row![
                job.attempt.to_string(),
                job.ran.map(took).unwrap_or_default(),
                optional_time(job.finished_at),
                short(job.error.as_deref().unwrap_or(""), 60),
            ]);
            row
        })
        .collect();
    let headings = ["WHAT IT SHOWS", "KIND", "STATE", "ATTEMPTS", "RAN", "ENDED", "ERROR"];
    let folder = demo.folder.display();
    if demo.stopped {
        let table = table(&headings, &rows);
        return match place.stays() {
            true => format!(
                "{table}\n\ntold to stop before its end: its jobs are cancelled; {folder} was there before, and stays"
            ),
            false => format!("{table}\n\ntold to stop before its end: {folder} is taken away again"),
        };
    }
    format!(
        "{}\n\n\
         the ledger   {folder}/ledger.csv, with {} strange entries in it\n\
         the results  {}\n\
         the envelope {}\n\
         the jobs     {folder}/compline.db; look at them with\n             \
         COMPLINE__STORE__URL=sqlite://{folder}/compline.db compline jobs list",
        table(&headings, &rows),
        demo.strange.len(),
        results(demo),
        envelope(demo),
    )
}

/// What became of it, and where what was signed lies.
fn envelope(demo: &Demo) -> String {
    let signed = match &demo.signed {
        Ok(Some(signed)) => signed,
        Ok(None) => return "was not sent".into(),
        Err(problem) => return format!("could not be sent: DocuSign cannot be emulated here: {problem}"),
    };
    let Signed { key, envelope, state, went, folder, archive } = signed;
    let mut text = format!(
        "{key}, at the emulated DocuSign {}, is {state}\n             {}",
        envelope.as_deref().unwrap_or("nowhere"),
        went.join(" → ")
    );
    if let Some(folder) = folder {
        text += &format!("\n             {}", folder.display());
    }
    for file in archive {
        text += &format!(
            "\n             {:<19} {} bytes, SHA-256 {}…",
            file.name,
            file.bytes,
            &file.sha256[..16]
        );
    }
    text
}

/// Where they are, and what to open first.
fn results(demo: &Demo) -> String {
    let scored = demo.scored();
    let place = scored.as_ref().and_then(|summary| summary.outputs.first()?.parent());
    let (Some(summary), Some(place)) = (&scored, place) else {
        return format!("{}/results", demo.folder.display());
    };
    let among_the_first =
        demo.strange.iter().filter(|strange| summary.top.iter().any(|top| top.entry == strange.journal_id));
    format!(
        "{}\n             \
         {} entries of high risk; {} of the strange ones among the first {}\n             \
         workpaper.xlsx      what an auditor tests from\n             \
         report.html, .pdf   what is filed\n             \
         summary.txt         the riskiest entries, each with what the control tests say of it",
        place.display(),
        summary.high,
        among_the_first.count(),
        summary.top.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Families, registry};

    #[test]
    fn a_store_that_somebody_named_is_said_not_to_be_used() {
        let own = std::path::absolute("src/compline.db").unwrap();
        let its_url = format!("sqlite://{}", own.display());
        let said = |url: Option<&str>| {
            let variables = url.map(|url| ("COMPLINE__STORE__URL".to_owned(), url.to_owned()));
            let loaded = config::load_from(None, variables, &registry(Families::default()));
            assert!(loaded.is_ok(), "{loaded:?}");
            unused_store(&loaded, Path::new("src/compline.db"))
        };

        for unnamed in [
            None,
            Some("sqlite://src/compline.db"),
            Some("sqlite://src/compline.db?mode=rwc"),
            Some(&its_url),
        ] {
            assert_eq!(said(unnamed), None, "{unnamed:?}");
        }
        for other in ["sqlite://compline.db", "postgres://ada@db/jobs", "env:NOBODY_SET_IT"] {
            let told = said(Some(other)).unwrap();
            assert!(told.starts_with("store.url of COMPLINE__STORE__URL is not used: "), "{told}");
            assert!(told.contains(&format!("{},", own.display())) && !told.contains(other), "{told}");
        }
        let variable = [("COMPLINE__NO".into(), "1".into())];
        let broken = config::load_from(None, variable, &registry(Families::default()));
        assert!(unused_store(&broken, &own).unwrap().starts_with("the configuration has mistakes"));
    }
}
