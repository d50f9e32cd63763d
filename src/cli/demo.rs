//! `demo`: everything at once, in a directory of its own, and a table of what was done.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use engine::http::view::JobInFull;

use indicatif::ProgressBar;
use serde_json::json;

use super::exit::{Exit, Result};
use super::print::{optional_time, row, short, table, took};
use super::{Call, print};
use crate::app::signals::Signals;
use crate::config::settings::Log;
use crate::demo::Demo;
use crate::demo::envelope::Signed;
use crate::telemetry::{self, Voice};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop when the work is done; the exit code is 0 only if every job succeeded.
    #[arg(long)]
    exit: bool,
    /// Where to set it up.
    #[arg(long, value_name = "DIR", default_value = "compline-demo")]
    dir: PathBuf,
}

pub async fn run(call: &Call, args: DemoArgs) -> Result {
    let signals = Signals::listen();
    telemetry::start(&Log::default(), Voice::Command).map_err(super::exit::CliError::from_chain)?;
    signals.warn_of_unheard();
    let waiting = spinner(call);
    let demo = Demo::run(&args.dir, &signals).await;
    waiting.finish_and_clear();
    let demo = demo?;
    let all_completed = demo.all_completed();
    call.print.answer(&as_json(&demo), || as_text(call, &demo))?;
    match args.exit || demo.stopped {
        true => demo.close().await,
        false => {
            if let Some(api) = demo.api() {
                print::remark(&api);
            }
            print::remark("serving until interrupted (Ctrl-C); `demo --exit` stops here");
            demo.serve(signals).await?;
        }
    }
    Ok(if all_completed { Exit::Ok } else { Exit::Failed })
}

fn spinner(call: &Call) -> ProgressBar {
    if call.print.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message("making a ledger and running the jobs");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn as_json(demo: &Demo) -> serde_json::Value {
    let jobs: Vec<_> = demo
        .told
        .iter()
        .map(|told| json!({ "what": told.what, "job": JobInFull::from(told.detail.clone()) }))
        .collect();
    let envelope = match &demo.signed {
        Ok(signed) => json!(signed),
        Err(problem) => json!({ "problem": problem }),
    };
    json!({ "directory": demo.folder, "strange": demo.strange, "jobs": jobs, "envelope": envelope })
}

fn as_text(call: &Call, demo: &Demo) -> String {
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
