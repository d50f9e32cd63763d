//! `compline journal`: a ledger scored, tested and explained on the spot, without a store or a server.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use engine::adapters::clock::SystemClock;
use engine::adapters::databases::DatabasesByName;
use jiff::Timestamp;
use jobkit::{Clock, Databases, IdGenerator};
use journal::adapters::database::DatabaseQuery;
use journal::drift::Level;
use journal::ingest::ReadError;
use journal::model::ModelError;
use journal::output::RunTag;
use journal::result::{Results, ResultsError, compare::Comparison};
use journal::run::{Accept, By, Chosen, Given, Request, Run, RunError, Step};
use journal::settings::Settings;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Call;
use super::exit::{CliError, Exit, Result};

mod bar;
mod show;

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Score every entry of a ledger, test it, and write scores, workpaper and report.
    Score(ScoreArgs),
    /// Make a model of a ledger, to score others by.
    Train(TrainArgs),
    /// Say whether a ledger still looks like the one that a model was made from.
    Drift(DriftArgs),
    /// Say what the control tests hit.
    Tests(LedgerArgs),
    /// Say why an entry has its score and its risk.
    Explain(ExplainArgs),
    /// Compare the digits of all amounts with Benford's law.
    Benford(LedgerArgs),
    /// Say in what two results differ.
    Compare(CompareArgs),
    /// Say what the columns of a ledger seem to mean, as a mapping to correct and take over.
    Guess(GuessArgs),
}

#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// CSV, JSON lines, Parquet, XLSX, SAF-T or FEC; or `query:NAME`, a query of the configuration.
    #[arg(value_name = "LEDGER")]
    ledger: PathBuf,
    /// A text for the query: the first is its $1; may be given again.
    #[arg(long = "parameter", value_name = "TEXT")]
    parameters: Vec<String>,
    /// Settings as TOML, laid over those of the configuration: mapping, tests, calendars, selections.
    #[arg(long, value_name = "FILE.toml")]
    settings: Option<PathBuf>,
    /// One setting by its place, such as `mapping.preset=fec` or `risk.high=0.6`; may be given again.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The trial balance that the ledger has to roll forward to.
    #[arg(long, value_name = "FILE")]
    trial_balance: Option<PathBuf>,
    /// The totals that the source kept of each entry.
    #[arg(long, value_name = "FILE")]
    entry_log: Option<PathBuf>,
    /// Who takes a ledger that does not roll forward as it is.
    #[arg(long, value_name = "NAME", requires = "because")]
    accepted_by: Option<String>,
    /// And why.
    #[arg(long, value_name = "REASON", requires = "accepted_by")]
    because: Option<String>,
    /// As many as the processor runs at once, if it is not said; no score depends on it.
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// The folder for all files; what is there under their names is replaced.
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    out: PathBuf,
    /// The model that scores it instead of what the ledger teaches itself: a file that `train` wrote.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Another one that scores it too, to say in what the two differ.
    #[arg(long, value_name = "FILE", requires = "model")]
    challenger: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// The folder for the model's file, which is called by its hash.
    #[arg(long, value_name = "FOLDER", default_value = "models")]
    out: PathBuf,
    /// What results call the model; the name of the ledger's file, if it is not said.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub struct DriftArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// A file that `train` wrote.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// From which level on the exit code is 1; never, if it is not said.
    #[arg(long, value_name = "LEVEL", value_parser = ["watch", "alarm"])]
    fail_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// The entry's id; may be given again.
    #[arg(long = "entry", value_name = "ID", required = true)]
    entries: Vec<String>,
    /// The model that scores the ledger instead of what it teaches itself.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A folder with results, or its `results.json`.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    #[arg(value_name = "AFTER")]
    after: PathBuf,
}

#[derive(Debug, Args)]
pub struct GuessArgs {
    #[arg(value_name = "LEDGER")]
    ledger: PathBuf,
}

