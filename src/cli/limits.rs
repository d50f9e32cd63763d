//! `limits`: how much of each limit is used, which circuit breakers have seen failures, and stopping what falls under
//! a limit for a while.

use clap::Subcommand;
use engine::approvals::rules::Action;
use engine::limits::usage::{Limit, LimitUsage, Named, Overview, pausing, resuming};
use jiff::Timestamp;
use serde_json::json;
use store::rule::{Rate, Rule};
use store::{BreakerRow, BucketRow};

use super::approvals::ApprovalArg;
use super::exit::{Exit, Result};
use super::{Call, Until, print};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Limits {
    /// List the limits and how much of each is used, and the circuit breakers that have seen failures.
    List,
    /// Show a limit's buckets, one for each key in use, or a circuit breaker.
    Show { name: String },
    /// Let nothing start under a limit until a time, in every process; running jobs go on.
    Pause {
        /// `NAME` of `[limits.NAME]`; `@NAME` of `[calls.NAME]`.
        limit: String,
        /// Which of its buckets, where it has one for each key.
        #[arg(long)]
        key: Option<String>,
        /// A time such as 2026-01-31T09:00:00Z, or from now ("30m").
        #[arg(long, value_name = "TIME|DURATION", value_parser = super::until)]
        until: Until,
        /// Why; shown in the listing and kept in the audit log.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// Let jobs start again.
    Resume {
        limit: String,
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        approval: ApprovalArg,
    },
}

pub async fn run(call: &Call, command: Limits) -> Result {
    call.with_app(async |app| {
        match command {
            Limits::List => {
                let overview = app.limits.overview().await?;
                call.print.answer(&overview, || listed(&overview))?;
            }
            Limits::Show { name } => match app.limits.show(&name).await? {
                Named::Limit(usage) => call.print.answer(&usage, || shown(&usage))?,
                Named::Breaker(breaker) => {
                    call.print.answer(&breaker, || breakers(std::slice::from_ref(&breaker)))?;
                }
            },
            Limits::Pause { limit, key, until, reason, approval } => {
                let until = until.on(app).await?;
                let what = pausing(&limit, key.as_deref(), until, &reason);
                let by = approval.leave(app, Action::LimitsPause, what).await?;
                let bucket = app.limits.pause(&limit, key.as_deref(), until, &by, &reason).await?;
                call.print.answer(&json!({ "bucket": bucket, "paused_until": until }), || {
                    format!("{bucket} is paused until {}", print::time(until))
                })?;
            }
            Limits::Resume { limit, key, approval } => {
                let what = resuming(&limit, key.as_deref());
                let by = approval.leave(app, Action::LimitsResume, what).await?;
                let bucket = app.limits.resume(&limit, key.as_deref(), &by).await?;
                let answer = json!({ "bucket": bucket, "paused_until": null });
                call.print.answer(&answer, || format!("{bucket} is resumed"))?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn listed(overview: &Overview) -> String {
    let limits = listing(&overview.limits);
    match overview.breakers.is_empty() {
        true => limits,
        false => format!("{limits}\n\n{}", breakers(&overview.breakers)),
    }
}

fn breakers(breakers: &[BreakerRow]) -> String {
    let rows: Vec<_> = breakers
        .iter()
        .map(|breaker| {
            row![
                breaker.name.as_str(),
                breaker.failures.to_string(),
                print::optional_time(breaker.open_until)
            ]
        })
        .collect();
    print::table(&["BREAKER", "FAILURES", "OPEN UNTIL"], &rows)
}

fn listing(limits: &[LimitUsage]) -> String {
    if limits.is_empty() {
        return "nothing is limited; `[limits.NAME]` in the configuration of the processes that work does that".into();
    }
    let rows: Vec<_> = limits
        .iter()
        .map(|limit| {
            let sum = |count: fn(&BucketRow) -> u64| limit.buckets.iter().map(count).sum::<u64>().to_string();
            let paused = limit.buckets.iter().filter(|bucket| bucket.paused_until.is_some()).count();
            row![
                limit.limit.name(),
                holds_for(&limit.limit),
                by(&limit.limit),
                rate(&limit.limit),
                concurrency(&limit.limit),
                limit.buckets.len().to_string(),
                sum(|bucket| bucket.running),
                sum(|bucket| bucket.waiting),
                paused.to_string(),
            ]
        })
        .collect();
    let headings =
        ["LIMIT", "HOLDS FOR", "BY", "RATE", "CONCURRENCY", "BUCKETS", "RUNNING", "WAITING", "PAUSED"];
    print::table(&headings, &rows)
}

fn shown(usage: &LimitUsage) -> String {
    let rows: Vec<_> = usage
        .buckets
        .iter()
        .map(|bucket| {
            row![
                bucket.bucket.as_str(),
                bucket.running.to_string(),
                bucket.waiting.to_string(),
                print::optional_time(bucket.next_start),
                paused(bucket),
            ]
        })
        .collect();
    let limit = &usage.limit;
    format!(
        "{}: {}, by {}, rate {}, concurrency {}\n\n{}",
        limit.name(),
        holds_for(limit),
        by(limit),
        rate(limit),
        concurrency(limit),
        print::table(&["BUCKET", "RUNNING", "WAITING", "NEXT START", "PAUSED"], &rows)
    )
}

fn holds_for(limit: &Limit) -> String {
    let Limit::Jobs(rule) = limit else { return "calls".into() };
    match (rule.kinds.as_slice(), rule.queues.as_slice()) {
        ([], []) => "all jobs".into(),
        (kinds, []) => kinds.join(", "),
        ([], queues) => format!("queues {}", queues.join(", ")),
        (kinds, queues) => format!("{} in queues {}", kinds.join(", "), queues.join(", ")),
    }
}

fn by(limit: &Limit) -> String {
    match limit {
        Limit::Jobs(rule) => rule.by.to_string(),
        Limit::Calls { .. } => "key".into(),
    }
}

fn rate(limit: &Limit) -> String {
    let rate: Option<Rate> = match limit {
        Limit::Jobs(rule) => rule.rate,
        Limit::Calls { rate, .. } => Some(*rate),
    };
    match rate {
        None => "-".into(),
        Some(rate) if rate.burst == 1 => rate.pace.to_string(),
        Some(rate) => format!("{}, burst {}", rate.pace, rate.burst),
    }
}

fn concurrency(limit: &Limit) -> String {
    let most = match limit {
        Limit::Jobs(Rule { concurrency, .. }) => *concurrency,
        Limit::Calls { .. } => None,
    };
    most.map_or_else(|| "-".into(), |most| most.to_string())
}

fn paused(bucket: &BucketRow) -> String {
    let told = |until: Timestamp| {
        let by = bucket.paused_by.as_deref().unwrap_or("somebody");
        match bucket.reason.as_deref() {
            None | Some("") => format!("until {} by {by}", print::time(until)),
            Some(reason) => format!("until {} by {by}: {reason}", print::time(until)),
        }
    };
    bucket.paused_until.map_or_else(|| "-".into(), told)
}
