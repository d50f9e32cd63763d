//! `schedules`: what fires when, and what people do about it. Every command is a use case of the scheduler.

mod given;
mod shown;

use std::time::Duration;

use clap::{Args, Subcommand};
use engine::scheduler::Supposed;
use engine::scheduler::definition::{MisfireRule, Plan};
use engine::scheduler::policy::Overlap;
use engine::scheduler::simulate::MOST_SIMULATED;
use jiff::Timestamp;
use serde_json::json;
use store::Scope;

use self::given::Given;
use super::exit::{CliError, Exit, Result};
use super::{Call, actor, duration, instant};
use crate::app::App;

#[derive(Debug, Subcommand)]
pub enum Schedules {
    /// List the schedules: when they fire, and what is amiss.
    List,
    /// Show one with all that is known of it.
    Show { name: String },
    /// Make a schedule, or replace what it says; those of the configuration are changed there.
    Put(Box<PutArgs>),
    /// Delete a schedule that was made by hand; its jobs stay.
    Delete { name: String },
    /// Stop a schedule in every process; what it would have fired is not made up for.
    Pause {
        name: String,
        /// Why; shown in the listing and kept in the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Go on with the first fire time from now.
    Resume { name: String },
    /// Enqueue a job of the schedule now.
    Run { name: String },
    /// Enqueue jobs for fire times of the past that have none; asked for again, it enqueues nothing again.
    Backfill {
        name: String,
        /// The first time, such as 2026-01-31T09:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        from: Timestamp,
        /// The end, not included.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        until: Timestamp,
        /// Only tell what would be enqueued.
        #[arg(long)]
        preview: bool,
    },
    /// Tell the next fire times of a schedule, or of one that is only described.
    Preview {
        #[command(flatten)]
        of: Box<Given>,
        /// How many.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        count: u16,
        /// From this time on, else from now.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        after: Option<Timestamp>,
    },
    /// Tell what would fire, be missed and be caught up between two times.
    Simulate(Box<SimulateArgs>),
}

#[derive(Debug, Args)]
pub struct PutArgs {
    name: String,
    #[command(flatten)]
    definition: given::Described,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    of: Given,
    /// The first time.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Timestamp,
    /// The end, not included.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Timestamp,
    /// Nobody is there from the one time to the other: FROM/UNTIL; may be given several times.
    #[arg(long = "outage", value_name = "FROM/UNTIL", value_parser = given::outage)]
    outages: Vec<(Timestamp, Timestamp)>,
    /// How long each job takes, to see what overlaps.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    takes: Duration,
    /// Another policy for missed times than the schedule's own.
    #[arg(long, value_name = "POLICY", value_parser = given::misfire)]
    under_misfire: Option<MisfireRule>,
    /// Another policy for overlap than the schedule's own.
    #[arg(long, value_name = "POLICY", value_parser = given::overlap)]
    under_overlap: Option<Overlap>,
}

pub async fn run(call: &Call, command: Schedules) -> Result {
    call.with_app(async |app| {
        let scheduler = &app.scheduler;
        match command {
            Schedules::List => {
                let schedules = scheduler.list(&Scope::Installation).await?;
                call.print.answer(&schedules, || shown::list(&schedules))?;
            }
            Schedules::Show { name } => {
                let schedule = scheduler.show(&Scope::Installation, &name).await?;
                call.print.answer(&schedule, || shown::one(&schedule))?;
            }
            Schedules::Put(args) => {
                let schedule = scheduler
                    .put(&Scope::Installation, &args.name, args.definition.definition()?, &actor())
                    .await?;
                call.print.answer(&schedule, || shown::one(&schedule))?;
            }
            Schedules::Delete { name } => {
                scheduler.delete(&Scope::Installation, &name, &actor()).await?;
                done(call, &name, "deleted")?;
            }
            Schedules::Pause { name, reason } => {
                scheduler.pause(&Scope::Installation, &name, &actor(), &reason).await?;
                done(call, &name, "paused")?;
            }
            Schedules::Resume { name } => {
                scheduler.resume(&Scope::Installation, &name, &actor()).await?;
                done(call, &name, "resumed")?;
            }
            Schedules::Run { name } => {
                let job = scheduler.run_now(&Scope::Installation, &name, &actor()).await?;
                call.print.answer(&job, || job.id.to_string())?;
            }
            Schedules::Backfill { name, from, until, preview } => {
                let told =
                    scheduler.backfill(&Scope::Installation, &name, (from, until), preview, &actor()).await?;
                call.print.answer(&told, || shown::backfill(&told, preview))?;
            }
            Schedules::Preview { of, count, after } => {
                let plan = plan(app, &of).await?;
                let preview = scheduler.preview(plan, after, usize::from(count)).await?;
                call.print.answer(&preview, || shown::preview(&preview))?;
            }
            Schedules::Simulate(args) => simulation(call, app, *args).await?,
        }
        Ok(Exit::Ok)
    })
    .await
}

/// Of a schedule that is there, or of one that is only described.
async fn plan(app: &App, of: &Given) -> Result<Plan> {
    match (&of.name, of.described.is_empty()) {
        (Some(name), true) => Ok(app.scheduler.plan(&Scope::Installation, name).await?),
        (None, false) => Ok(app.scheduler.described(&Scope::Installation, of.described.definition()?)?),
        (Some(_), false) => Err(CliError::usage(
            "a name and a description are two schedules",
            "give the name of a schedule, or --cron and what else describes one",
        )),
        (None, true) => Err(CliError::usage(
            "which schedule?",
            "give its name, or describe one, as with --cron \"30 6 * * MON-FRI\" --zone Europe/Berlin",
        )),
    }
}

async fn simulation(call: &Call, app: &App, args: SimulateArgs) -> Result<()> {
    let plan = plan(app, &args.of).await?;
    let supposed = Supposed {
        from: args.since,
        until: args.to,
        outages: args.outages,
        takes: args.takes,
        misfire: args.under_misfire,
        overlap: args.under_overlap,
    };
    let events = app.scheduler.simulate(plan.clone(), supposed).await?.ok_or_else(|| {
        CliError::usage(
            format!("there are more than {MOST_SIMULATED} fire times between --since and --to"),
            "simulate a shorter time",
        )
    })?;
    call.print.answer(&json!({ "words": plan.words(), "events": events }), || shown::events(&plan, &events))
}

fn done(call: &Call, name: &str, what: &str) -> Result<()> {
    call.print.answer(&json!({ "schedule": name, what: true }), || format!("schedule {name} is {what}"))
}