pub async fn run(call: &Call, command: Journal) -> Result {
    match command {
        Journal::Score(args) => {
            let ScoreArgs { ledger, out, model, challenger } = args;
            let mut request = request(call, &ledger, (&out, tag_in_its_folder()), &json!({}))?;
            request.by = By { model: chosen(model.as_ref()), challenger: chosen(challenger.as_ref()) };
            let summary = on_a_thread(call, request, |run, watch| run.write(watch)).await?;
            call.print.answer(&summary, || show::summary(&summary))?;
        }
        Journal::Train(args) => train(call, args).await?,
        Journal::Drift(args) => return drift(call, args).await,
        Journal::Tests(ledger) => {
            let results = looked_at(call, &ledger, By::default(), &json!({})).await?;
            call.print.answer(&results.tests, || show::in_part(&results) + &show::tests(&results))?;
        }
        Journal::Explain(ExplainArgs { ledger, entries, model }) => {
            let asked = json!({ "outputs": { "entries": entries, "top": 0 } });
            let by = By { model: chosen(model.as_ref()), challenger: None };
            let results = looked_at(call, &ledger, by, &asked).await?;
            let missing = entries.iter().find(|id| !results.asked.iter().any(|top| top.entry == **id));
            if let Some(id) = missing {
                let message = format!("the ledger {} has no entry `{id}`", ledger.ledger.display());
                return Err(CliError::new(
                    Exit::NotFound,
                    message,
                    "write the id as the ledger has it; one of other days than `window` is not in it",
                ));
            }
            call.print.answer(&results.asked, || show::in_part(&results) + &show::entries(&results))?;
        }
        Journal::Benford(ledger) => {
            let results = looked_at(call, &ledger, By::default(), &json!({})).await?;
            call.print.answer(&results.distributions.benford, || {
                show::in_part(&results) + &show::benford(&results)
            })?;
        }
        Journal::Compare(CompareArgs { before, after }) => {
            let found = Comparison::of(&read_results(&before)?, &read_results(&after)?);
            call.print.answer(&found, || show::comparison(&found))?;
        }
        Journal::Guess(GuessArgs { ledger }) => guess(call, ledger)?,
    }
    Ok(Exit::Ok)
}

async fn train(call: &Call, TrainArgs { ledger, out, name }: TrainArgs) -> Result<()> {
    let mut request = request(call, &ledger, (&out, tag_in_its_folder()), &json!({}))?;
    request.model_name = match name {
        Some(name) => name,
        None => ledger.ledger.file_stem().unwrap_or_default().to_string_lossy().trim().into(),
    };
    journal::train_model::check_name(&request.model_name)
        .map_err(|problem| CliError::usage(format!("--{problem}"), "say it with --name NAME"))?;
    let trained = on_a_thread(call, request, |run, watch| run.write_model(watch)).await?;
    call.print.answer(&trained, || show::trained(&trained))
}

async fn drift(call: &Call, DriftArgs { ledger, model, fail_at }: DriftArgs) -> Result {
    let mut request = request(call, &ledger, in_passing(&std::env::temp_dir()), &json!({}))?;
    request.by.model = Some(Chosen::file(&model));
    let drifted = on_a_thread(call, request, |run, watch| run.drift(watch)).await?;
    call.print.answer(&drifted, || drifted.in_words())?;
    let fails = match fail_at.as_deref() {
        None => false,
        Some("watch") => drifted.level >= Level::Watch,
        Some(_) => drifted.level >= Level::Alarm,
    };
    Ok(if fails { Exit::Failed } else { Exit::Ok })
}

fn guess(call: &Call, ledger: PathBuf) -> Result<()> {
    let mapping = journal::ingest::Mapping::default();
    let guess = journal::ingest::guess(&journal::ingest::Input::File(ledger.clone()), &mapping);
    let guess = guess.map_err(|cause| failed(RunError::Read { path: ledger, cause }))?;
    call.print.answer(&guess.mapping, || guess.to_string())
}

