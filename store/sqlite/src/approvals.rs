//! Approvals: asked for, voted on, used once.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{JobId, Origin};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::ending::{self, Ending, Links};
use super::row::{RowExt, bound, hex_list, micros};
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, alerts, audit};
use store::approvals::judge::{self, After, VoteRefusal};
use store::approvals::{
    ApprovalFilter, ApprovalId, ApprovalRow, ApprovalState, Approvals, Ended, KeptVote, NewApproval, NewVote,
    RUN, VoteRow, Voted, digest, expired_news, job_ended_by, never_approved as why_never, told, told_asked,
};
use store::state::JobState;
use store::{Actor, Demand, JobDemand, Result, Scope, StoreError, Verdict};

const LOOKING: &str = "looking at approvals";
const VOTING: &str = "voting on an approval";
pub(super) const LIST: &str = include_str!("approvals.sql");
pub(super) const ONE: &str = include_str!("approval.sql");
pub(super) const ALIKE: &str = include_str!("approval_open.sql");
pub(super) const OVER: &str = include_str!("approvals_over.sql");
pub(super) const OPEN: &str = include_str!("approvals_open.sql");
pub(super) const OF_JOBS: &str = include_str!("approvals_of_jobs.sql");
pub(super) const USE: &str = include_str!("approval_use.sql");
pub(super) const NEVER_APPROVED: &str = include_str!("never_approved.sql");
const INSERT: &str = include_str!("approval_insert.sql");
const END: &str = include_str!("approval_end.sql");
const VOTE: &str = include_str!("approval_vote.sql");
const JOB_WHAT: &str = include_str!("job_what.sql");

#[async_trait]
impl Approvals for SqliteStore {
    async fn ask(&self, asked: &NewApproval, by: &Actor) -> Result<ApprovalRow> {
        let (asked, by) = (asked.clone(), by.clone());
        self.write("asking for an approval", move |tx, now| {
            async move { ask(tx, now, &asked, &by).await }.boxed()
        })
        .await
    }

    async fn approval(&self, scope: &Scope, id: ApprovalId) -> Result<Option<ApprovalRow>> {
        let found = self.read(LOOKING, async |connection| find(connection, id).await).await?;
        Ok(found.filter(|approval| scope.covers(approval.tenant.as_deref())))
    }

    async fn approval_of(&self, scope: &Scope, job: JobId) -> Result<Option<ApprovalRow>> {
        let wanted = Wanted { job: Some(job.0), limit: 1, ..Wanted::within(scope) };
        Ok(self.read(LOOKING, async |connection| list(connection, wanted).await).await?.pop())
    }

