//! The use cases of approvals: what demands one, asking, voting, taking back, and the leave to act by one.
//!
//! Whoever adds an action that people must approve needs three lines. Before it acts it says exactly what it will do:
//!
//! ```ignore
//! let what = json!({ "class": class, "keep_days": days });
//! let by = approvals.leave(&scope, Action::LimitsPause, what, &by, given).await?;
//! store.pause_bucket(&bucket, until, &by, &reason).await?;
//! ```
//!
//! Nothing demanded, and the actor comes back as it was. Else it comes back with the approval, which the store uses in the
//! transaction of the entry that this actor's deed writes; or an error names the approval that was asked for.

use std::sync::Arc;

use jobkit::{Clock, IdGenerator};
use serde_json::Value;

use self::rules::{Action, Rules};
use crate::identity::IdentityError;
use crate::identity::keys::random;
use crate::json::canonical;
use crate::seal::{Keyring, Part};
use crate::wake::Wake;
use store::approvals::judge::{self, Unfit, VoteRefusal};
use store::approvals::{ApprovalFilter, ApprovalId, ApprovalRow, NewApproval, NewVote, Verdict, Voted};
use store::tokens::Which;
use store::{Actor, Scope, Store, StoreError};

pub mod rules;

#[derive(Clone)]
pub struct Approvals {
    store: Arc<dyn Store>,
    ids: Arc<IdGenerator>,
    keyring: Arc<Keyring>,
    wake: Wake,
    rules: Arc<Rules>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Nothing was done, and somebody was asked.
    #[error(
        "{} needs the approval of {}; approval {} was asked for",
        .0.action, people(.0.people), .0.id
    )]
    Required(Box<ApprovalRow>),
    #[error("approval {id} cannot be used for this")]
    Unfit {
        id: ApprovalId,
        #[source]
        why: Unfit,
    },
    /// Fewer gave it, or others, than the configuration wants by now.
    #[error("approval {0} does not suffice any more: more is demanded now than when it was asked for")]
    Outgrown(ApprovalId),
    #[error("there is no approval {0}")]
    Unknown(ApprovalId),
    #[error(transparent)]
    Vote(VoteRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] IdentityError),
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
}

fn people(number: u8) -> &'static str {
    if number == 1 { "another person" } else { "two other people" }
}

const LONGEST_REASON: usize = 1_000;