/// Goes through a ledger and writes nothing but what it puts aside meanwhile.
async fn looked_at(call: &Call, ledger: &LedgerArgs, by: By, more: &Value) -> Result<Results> {
    let request = Request { by, ..request(call, ledger, in_passing(&std::env::temp_dir()), more)? };
    on_a_thread(call, request, |run, watch| run.results(watch)).await
}

fn chosen(file: Option<&PathBuf>) -> Option<Chosen> {
    file.map(|file| Chosen::file(file))
}

/// Others may be at work in that folder.
fn in_passing(folder: &Path) -> (&Path, RunTag) {
    let run = IdGenerator::new(Arc::new(SystemClock::new())).next().to_string();
    (folder, RunTag { run, claim: 1 })
}

/// What a run that was killed left in its folder goes with the next one there.
fn tag_in_its_folder() -> RunTag {
    let now = SystemClock::new().now().as_millisecond();
    RunTag { run: "cli".into(), claim: now.unsigned_abs() }
}

fn request(call: &Call, args: &LedgerArgs, (out, tag): (&Path, RunTag), more: &Value) -> Result<Request> {
    let accept = args.accepted_by.clone().zip(args.because.clone()).map(|(by, why)| Accept { by, why });
    Ok(Request {
        path: args.ledger.clone(),
        file: args.ledger.clone(),
        query: query(call, args)?,
        out_dir: out.into(),
        tag,
        settings: settings(call, args, more)?,
        given: Given {
            trial_balance: args.trial_balance.clone(),
            entry_log: args.entry_log.clone(),
            control_totals: None,
        },
        accept,
        by: By::default(),
        model_name: String::new(),
        // Nobody enqueued it: two runs over one ledger write the same bytes.
        created: Timestamp::UNIX_EPOCH,
        threads: args
            .threads
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, std::num::NonZeroUsize::get),
        parts: None,
    })
}

/// A ledger that is a query of the configuration.
fn query(call: &Call, args: &LedgerArgs) -> Result<Option<Arc<dyn journal::ingest::Query>>> {
    let refused =
        |problem: String| CliError::usage(problem, "docs/reference/journal.md says how queries are written");
    let Some(name) = journal::queries::name_of(&args.ledger) else {
        return match args.parameters.is_empty() {
            true => Ok(None),
            false => Err(refused("--parameter: is for a query; name one as LEDGER, `query:NAME`".into())),
        };
    };
    let settings = crate::config::load(call.file.as_deref())?.settings;
    let query = journal::queries::find(&settings.journal.queries, name).map_err(refused)?;
    let url = DatabasesByName(settings.databases).url(&query.database).map_err(CliError::from_chain)?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        // Whoever reads waits for the database, and hears of nothing else.
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    });
    Ok(Some(Arc::new(DatabaseQuery::new(name, url, &query.sql, args.parameters.clone(), stop))))
}

/// The configuration's, where there is one, the file's, each `--set`, and what the command itself wants.
fn settings(call: &Call, args: &LedgerArgs, more: &Value) -> Result<Settings> {
    let refused = |error: &dyn std::fmt::Display| {
        CliError::usage(format!("settings.{error}"), "docs/reference/journal-settings.md has all settings")
    };
    let mut settings = crate::config::load(call.file.as_deref())?.settings.journal.settings;
    if let Some(path) = &args.settings {
        let text = std::fs::read_to_string(path)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display()), "name a TOML file"))?;
        let said: toml::Value = toml::from_str(&text)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display()), "mend the file"))?;
        let said = serde_json::to_value(said).map_err(CliError::from_chain)?;
        settings = settings.with(&said).map_err(|error| refused(&error))?;
    }
    for set in &args.set {
        let (read, text) = one_setting(set)?;
        // An amount, or an entity that is called 1000, is text all the same.
        let laid = settings.with(&read).or_else(|error| settings.with(&text).map_err(|_| error));
        settings = laid.map_err(|error| refused(&error))?;
    }
    if let Some(seed) = args.seed {
        settings.seed = seed;
    }
    settings.with(more).map_err(|error| refused(&error))
}