    async fn approvals(&self, scope: &Scope, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>> {
        let states: Vec<_> = filter.states.iter().map(|state| state.name()).collect();
        let wanted = Wanted {
            states: (!states.is_empty()).then(|| json!(states).to_string()),
            actions: (!filter.actions.is_empty()).then(|| json!(filter.actions).to_string()),
            before: filter.before.map(|id| id.0),
            limit: i64::try_from(filter.limit).unwrap_or(i64::MAX),
            ..Wanted::within(scope)
        };
        self.read(LOOKING, async |connection| list(connection, wanted).await).await
    }

    async fn vote(&self, scope: &Scope, vote: &NewVote, by: &Actor) -> Result<Voted> {
        let (scope, vote, by) = (scope.clone(), vote.clone(), by.clone());
        self.write(VOTING, move |tx, now| async move { cast(tx, &scope, now, &vote, &by).await }.boxed())
            .await
    }

    async fn withdraw(&self, scope: &Scope, id: ApprovalId, reason: &str, by: &Actor) -> Result<Voted> {
        let (scope, reason, by) = (scope.clone(), reason.to_owned(), by.clone());
        self.write("taking back an approval", move |tx, now| {
            async move { withdraw(tx, &scope, now, id, &reason, &by).await }.boxed()
        })
        .await
    }

    async fn expire_approvals(&self, limit: usize) -> Result<Ended> {
        self.write("ending approvals whose time is over", move |tx, now| {
            async move { expire(tx, now, limit).await }.boxed()
        })
        .await
    }

    async fn approvals_open(&self) -> Result<(u64, Option<Timestamp>)> {
        self.read(LOOKING, async |connection| {
            let row = sqlx::query(OPEN).fetch_one(connection).await?;
            Ok((row.small("open")?, row.time_if_any("first")?))
        })
        .await
    }
}

/// What a listing asks for; nothing is no condition.
#[derive(Default)]
struct Wanted {
    scope: Option<String>,
    job: Option<Uuid>,
    states: Option<String>,
    actions: Option<String>,
    before: Option<Uuid>,
    limit: i64,
}

impl Wanted {
    fn within(scope: &Scope) -> Self {
        Self { scope: bound(scope), ..Self::default() }
    }
}

async fn list(connection: &mut SqliteConnection, wanted: Wanted) -> Done<Vec<ApprovalRow>> {
    let rows = sqlx::query(LIST)
        .bind(wanted.scope)
        .bind(wanted.job)
        .bind(wanted.states)
        .bind(wanted.actions)
        .bind(wanted.before)
        .bind(wanted.limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(approval_row).collect()
}

async fn find(connection: &mut SqliteConnection, id: ApprovalId) -> Done<Option<ApprovalRow>> {
    let row = sqlx::query(ONE).bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(approval_row).transpose()
}

async fn within(tx: &mut Tx, scope: &Scope, id: ApprovalId) -> Done<Option<ApprovalRow>> {
    Ok(find(tx, id).await?.filter(|approval| scope.covers(approval.tenant.as_deref())))
}

async fn ask(tx: &mut Tx, now: i64, asked: &NewApproval, by: &Actor) -> Done<ApprovalRow> {
    let open = sqlx::query(ALIKE)
        .bind(now)
        .bind(by.name.clone())
        .bind(asked.action.clone())
        .bind(asked.what.clone())
        .bind(asked.tenant.clone())
        .bind(i64::from(asked.demand.people))
        .bind(asked.demand.permission.clone())
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(open) = open {
        let id = ApprovalId(open.try_get("id")?);
        return find(tx, id).await?.ok_or_else(|| sqlx::Error::RowNotFound.into());
    }
    write(tx, now, asked, None, &by.name).await?;
    let approval = find(tx, asked.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    audit::entry(tx, now, &told_asked(by, &approval)).await?;
    Ok(approval)
}

async fn write(tx: &mut Tx, now: i64, asked: &NewApproval, job: Option<JobId>, author: &str) -> Done<()> {
    let NewApproval { id, action, what, salt, tenant, demand: Demand { people, permission, expires } } =
        asked;
    sqlx::query(INSERT)
        .bind(id.0)
        .bind(action.clone())
        .bind(what.clone())
        .bind(salt.to_vec())
        .bind(digest(salt, what).to_vec())
        .bind(tenant.clone())
        .bind(author.to_owned())
        .bind(now)
        .bind(now.saturating_add(micros(*expires)))
        .bind(i64::from(*people))
        .bind(permission.clone())
        .bind(job.map(|job| job.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// A job that was inserted to wait is asked for. Behind a schedule stands whoever said what it does.
pub(super) async fn ask_for_job(
    tx: &mut Tx,
    now: i64,
    job: JobId,
    asked: &JobDemand,
    by: &Actor,
) -> Done<()> {
    let row = sqlx::query(JOB_WHAT).bind(job.0).fetch_one(&mut *tx).await?;
    let salt: Vec<u8> = row.try_get("salt")?;
    let new = NewApproval {
        id: asked.id,
        action: RUN.into(),
        what: row.text("what")?,
        salt: salt.try_into().unwrap_or_default(),
        tenant: row.text_if_any("tenant")?,
        demand: asked.demand.clone(),
    };
    let put_by = match by.name.strip_prefix("schedule:") {
        None => None,
        Some(name) => {
            let sql = "SELECT put_by FROM schedule WHERE name = ?1";
            let row = sqlx::query(sql).bind(name.to_owned()).fetch_optional(&mut *tx).await?;
            row.map(|row| row.text_if_any("put_by")).transpose()?.flatten()
        }
    };
    write(tx, now, &new, Some(job), put_by.as_deref().unwrap_or(&by.name)).await?;
    let approval = find(tx, asked.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    audit::entry(tx, now, &told_asked(by, &approval)).await
}

/// Before the entry of what is done by leave of an approval: it is used in that transaction, or nothing is done.
pub(super) async fn use_up(tx: &mut Tx, now: i64, by: &Actor) -> Done<()> {
    let Some(id) = by.origin.approval.map(ApprovalId) else { return Ok(()) };
    let used = sqlx::query(USE).bind(now).bind(id.0).execute(&mut *tx).await?;
    let approval = match used.rows_affected() {
        0 => None,
        _ => find(tx, id).await?,
    };
    let approval = approval.ok_or(StoreError::Unapproved(id))?;
    let by = Actor::with_origin(by.name.clone(), Origin { approval: None, ..by.origin.clone() });
    audit::row(tx, now, &told(&by, "use", &approval, Value::Null), &[]).await
}

async fn cast(tx: &mut Tx, scope: &Scope, now: i64, vote: &NewVote, by: &Actor) -> Done<Voted> {
    let Some(approval) = within(tx, scope, vote.approval).await? else { return Ok(Voted::Unknown) };
    let seen = vote.sha256.as_deref();
    let after = match judge::vote(&approval, &by.name, vote.verdict, seen, moment(now)?) {
        Ok(after) => after,
        Err(refusal) => return Ok(Voted::Refused(refusal)),
    };
    if let Some(job) = approval.job
        && vote.verdict == Verdict::Grant
        && !is_as_shown(tx, job, &approval).await?
    {
        let why = json!({ "why": "the job's row is not what was shown" });
        audit::entry(tx, now, &told(by, "grant", &approval, why)).await?;
        return Ok(Voted::Refused(VoteRefusal::Changed));
    }
    sqlx::query(VOTE)
        .bind(approval.id.0)
        .bind(by.name.clone())
        .bind(vote.verdict.name())
        .bind(vote.reason.clone())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let said = json!({ "reason": vote.reason });
    audit::entry(tx, now, &told(by, vote.verdict.name(), &approval, said)).await?;
    let mut woken = BTreeSet::new();
    match (after, approval.job) {
        (After::Pending, _) => {}
        (After::Granted, None) => end(tx, now, approval.id, ApprovalState::Granted, None).await?,
        (After::Granted, Some(job)) => {
            end(tx, now, approval.id, ApprovalState::Used, None).await?;
            audit::entry(tx, now, &told(by, "use", &approval, Value::Null)).await?;
            ending::free(tx, now, [(job, 1)], &mut woken).await?;
        }
        (After::Refused, job) => {
            end(tx, now, approval.id, ApprovalState::Refused, vote.reason.as_deref()).await?;
            woken = end_job(tx, now, approval.id, job, ApprovalState::Refused, by).await?;
        }
    }
    answer(tx, approval.id, woken).await
}

async fn answer(tx: &mut Tx, id: ApprovalId, woken: BTreeSet<String>) -> Done<Voted> {
    let approval = find(tx, id).await?;
    let woken = woken.into_iter().collect();
    Ok(approval.map_or(Voted::Unknown, |approval| Voted::Done(Box::new(approval), woken)))
}

async fn is_as_shown(tx: &mut Tx, job: JobId, approval: &ApprovalRow) -> Done<bool> {
    let row = sqlx::query(JOB_WHAT).bind(job.0).fetch_optional(tx).await?;
    let what = row.map(|row| row.text("what")).transpose()?;
    Ok(what.is_some_and(|what| digest(&approval.salt, &what).as_slice() == approval.sha256))
}

async fn end(tx: &mut Tx, now: i64, id: ApprovalId, state: ApprovalState, reason: Option<&str>) -> Done<()> {
    let reason = reason.map(str::to_owned);
    sqlx::query(END).bind(now).bind(id.0).bind(state.name()).bind(reason).execute(tx).await?;
    Ok(())
}

/// The job that waited is cancelled with those that wait for it; queues that got a job by it.
async fn end_job(
    tx: &mut Tx,
    now: i64,
    id: ApprovalId,
    job: Option<JobId>,
    state: ApprovalState,
    by: &Actor,
) -> Done<BTreeSet<String>> {
    let Some(job) = job else { return Ok(BTreeSet::new()) };
    let rows = sqlx::query(ending::LINKS).bind(hex_list([job])).fetch_all(&mut *tx).await?;
    let mut endings = Vec::new();
    // Only one that waits is there to be cancelled.
    for row in rows.iter().filter(|row| row.try_get("has_parents").unwrap_or(false)) {
        let links = Links {
            has_dependents: row.try_get("has_dependents")?,
            has_key: row.try_get("has_key")?,
            has_parents: true,
            has_cancel_request: false,
        };
        let reason = job_ended_by(id, state, &by.name);
        endings.push(Ending::new(job, JobState::Cancelled, Some(reason), links));
    }
    let ended = !endings.is_empty();
    let woken = ending::end(tx, now, None, endings).await?;
    if ended {
        audit::transition(tx, now, by, "job.cancel", "job", "ok", &[job]).await?;
    }
    Ok(woken)
}

/// Nobody need decide on what is not to be done any more.
pub(super) async fn withdraw_of(tx: &mut Tx, now: i64, jobs: String) -> Done<()> {
    const WHY: &str = "its job ended";
    for row in &sqlx::query(OF_JOBS).bind(jobs).fetch_all(&mut *tx).await? {
        let id = ApprovalId(row.try_get("id")?);
        if row.text("state")? != ApprovalState::Pending.name() {
            continue;
        }
        let Some(approval) = find(tx, id).await? else { continue };
        end(tx, now, id, ApprovalState::Withdrawn, Some(WHY)).await?;
        let entry = told(&Actor::system(), "withdraw", &approval, json!({ "reason": WHY }));
        audit::entry(tx, now, &entry).await?;
    }
    Ok(())
}

async fn withdraw(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    id: ApprovalId,
    reason: &str,
    by: &Actor,
) -> Done<Voted> {
    let Some(approval) = within(tx, scope, id).await? else { return Ok(Voted::Unknown) };
    if let Err(refusal) = judge::open(&approval, moment(now)?) {
        return Ok(Voted::Refused(refusal));
    }
    end(tx, now, id, ApprovalState::Withdrawn, Some(reason)).await?;
    audit::entry(tx, now, &told(by, "withdraw", &approval, json!({ "reason": reason }))).await?;
    let woken = end_job(tx, now, id, approval.job, ApprovalState::Withdrawn, by).await?;
    answer(tx, id, woken).await
}

async fn expire(tx: &mut Tx, now: i64, limit: usize) -> Done<Ended> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let over = sqlx::query(OVER).bind(now).bind(limit).fetch_all(&mut *tx).await?;
    let (mut ended, by) = (Ended::default(), Actor::system());
    for row in &over {
        let id = ApprovalId(row.try_get("id")?);
        let Some(approval) = find(tx, id).await? else { continue };
        end(tx, now, id, ApprovalState::Expired, None).await?;
        audit::entry(tx, now, &told(&by, "expire", &approval, Value::Null)).await?;
        alerts::raise(tx, now, &[expired_news(&approval)]).await?;
        ended.woken.extend(end_job(tx, now, id, approval.job, ApprovalState::Expired, &by).await?);
        ended.ids.push(id);
    }
    Ok(ended)
}

/// Jobs among these that were never approved, each with why it is not run again.
pub(super) async fn never_approved(tx: &mut Tx, jobs: String) -> Done<Vec<(JobId, String)>> {
    let rows = sqlx::query(NEVER_APPROVED).bind(jobs).fetch_all(tx).await?;
    let told = |row: &SqliteRow| {
        let id = row.try_get::<Option<Uuid>, _>("id")?.map(ApprovalId);
        let state = row.text_if_any("state")?.and_then(|state| state.parse().ok());
        Ok((row.id("job_id")?, why_never(id.zip(state))))
    };
    rows.iter().map(told).collect()
}

fn moment(now: i64) -> Done<Timestamp> {
    Timestamp::from_microsecond(now).map_err(|cause| unreadable(cause.to_string()))
}

fn unreadable(problem: String) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem.into()))
}

fn approval_row(row: &SqliteRow) -> Done<ApprovalRow> {
    let votes: Option<Vec<KeptVote>> = row.json_if_any("votes")?;
    let vote = |vote| VoteRow::kept(vote).map_err(unreadable);
    Ok(ApprovalRow {
        id: ApprovalId(row.try_get("id")?),
        action: row.text("action")?,
        what: row.text("what")?,
        salt: row.try_get("salt")?,
        sha256: row.try_get("sha256")?,
        tenant: row.text_if_any("tenant")?,
        author: row.text("author")?,
        people: row.small("people")?,
        permission: row.text("permission")?,
        job: row.try_get::<Option<Uuid>, _>("job_id")?.map(JobId),
        state: row.text("state")?.parse().map_err(unreadable)?,
        asked_at: row.time("asked_at")?,
        expires_at: row.time("expires_at")?,
        ended_at: row.time_if_any("ended_at")?,
        reason: row.text_if_any("reason")?,
        votes: votes.unwrap_or_default().into_iter().map(vote).collect::<Done<_>>()?,
    })
}
