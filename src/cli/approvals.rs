//! `approvals`: what waits for people, exactly what would be done, and their word on it. Whoever has the store may give any of
//! them, and nobody his own.

use clap::Subcommand;
use engine::approvals::ApprovalError;
use engine::audit::seen::Sight;
use engine::http::view::approvals::{Approval, ApprovalInFull};
use store::approvals::{ApprovalFilter, ApprovalId, ApprovalRow, ApprovalState, NewVote, Verdict};
use store::{Actor, Scope};

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print, shows};
use crate::app::App;
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Approvals {
    /// List approvals, the newest first: those that wait for people, unless told otherwise.
    List {
        /// In this state; may be given several times: pending, granted, refused, withdrawn, used or expired.
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',', default_value = "pending")]
        states: Vec<ApprovalState>,
        /// For this action; may be given several times.
        #[arg(long = "action", value_name = "ACTION")]
        actions: Vec<String>,
        /// The newest so many.
        #[arg(long, default_value_t = 100, value_parser = super::at_least_one)]
        limit: usize,
    },
    /// Show exactly what would be done, its hash, and who has said what.
    Show { id: ApprovalId },
    /// Approve it, exactly as it was shown.
    Grant {
        id: ApprovalId,
        /// The hash that was shown.
        #[arg(long, value_name = "HASH")]
        sha256: String,
        /// What there is to say of it.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Refuse it; a job that waits for it is cancelled.
    Refuse {
        id: ApprovalId,
        #[arg(long)]
        reason: String,
    },
    /// Take it back before it is used; a job that waits for it is cancelled.
    Withdraw {
        id: ApprovalId,
        #[arg(long)]
        reason: String,
    },
}

/// For commands that others may have to approve.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ApprovalArg {
    /// The approval that was given for exactly this, where one is needed.
    #[arg(long, value_name = "ID")]
    pub approval: Option<ApprovalId>,
}

impl ApprovalArg {
    /// Who does this now, by leave of the approval where one is needed.
    pub async fn leave(
        self,
        app: &App,
        action: engine::approvals::rules::Action,
        what: serde_json::Value,
    ) -> Result<Actor> {
        Ok(app.approvals.leave(&Scope::Installation, action, what, &actor(), self.approval).await?)
    }
}

pub async fn run(call: &Call, command: Approvals) -> Result {
    let all = Scope::Installation;
    call.with_app(async |app| {
        let approvals = &app.approvals;
        match command {
            Approvals::List { states, actions, limit } => {
                let filter = ApprovalFilter { states, actions, before: None, limit };
                let found = approvals.list(&all, &filter).await?;
                let json: Vec<_> = found.iter().map(Approval::from).collect();
                call.print.answer(&json, || listing(&found))?;
            }
            Approvals::Show { id } => {
                let approval = approvals.show(&all, id).await?;
                let args = approvals.opened(&approval);
                shows(app, &[Sight::approval(&approval)]).await?;
                let json = ApprovalInFull::of(&approval, args.clone());
                call.print.answer(&json, || shown(&approval, args.as_deref()))?;
            }
            Approvals::Grant { id, sha256, reason } => {
                let vote = NewVote { approval: id, verdict: Verdict::Grant, sha256: Some(sha256), reason };
                told(call, &approvals.vote(&all, vote, &actor()).await?)?;
            }
            Approvals::Refuse { id, reason } => {
                let reason = Some(reason);
                let vote = NewVote { approval: id, verdict: Verdict::Refuse, sha256: None, reason };
                told(call, &approvals.vote(&all, vote, &actor()).await?)?;
            }
            Approvals::Withdraw { id, reason } => {
                told(call, &approvals.withdraw(&all, id, &reason, &actor(), true).await?)?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn told(call: &Call, approval: &ApprovalRow) -> Result<()> {
    call.print.answer(&Approval::from(approval), || {
        let (id, action, state) = (approval.id, &approval.action, approval.state.name());
        format!("approval {id} of {action} is {state}")
    })
}

fn given(approval: &ApprovalRow) -> String {
    let given = approval.votes.iter().filter(|vote| vote.verdict == Verdict::Grant).count();
    format!("{given} of {}", approval.people)
}

fn listing(approvals: &[ApprovalRow]) -> String {
    if approvals.is_empty() {
        return "nothing waits for people; --state shows others".into();
    }
    let rows: Vec<_> = approvals
        .iter()
        .map(|approval| {
            row![
                approval.id.to_string(),
                approval.action.as_str(),
                approval.state.name(),
                given(approval),
                approval.author.as_str(),
                print::time(approval.asked_at),
                print::time(approval.expires_at),
            ]
        })
        .collect();
    print::table(&["ID", "ACTION", "STATE", "GIVEN", "ASKED BY", "ASKED", "EXPIRES"], &rows)
}

fn shown(approval: &ApprovalRow, args: Option<&str>) -> String {
    let mut lines = vec![
        format!("id          {}", approval.id),
        format!("action      {}", approval.action),
        format!("state       {}", approval.state.name()),
        format!("given       {}", given(approval)),
        format!("permission  {}", approval.permission),
        format!("asked       {} by {}", print::time(approval.asked_at), approval.author),
        format!("expires     {}", print::time(approval.expires_at)),
        format!("what        {}", approval.what),
    ];
    lines.extend(args.map(|args| format!("args        {args}")));
    lines.push(format!("sha256      {}", approval.hash()));
    lines.extend(approval.reason.iter().map(|reason| format!("reason      {reason}")));
    lines.extend(approval.votes.iter().map(|vote| {
        let said = vote.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{:<11} {} by {}{said}", vote.verdict.name(), print::time(vote.at), vote.voter)
    }));
    print::plain(&lines.join("\n"))
}

impl From<ApprovalError> for CliError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Store(error) => error.into(),
            ApprovalError::Random(error) => error.into(),
            ApprovalError::Required(approval) => {
                let id = approval.id;
                let remedy = format!(
                    "when `compline approvals show {id}` says granted, give the same command with exactly these values and \
                     --approval {id}"
                );
                Self::from_chain(ApprovalError::Required(approval)).remedy(remedy)
            }
            ApprovalError::Unknown(_) => Self::from_chain(error)
                .ending(Exit::NotFound)
                .remedy("`compline approvals list` shows those that wait"),
            ApprovalError::Unfit { .. } | ApprovalError::Outgrown(_) => Self::from_chain(error)
                .remedy("give the command exactly as it was approved, or ask anew without --approval"),
            ApprovalError::Vote(_) => Self::from_chain(error),
            ApprovalError::Invalid { .. } => Self::from_chain(error).ending(Exit::Usage),
        }
    }
}
