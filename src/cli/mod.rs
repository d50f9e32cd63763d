//! The command line: what people and scripts type. It parses, calls a use case, prints, and ends with a
//! documented exit code; it decides nothing else. One file per group of commands.

mod alerts;
mod approvals;
mod audit;
mod configuration;
mod demo;
mod doctor;
mod docusign;
mod emulate;
mod enqueue;
mod evidence;
pub mod exit;
mod forest;
mod jobs;
mod journal;
mod limits;
mod migrate;
mod models;
mod moment;
pub mod print;
mod queues;
mod records;
mod schedules;
mod secrets;
mod serve;
mod shell;
mod tokens;
mod triggers;
mod uploads;
mod users;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use engine::audit::seen::{Seen, Sight};
use engine::units::parse_duration;
use jiff::Timestamp;
use jobkit::JobId;
use store::{Actor, Schema};

use self::exit::{CliError, Exit, Result};
use self::print::Print;
use crate::app::{self, App};
use crate::config::{self, Loaded, Settings};
use crate::telemetry::{self, Voice};

/// The background job worker and scheduler of regulated businesses.
#[derive(Debug, Parser)]
#[command(name = "compline", version, after_help = exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file; else $COMPLINE_CONFIG, else ./compline.toml if it exists.
    #[arg(long, global = true, value_name = "PATH", help_heading = "Everywhere")]
    config: Option<PathBuf>,
    /// Print one JSON document instead of text; errors too, on standard error.
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process until stopped: the worker, and the upkeep beside it.
    Serve,
    /// Run a worker.
    Work(serve::WorkArgs),
    /// Bring the store's schema to this version.
    Migrate,
    /// Enqueue a job and print its id.
    Enqueue(Box<enqueue::EnqueueArgs>),
    /// Look at jobs, retry, cancel, discard or wait for them, and review what they found.
    #[command(subcommand)]
    Jobs(Box<jobs::Jobs>),
    /// Look at queues, pause and resume them.
    #[command(subcommand)]
    Queues(queues::Queues),
    /// Look at schedules and change them; run, backfill, preview and simulate them.
    #[command(subcommand)]
    Schedules(Box<schedules::Schedules>),
    /// Look at limits, pause and resume them.
    #[command(subcommand)]
    Limits(limits::Limits),
    /// Look at the models that jobs made, and say which of a name is to be used.
    #[command(subcommand)]
    Models(models::Models),
    /// Look at what families keep of things beyond jobs, such as envelopes, and where each stands.
    #[command(subcommand)]
    Records(records::Records),
    /// Hand in files for jobs to read, look at them and delete them.
    #[command(subcommand)]
    Uploads(uploads::Uploads),
    /// Envelopes for signature: send, look, void, remind, and see what is wrong with an account.
    #[command(name = "docusign", subcommand)]
    DocuSign(docusign::DocuSign),
    /// Secrets that are looked after: how old each is and how far its rotation, rotate one now, and see what is wrong. Values are never shown.
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Look at what waits for people's approval, and approve, refuse or take it back.
    #[command(subcommand)]
    Approvals(approvals::Approvals),
    /// The audit log: whether it is what was signed, and the key that signs it.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make a ZIP for auditors of what happened in a period, in which every sentence names the entries that it stands on.
    Evidence(evidence::Evidence),
    /// Create users who sign in, and look after them and their sessions.
    #[command(subcommand)]
    Users(Box<users::UsersCommand>),
    /// Create tokens for services, rotate and revoke them.
    #[command(subcommand)]
    Tokens(Box<tokens::TokensCommand>),
    /// Look at workers.
    #[command(subcommand)]
    Workers(workers::Workers),
    /// Look at what brings work from outside, and at what was set aside.
    #[command(subcommand)]
    Triggers(triggers::Triggers),
    /// Look at alerts, acknowledge them, and try a route.
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    /// Score a table of numbers with the isolation forest alone; needs no store.
    #[command(subcommand)]
    Forest(forest::Forest),
    /// Score, test and explain a ledger on the spot; needs no store.
    #[command(subcommand)]
    Journal(Box<journal::Journal>),
    /// Check the configuration, or show what holds and where it came from.
    #[command(subcommand)]
    Config(configuration::Config),
    /// Look at everything Compline needs, and say what is amiss and what to do.
    Doctor,
    /// Set up an example in a directory of its own, and run every kind of job on it.
    Demo(demo::DemoArgs),
    /// Run a service that jobs talk to on this machine, to try things out on; needs no store.
    #[command(subcommand)]
    Emulate(emulate::Emulate),
    /// Print the completions for a shell.
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(shell::ManArgs),
}

