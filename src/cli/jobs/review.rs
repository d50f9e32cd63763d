//! What people decide on the items of a job's result.

use clap::Args;
use engine::audit::seen::{Sight, Thing};
use engine::http::view::reviews::Review;
use engine::queue::reviews::Given;
use jobkit::JobId;
use serde_json::json;
use store::{Decision, ReviewFilter, ReviewRow, Reviewer, Scope};

use crate::app::App;
use crate::cli::exit::{Exit, Result};
use crate::cli::print::{self, count, row};
use crate::cli::{Call, actor, at_least_one, job_id, shows};

#[derive(Debug, Args)]
pub struct ReviewArgs {
    #[arg(value_parser = job_id)]
    id: JobId,
    /// The items, as the job's result names them.
    #[arg(value_name = "ITEM", required = true)]
    items: Vec<String>,
    /// cleared, follow_up, or comment, which changes no decision.
    #[arg(long)]
    decision: Decision,
    /// Why; kept with the decision, and not in the audit log.
    #[arg(long)]
    comment: Option<String>,
    /// Who decided, where that is not who types.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Args)]
pub struct ReviewsArgs {
    #[arg(value_parser = job_id)]
    id: JobId,
    /// Of this item only; may be given several times.
    #[arg(long = "item", value_name = "ITEM", conflicts_with = "latest")]
    items: Vec<String>,
    /// Only the last decision on each item, by item; comments are left out.
    #[arg(long)]
    latest: bool,
    /// Show at most this many.
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    limit: usize,
}

pub async fn review(call: &Call, app: &App, args: ReviewArgs) -> Result {
    let ReviewArgs { id, items, decision, comment, by } = args;
    let given: Vec<_> =
        items.into_iter().map(|item| Given { item, decision, comment: comment.clone() }).collect();
    let at = app.queue.review(&Scope::Installation, id, &given, &Reviewer { actor: actor(), by }).await?;
    call.print.answer(&json!({ "job": id, "reviewed": given.len(), "at": at }), || {
        format!("{} of job {id}: {}", count(given.len(), "item"), decision.name())
    })?;
    Ok(Exit::Ok)
}

pub async fn list(call: &Call, app: &App, args: ReviewsArgs) -> Result {
    let ReviewsArgs { id, items, latest, limit } = args;
    let found = match latest {
        true => app.queue.decisions(&Scope::Installation, id, None, limit).await?,
        false => {
            app.queue
                .reviews(&Scope::Installation, &ReviewFilter { job: id, items, before: None, limit })
                .await?
        }
    };
    if !found.is_empty() {
        shows(app, &[Sight::of(Thing::Reviews(id), "reviews")]).await?;
    }
    let json: Vec<_> = found.iter().cloned().map(Review::from).collect();
    call.print.answer(&json, || listing(&found))?;
    if found.len() == limit && !call.print.json {
        let which = if latest { "first" } else { "newest" };
        print::remark(&format!("the {which} {limit} are shown; --limit shows more"));
    }
    Ok(Exit::Ok)
}

fn listing(reviews: &[ReviewRow]) -> String {
    if reviews.is_empty() {
        return "nothing was decided on; `compline jobs review` does".into();
    }
    let rows: Vec<_> = reviews
        .iter()
        .map(|review| {
            row![
                review.item.as_str(),
                review.decision.name(),
                review.by.as_deref().unwrap_or(&review.actor),
                print::time(review.at),
                print::short(review.comment.as_deref().unwrap_or(""), 60),
            ]
        })
        .collect();
    print::table(&["ITEM", "DECISION", "BY", "AT", "COMMENT"], &rows)
}