/// `risk.high=0.6` as JSON: the value read as JSON if it is any, and as text.
fn one_setting(set: &str) -> Result<(Value, Value)> {
    let Some((name, value)) = set.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(CliError::usage(format!("--set {set}: has no `=`"), "write NAME=VALUE"));
    };
    let text = Value::String(value.into());
    let read = serde_json::from_str(value).unwrap_or_else(|_| text.clone());
    let at_its_place = |value| name.rsplit('.').fold(value, |value, key| json!({ key: value }));
    Ok((at_its_place(read), at_its_place(text)))
}

/// Does the work beside the runtime, shows how far it is, and ends it when the terminal asks.
async fn on_a_thread<T: Send + 'static>(
    call: &Call,
    request: Request,
    work: fn(&mut Run, journal::run::Watch<'_>) -> Result<T, RunError>,
) -> Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let bar = bar::Bar::new(call);
    let stopped = stop.clone();
    let mut done = tokio::task::spawn_blocking(move || {
        let watch = |step: Step, done, of| {
            bar.show(step, done, of);
            if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = work(&mut Run::new(request), &watch);
        bar.clear();
        done
    });
    let done = tokio::select! {
        done = &mut done => done,
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            done.await
        }
    };
    done.map_err(CliError::from_chain)?.map_err(failed)
}

fn read_results(path: &Path) -> Result<Results> {
    let file = if path.is_dir() { path.join(journal::result::RESULTS) } else { path.into() };
    let json = std::fs::read(&file).map_err(|error| {
        CliError::new(Exit::NotFound, format!("{}: {error}", file.display()), "name a folder with results")
    })?;
    Results::parse(&json).map_err(|error: ResultsError| CliError::from_chain(error))
}

/// What the ledger or the settings are is for the caller to mend; what the machine does is not.
fn failed(error: RunError) -> CliError {
    let exit = match &error {
        RunError::Open { cause, .. } | RunError::Read { cause: ReadError::Io(cause), .. }
            if cause.kind() == std::io::ErrorKind::NotFound =>
        {
            Exit::NotFound
        }
        RunError::Model(ModelError::Read { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
            Exit::NotFound
        }
        RunError::Calendars(_) | RunError::NotAFile(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    let stopped_by_completeness = matches!(error, RunError::NotRolledForward { .. });
    let mut failed = CliError::from_chain(error);
    failed.exit = exit;
    match stopped_by_completeness {
        true => failed
            .remedy("get the whole ledger, or take it as it is with --accepted-by NAME --because REASON"),
        false => failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_that_the_reference_pages_show_can_be_meant() {
        let pages = [
            include_str!("../../docs/reference/journal.md"),
            include_str!("../../docs/reference/journal-settings.md"),
        ];
        let blocks = pages.iter().flat_map(|page| page.split("```toml\n").skip(1));
        let shown: Vec<&str> = blocks.filter_map(|block| block.split("```").next()).collect();
        assert!(shown.len() >= 5);
        for text in shown {
            let said = serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap();
            Settings::default().with(&said).unwrap_or_else(|error| panic!("{text}{error}"));
        }
    }

    #[test]
    fn a_setting_is_read_by_its_place() {
        for (set, expected) in [
            ("seed=7", json!({ "seed": 7 })),
            ("risk.high=0.6", json!({ "risk": { "high": 0.6 } })),
            ("mapping.preset=fec", json!({ "mapping": { "preset": "fec" } })),
            ("a.b=[\"x\",1]", json!({ "a": { "b": ["x", 1] } })),
            ("a=b=c", json!({ "a": "b=c" })),
        ] {
            assert_eq!(one_setting(set).unwrap().0, expected);
        }
        assert_eq!(one_setting("a.b=1000").unwrap().1, json!({ "a": { "b": "1000" } }));
        assert!(one_setting("seed").is_err() && one_setting("=7").is_err());
    }
}