impl Approvals {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keyring: Arc<Keyring>,
        wake: Wake,
        rules: Arc<Rules>,
    ) -> Self {
        Self { store, ids: Arc::new(IdGenerator::new(clock)), keyring, wake, rules }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// As [`Approvals::leave_for`], of what is not about jobs.
    pub async fn leave(
        &self,
        scope: &Scope,
        action: Action,
        what: Value,
        by: &Actor,
        given: Option<ApprovalId>,
    ) -> Result<Actor, ApprovalError> {
        self.leave_for(scope, (action, &[]), what, by, given).await
    }

    /// Whoever may do this now, exactly as `what` says it: the same actor where nothing is demanded, else with the
    /// approval that it was given. Without one somebody is asked, and nothing is done.
    pub async fn leave_for(
        &self,
        scope: &Scope,
        (action, kinds): (Action, &[String]),
        what: Value,
        by: &Actor,
        given: Option<ApprovalId>,
    ) -> Result<Actor, ApprovalError> {
        let demand = self.rules.demand(action, kinds);
        if demand.is_none() && given.is_none() {
            return Ok(by.clone());
        }
        let what = bytes(action, what);
        if let Some(id) = given {
            let approval = self.show(scope, id).await?;
            let now = self.store.now().await?;
            judge::fits(&approval, action.name(), &what, &by.name, now)
                .map_err(|why| ApprovalError::Unfit { id, why })?;
            return match demand {
                Some(demand)
                    if approval.people < demand.people || approval.permission != demand.permission =>
                {
                    Err(ApprovalError::Outgrown(id))
                }
                _ => Ok(by.clone().by_leave_of(id)),
            };
        }
        let Some(demand) = demand else { return Ok(by.clone()) };
        let asked = NewApproval {
            id: ApprovalId(self.ids.next().0),
            action: action.name().into(),
            what,
            salt: random()?,
            tenant: scope.bound().map(str::to_owned),
            demand,
        };
        Err(ApprovalError::Required(Box::new(self.store.ask(&asked, by).await?)))
    }

    /// Newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: &ApprovalFilter,
    ) -> Result<Vec<ApprovalRow>, ApprovalError> {
        Ok(self.store.approvals(scope, filter).await?)
    }

    pub async fn show(&self, scope: &Scope, id: ApprovalId) -> Result<ApprovalRow, ApprovalError> {
        self.store.approval(scope, id).await?.ok_or(ApprovalError::Unknown(id))
    }

    /// The arguments of an approval's job, opened where they are sealed. None of what is not about a job that waits.
    pub fn opened(&self, approval: &ApprovalRow) -> Option<String> {
        let job = approval.job?;
        let what: Value = serde_json::from_str(&approval.what).ok()?;
        let mut args = what.get("args")?.to_string();
        self.keyring.show(job, Part::Args, &mut args);
        Some(args)
    }

    /// Whether the voter has what the approval asks for, the door has looked at.
    pub async fn vote(&self, scope: &Scope, vote: NewVote, by: &Actor) -> Result<ApprovalRow, ApprovalError> {
        if vote.verdict == Verdict::Refuse && vote.reason.is_none() {
            return invalid("reason", "is missing; say why, for whoever asked");
        }
        check_reason(vote.reason.as_deref())?;
        if vote.verdict == Verdict::Grant {
            self.nobodys_own(&self.show(scope, vote.approval).await?, &by.name).await?;
        }
        let voted = self.store.vote(scope, &vote, by).await?;
        self.done(vote.approval, voted)
    }

    /// The store knows whoever asked by name alone. Nobody gives what is about himself, or what he asked for by a token.
    async fn nobodys_own(&self, approval: &ApprovalRow, voter: &str) -> Result<(), ApprovalError> {
        if rules::is_about(approval, voter) {
            return Err(ApprovalError::Vote(VoteRefusal::Subject));
        }
        let Some(service) = approval.author.strip_prefix("service:") else { return Ok(()) };
        let token = self.store.token(&Which::Name(service.to_owned())).await?;
        match token.is_some_and(|(token, _)| token.created_by == voter) {
            true => Err(ApprovalError::Vote(VoteRefusal::Maker(approval.author.clone()))),
            false => Ok(()),
        }
    }

    /// `may_give`: whether whoever asks could have given it. Else only its author takes it back.
    pub async fn withdraw(
        &self,
        scope: &Scope,
        id: ApprovalId,
        reason: &str,
        by: &Actor,
        may_give: bool,
    ) -> Result<ApprovalRow, ApprovalError> {
        check_reason(Some(reason))?;
        if self.show(scope, id).await?.author != by.name && !may_give {
            return Err(ApprovalError::Vote(VoteRefusal::NotYours));
        }
        let withdrawn = self.store.withdraw(scope, id, reason, by).await?;
        self.done(id, withdrawn)
    }

    fn done(&self, id: ApprovalId, voted: Voted) -> Result<ApprovalRow, ApprovalError> {
        match voted {
            Voted::Unknown => Err(ApprovalError::Unknown(id)),
            Voted::Refused(refusal) => Err(ApprovalError::Vote(refusal)),
            Voted::Done(approval, woken) => {
                for queue in woken {
                    self.wake.wake(&queue);
                }
                // A job that was let go may be due only later.
                self.wake.due();
                self.wake.news();
                Ok(*approval)
            }
        }
    }
}

/// In one form, so that the same deed always makes the same bytes.
fn bytes(action: Action, mut what: Value) -> String {
    what["action"] = action.name().into();
    let text = what.to_string();
    canonical(&text).unwrap_or(text)
}

fn check_reason(reason: Option<&str>) -> Result<(), ApprovalError> {
    match reason {
        Some(reason) if reason.trim().is_empty() => invalid("reason", "says nothing; say why"),
        Some(reason) if reason.chars().count() > LONGEST_REASON => {
            invalid("reason", "is longer than 1,000 letters")
        }
        Some(reason) if reason.contains('\0') => invalid("reason", "must not have NUL in it"),
        _ => Ok(()),
    }
}

fn invalid<T>(field: &'static str, problem: impl Into<String>) -> Result<T, ApprovalError> {
    Err(ApprovalError::Invalid { field, problem: problem.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_deed_makes_the_same_bytes_and_another_others() {
        let [a, b] = [json!({ "id": "1", "role": "owner" }), json!({ "role": "owner", "id": "1" })];
        assert_eq!(bytes(Action::UsersSetRole, a.clone()), bytes(Action::UsersSetRole, b));
        assert_ne!(bytes(Action::UsersSetRole, a.clone()), bytes(Action::ModelsPromote, a.clone()));
        let other = json!({ "id": "2", "role": "owner" });
        assert_ne!(bytes(Action::UsersSetRole, a), bytes(Action::UsersSetRole, other));
    }
}