/// Runs what the process was asked to and returns its exit code.
pub fn main() -> ExitCode {
    // clap ends the process itself on a usage error, with 2, and on --help, with 0.
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            match json {
                true => print::remark(&error.to_json().to_string()),
                false => print::remark(&print::plain(&error.to_string())),
            }
            error.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result {
    let call = Call { file: cli.config, print: Print::new(cli.json) };
    match cli.command {
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Config(command) => configuration::run(&call, &command),
        Command::Forest(command) => forest::run(&call, command),
        Command::Emulate(command) => on_runtime(emulate::run(&call, command)),
        Command::Journal(command) => on_runtime(journal::run(&call, *command)),
        Command::Doctor => on_runtime(doctor::run(&call)),
        Command::Demo(args) => demo::run(&call, &args),
        Command::Serve => on_runtime(serve::serve(&call)),
        Command::Work(args) => on_runtime(serve::work(&call, args)),
        Command::Migrate => on_runtime(migrate::run(&call)),
        Command::Enqueue(args) => on_runtime(enqueue::run(&call, *args)),
        Command::Jobs(command) => on_runtime(jobs::run(&call, *command)),
        Command::Queues(command) => on_runtime(queues::run(&call, command)),
        Command::Triggers(command) => on_runtime(triggers::run(&call, command)),
        Command::Alerts(command) => on_runtime(alerts::run(&call, command)),
        Command::Schedules(command) => on_runtime(schedules::run(&call, *command)),
        Command::Limits(command) => on_runtime(limits::run(&call, command)),
        Command::Models(command) => on_runtime(models::run(&call, command)),
        Command::DocuSign(command) => on_runtime(docusign::run(&call, command)),
        Command::Secrets(command) => on_runtime(secrets::run(&call, command)),
        Command::Records(command) => on_runtime(records::run(&call, command)),
        Command::Uploads(command) => on_runtime(uploads::run(&call, command)),
        Command::Approvals(command) => on_runtime(approvals::run(&call, command)),
        Command::Audit(command) => on_runtime(audit::run(&call, command)),
        Command::Evidence(wanted) => on_runtime(evidence::run(&call, wanted)),
        Command::Users(command) => on_runtime(users::run(&call, *command)),
        Command::Tokens(command) => on_runtime(tokens::run(&call, *command)),
        Command::Workers(command) => on_runtime(workers::run(&call, &command)),
    }
}

fn on_runtime(work: impl Future<Output = Result>) -> Result {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::from_chain)?;
    let ended = runtime.block_on(work);
    // Whatever computes or waits on a thread of its own cannot be interrupted, and its job has been given back.
    runtime.shutdown_timeout(LAST_MOMENT);
    ended
}

/// For threads that are about to end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What every command is given.
struct Call {
    file: Option<PathBuf>,
    print: Print,
}

impl Call {
    fn load(&self, voice: Voice) -> Result<Loaded> {
        let loaded = config::load(self.file.as_deref())?;
        telemetry::start(&loaded.settings.log, voice).map_err(CliError::from_chain)?;
        Ok(loaded)
    }

    /// Opens the store for a command that asks or changes something and ends, and closes it afterwards:
    /// only then has every worker been told.
    async fn with_app(&self, work: impl AsyncFnOnce(&App) -> Result) -> Result {
        self.with_app_and_settings(async |app, _| work(app).await).await
    }

    async fn with_app_and_settings(&self, work: impl AsyncFnOnce(&App, &Settings) -> Result) -> Result {
        let loaded = self.load(Voice::Command)?;
        let app = open(&loaded.settings).await?;
        let ended = work(&app, &loaded.settings).await;
        app.close().await;
        ended
    }
}

/// Opens the app. Where starting may not migrate, a schema that is too old is told as that, and not by the
/// first table that is missing.
async fn open(settings: &Settings) -> Result<App> {
    if !settings.store.migrate_at_start
        && let Some(path) = app::missing_file(settings)
    {
        return Err(CliError::new(
            Exit::Failed,
            format!("there is no database at {} yet", path.display()),
            "run `compline migrate`, or correct store.url",
        ));
    }
    let app = App::open(settings).await?;
    if !settings.store.migrate_at_start {
        let schema = app.store.schema().await?;
        if !schema.suffices() {
            app.close().await;
            let Schema { found, needed } = schema;
            return Err(CliError::new(
                Exit::Failed,
                format!("the store's schema is at version {found}, and this program needs {needed}"),
                "run `compline migrate`, or set store.migrate_at_start = true",
            ));
        }
    }
    Ok(app)
}

/// Writes down that this is shown, which is to be done before it is.
async fn shows(app: &App, sights: &[Sight]) -> Result<()> {
    Ok(Seen::new(app.store.clone(), app.clock.clone()).shows(&actor(), sights).await?)
}

/// Who acts, for the audit log.
fn actor() -> Actor {
    Actor::new(format!("cli:{}", engine::adapters::host::user_name()))
}

// Parsers of values, for clap: it names the argument, they name the remedy.

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

/// A time, or so long from now by the store's clock.
#[derive(Debug, Clone, Copy)]
enum Until {
    At(Timestamp),
    After(Duration),
}

impl Until {
    async fn on(self, app: &App) -> Result<Timestamp> {
        match self {
            Until::At(at) => Ok(at),
            Until::After(wait) => {
                let now = app.store.now().await?;
                now.checked_add(wait).map_err(CliError::from_chain)
            }
        }
    }
}

fn until(text: &str) -> Result<Until, String> {
    let wait = parse_duration(text).map(Until::After);
    wait.or_else(|_| instant(text).map(Until::At))
        .map_err(|problem| format!("{problem}, and no duration such as \"30m\""))
}

fn job_id(text: &str) -> Result<JobId, String> {
    let remedy = "an id looks like 019c0a2e-5a5c-7cc1-b6c0-0123456789ab, and `compline jobs list` shows them";
    text.parse().map_err(|_| format!("`{text}` is no job id; {remedy}"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a number from 1 up")),
        Ok(number) => Ok(number),
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not a time with its zone before the year 9999, such as 2026-01-31T09:00:00Z or \
             2026-01-31T09:00:00+01:00"
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_documents_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for exit in [Exit::Ok, Exit::Failed, Exit::Usage, Exit::NotFound, Exit::Unreachable, Exit::TimedOut] {
            assert!(help.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
