//! Approvals: asked for, voted on, used once.

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{JobId, Origin};
use serde_json::{Value, json};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use super::rows::{self, Micros, count, micros};
use super::tenants::Asker;
use super::{LONG, PostgresStore, alerts, audit_log, change, contention, failed, within};
use store::approvals::judge::{self, After, VoteRefusal};
use store::approvals::{
    ApprovalFilter, ApprovalId, ApprovalRow, ApprovalState, Approvals, Ended, KeptVote, NewApproval, NewVote,
    VoteRow, Voted, digest, expired_news, job_ended_by, told, told_asked,
};
use store::state::JobState;
use store::{Actor, JobDemand, Result, Scope, StoreError, Verdict};

const ASKING: &str = "asking for an approval";
const LOOKING: &str = "looking at approvals";
const VOTING: &str = "voting on an approval";
const USING: &str = "using an approval";
const EXPIRING: &str = "ending approvals whose time is over";

/// What a listing asks for; nothing is no condition.
#[derive(Default)]
struct Wanted {
    scope: Option<String>,
    id: Option<Uuid>,
    job: Option<Uuid>,
    states: Option<Vec<&'static str>>,
    actions: Option<Vec<String>>,
    before: Option<Uuid>,
    limit: i64,
}

impl Wanted {
    fn one(scope: Option<&str>, id: ApprovalId) -> Self {
        Self { scope: scope.map(str::to_owned), id: Some(id.0), limit: 1, ..Self::default() }
    }

    fn query(self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(include_str!("approvals.sql"))
            .bind(self.scope)
            .bind(self.id)
            .bind(self.job)
            .bind(self.states)
            .bind(self.actions)
            .bind(self.before)
            .bind(self.limit)
    }
}

#[async_trait]
impl Approvals for PostgresStore {
    async fn ask(&self, asked: &NewApproval, by: &Actor) -> Result<ApprovalRow> {
        let ask = contention::patiently(ASKING, || ask(self, asked, by).boxed());
        within(LONG, ASKING, ask).await
    }

    async fn approval(&self, scope: &Scope, id: ApprovalId) -> Result<Option<ApprovalRow>> {
        Ok(self.list_approvals(scope, Wanted::one(scope.bound(), id)).await?.pop())
    }

    async fn approval_of(&self, scope: &Scope, job: JobId) -> Result<Option<ApprovalRow>> {
        let scoped = scope.bound().map(str::to_owned);
        let wanted = Wanted { scope: scoped, job: Some(job.0), limit: 1, ..Wanted::default() };
        Ok(self.list_approvals(scope, wanted).await?.pop())
    }

    async fn approvals(&self, scope: &Scope, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>> {
        let states: Vec<_> = filter.states.iter().map(|state| state.name()).collect();
        let wanted = Wanted {
            scope: scope.bound().map(str::to_owned),
            states: (!states.is_empty()).then_some(states),
            actions: (!filter.actions.is_empty()).then(|| filter.actions.clone()),
            before: filter.before.map(|id| id.0),
            limit: count(filter.limit),
            ..Wanted::default()
        };
        self.list_approvals(scope, wanted).await
    }

    async fn vote(&self, scope: &Scope, vote: &NewVote, by: &Actor) -> Result<Voted> {
        let asker = self.asker(scope).await?;
        let voted = contention::patiently(VOTING, || cast(self, &asker, vote, by).boxed());
        within(LONG, VOTING, voted).await
    }

    async fn withdraw(&self, scope: &Scope, id: ApprovalId, reason: &str, by: &Actor) -> Result<Voted> {
        let asker = self.asker(scope).await?;
        let withdrawn = contention::patiently(VOTING, || withdraw(self, &asker, id, reason, by).boxed());
        within(LONG, VOTING, withdrawn).await
    }

    async fn expire_approvals(&self, limit: usize) -> Result<Ended> {
        let expired = contention::patiently(EXPIRING, || expire(self, limit).boxed());
        within(LONG, EXPIRING, expired).await
    }

    async fn approvals_open(&self) -> Result<(u64, Option<Timestamp>)> {
        let open = async {
            let row = sqlx::query(include_str!("approvals_open.sql")).fetch_one(&self.cold).await;
            row.map_err(failed(LOOKING))
        };
        let row = self.answered(LOOKING, open).await?;
        let first: Option<Micros> = row.get("first");
        Ok((row.get::<i64, _>("open").unsigned_abs(), first.map(Timestamp::from)))
    }
}

impl PostgresStore {
    async fn list_approvals(&self, scope: &Scope, wanted: Wanted) -> Result<Vec<ApprovalRow>> {
        let listed = async {
            let mut reader = self.reader(scope).await?;
            let rows = reader.all(wanted.query()).await.map_err(failed(LOOKING))?;
            reader.done().await.map_err(failed(LOOKING))?;
            rows.iter().map(approval_row).collect::<sqlx::Result<_>>().map_err(failed(LOOKING))
        };
        within(LONG, LOOKING, listed).await
    }
}

async fn ask(store: &PostgresStore, asked: &NewApproval, by: &Actor) -> Result<ApprovalRow> {
    let mut session = store.cold.acquire().await.map_err(failed(ASKING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(ASKING))?;
    let row = sqlx::query(include_str!("approval_insert.sql"))
        .bind(store.time())
        .bind(asked.id.0)
        .bind(&asked.action)
        .bind(&asked.what)
        .bind(asked.salt.as_slice())
        .bind(digest(&asked.salt, &asked.what).as_slice())
        .bind(&by.name)
        .bind(&asked.tenant)
        .bind(micros(asked.demand.expires))
        .bind(i16::from(asked.demand.people))
        .bind(&asked.demand.permission)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed(ASKING))?;
    let approval = find(&mut tx, None, ApprovalId(row.get("id"))).await?;
    let approval = approval.ok_or_else(|| failed(ASKING)(sqlx::Error::RowNotFound))?;
    if row.get("fresh") {
        audit_log::append_on(&mut tx, store.time(), &told_asked(by, &approval)).await?;
    }
    tx.commit().await.map_err(failed(ASKING))?;
    session.keep();
    Ok(approval)
}

/// A job that was inserted to wait is asked for. One statement, the same that SQL callers go through.
pub async fn ask_for_job(
    tx: &mut PgConnection,
    time: Option<Micros>,
    job: JobId,
    asked: &JobDemand,
    by: &Actor,
) -> Result<()> {
    sqlx::query("SELECT compline.ask_for_job($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(time)
        .bind(asked.id.0)
        .bind(job.0)
        .bind(&by.name)
        .bind(&by.origin.request)
        .bind(&by.origin.source)
        .bind(i16::from(asked.demand.people))
        .bind(&asked.demand.permission)
        .bind(micros(asked.demand.expires))
        .execute(tx)
        .await
        .map_err(failed(ASKING))?;
    Ok(())
}

/// Before the entry of what is done by leave of an approval: it is used in that transaction, or nothing is done.
pub async fn use_up(tx: &mut PgConnection, time: Option<Micros>, actor: &str, origin: &Origin) -> Result<()> {
    let Some(id) = origin.approval.map(ApprovalId) else { return Ok(()) };
    let used = sqlx::query(include_str!("approval_use.sql"))
        .bind(time)
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(USING))?;
    let approval = match used {
        Some(_) => find(tx, None, id).await?,
        None => None,
    };
    let approval = approval.ok_or(StoreError::Unapproved(id))?;
    let by = Actor::with_origin(actor, Origin { approval: None, ..origin.clone() });
    audit_log::put(tx, time, &told(&by, "use", &approval, Value::Null), &[]).await
}

async fn find(tx: &mut PgConnection, scope: Option<&str>, id: ApprovalId) -> Result<Option<ApprovalRow>> {
    let row = Wanted::one(scope, id).query().fetch_optional(tx).await.map_err(failed(LOOKING))?;
    row.as_ref().map(approval_row).transpose().map_err(failed(LOOKING))
}

/// Locked, if it is within; its job first, as whoever cancels one locks that first.
async fn hold(tx: &mut PgConnection, asker: &Asker<'_>, id: ApprovalId) -> Result<Option<ApprovalRow>> {
    asker.hold(tx).await?;
    let seen = find(tx, asker.bound(), id).await?;
    asker.let_go(tx).await?;
    let Some(seen) = seen else { return Ok(None) };
    if let Some(job) = seen.job {
        let lock = "SELECT FROM compline.job WHERE id = $1 FOR UPDATE";
        sqlx::query(lock).bind(job.0).execute(&mut *tx).await.map_err(failed(VOTING))?;
    }
    let lock = "SELECT FROM compline.approval WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(id.0).execute(&mut *tx).await.map_err(failed(VOTING))?;
    // What others committed meanwhile is seen by the next statement.
    find(tx, None, id).await
}

async fn now(tx: &mut PgConnection, time: Option<Micros>) -> Result<Timestamp> {
    let now: Micros = sqlx::query_scalar("SELECT coalesce($1::timestamptz, now())")
        .bind(time)
        .fetch_one(tx)
        .await
        .map_err(failed(VOTING))?;
    Ok(now.into())
}

async fn cast(store: &PostgresStore, asker: &Asker<'_>, vote: &NewVote, by: &Actor) -> Result<Voted> {
    let mut session = store.cold.acquire().await.map_err(failed(VOTING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(VOTING))?;
    let voted = cast_within(&mut tx, asker, store.time(), vote, by).await?;
    tx.commit().await.map_err(failed(VOTING))?;
    session.keep();
    Ok(voted)
}

async fn cast_within(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    time: Option<Micros>,
    vote: &NewVote,
    by: &Actor,
) -> Result<Voted> {
    let Some(approval) = hold(tx, asker, vote.approval).await? else { return Ok(Voted::Unknown) };
    let now = now(tx, time).await?;
    let after = match judge::vote(&approval, &by.name, vote.verdict, vote.sha256.as_deref(), now) {
        Ok(after) => after,
        Err(refusal) => return Ok(Voted::Refused(refusal)),
    };
    if let Some(job) = approval.job
        && vote.verdict == Verdict::Grant
        && !is_as_shown(tx, job, &approval).await?
    {
        let why = json!({ "why": "the job's row is not what was shown" });
        audit_log::append_on(tx, time, &told(by, "grant", &approval, why)).await?;
        return Ok(Voted::Refused(VoteRefusal::Changed));
    }
    sqlx::query(
        "INSERT INTO compline.approval_vote (approval_id, voter, verdict, reason, at)
         VALUES ($2, $3, $4, $5, coalesce($1::timestamptz, now()))",
    )
    .bind(time)
    .bind(approval.id.0)
    .bind(&by.name)
    .bind(vote.verdict.name())
    .bind(&vote.reason)
    .execute(&mut *tx)
    .await
    .map_err(failed(VOTING))?;
    let said = json!({ "reason": vote.reason });
    audit_log::append_on(tx, time, &told(by, vote.verdict.name(), &approval, said)).await?;
    let mut woken = Vec::new();
    match (after, approval.job) {
        (After::Pending, _) => {}
        (After::Granted, None) => end(tx, time, approval.id, ApprovalState::Granted, None).await?,
        (After::Granted, Some(job)) => {
            end(tx, time, approval.id, ApprovalState::Used, None).await?;
            audit_log::append_on(tx, time, &told(by, "use", &approval, Value::Null)).await?;
            change::free(tx, time, &[job.0], &[1], &mut woken).await?;
        }
        (After::Refused, job) => {
            end(tx, time, approval.id, ApprovalState::Refused, vote.reason.as_deref()).await?;
            woken = end_job(tx, time, approval.id, job, ApprovalState::Refused, by).await?;
        }
    }
    answer(tx, approval.id, woken).await
}

async fn answer(tx: &mut PgConnection, id: ApprovalId, woken: Vec<String>) -> Result<Voted> {
    let approval = find(tx, None, id).await?;
    Ok(approval.map_or(Voted::Unknown, |approval| Voted::Done(Box::new(approval), woken)))
}

async fn is_as_shown(tx: &mut PgConnection, job: JobId, approval: &ApprovalRow) -> Result<bool> {
    let what: Option<String> = sqlx::query_scalar("SELECT compline.job_what($1)")
        .bind(job.0)
        .fetch_one(tx)
        .await
        .map_err(failed(VOTING))?;
    Ok(what.is_some_and(|what| digest(&approval.salt, &what).as_slice() == approval.sha256))
}

async fn end(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: ApprovalId,
    state: ApprovalState,
    reason: Option<&str>,
) -> Result<()> {
    sqlx::query(include_str!("approval_end.sql"))
        .bind(time)
        .bind(id.0)
        .bind(state.name())
        .bind(reason)
        .execute(tx)
        .await
        .map_err(failed(VOTING))?;
    Ok(())
}

/// The job that waited is cancelled with those that wait for it; queues that got a job by it.
async fn end_job(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: ApprovalId,
    job: Option<JobId>,
    state: ApprovalState,
    by: &Actor,
) -> Result<Vec<String>> {
    let Some(job) = job else { return Ok(Vec::new()) };
    let reason = job_ended_by(id, state, &by.name);
    let from = [JobState::Waiting];
    let ended = change::end_live(tx, time, &[job], &from, JobState::Cancelled, &reason).await?;
    let ids: Vec<Uuid> = ended.ids.iter().map(|id| id.0).collect();
    if !ids.is_empty() {
        super::insert::audit(tx, time, by, "job.cancel", "job", "ok", &ids, None).await?;
    }
    Ok(ended.woken)
}

async fn withdraw(
    store: &PostgresStore,
    asker: &Asker<'_>,
    id: ApprovalId,
    reason: &str,
    by: &Actor,
) -> Result<Voted> {
    let mut session = store.cold.acquire().await.map_err(failed(VOTING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(VOTING))?;
    let Some(approval) = hold(&mut tx, asker, id).await? else { return Ok(Voted::Unknown) };
    if let Err(refusal) = judge::open(&approval, now(&mut tx, store.time()).await?) {
        return Ok(Voted::Refused(refusal));
    }
    end(&mut tx, store.time(), id, ApprovalState::Withdrawn, Some(reason)).await?;
    let said = json!({ "reason": reason });
    audit_log::append_on(&mut tx, store.time(), &told(by, "withdraw", &approval, said)).await?;
    let woken = end_job(&mut tx, store.time(), id, approval.job, ApprovalState::Withdrawn, by).await?;
    let withdrawn = answer(&mut tx, id, woken).await?;
    tx.commit().await.map_err(failed(VOTING))?;
    session.keep();
    Ok(withdrawn)
}

async fn expire(store: &PostgresStore, limit: usize) -> Result<Ended> {
    let mut session = store.cold.acquire().await.map_err(failed(EXPIRING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(EXPIRING))?;
    let time = store.time();
    let over: Vec<Uuid> = sqlx::query_scalar(include_str!("approvals_over.sql"))
        .bind(time)
        .bind(count(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(EXPIRING))?;
    let (mut ended, by) = (Ended::default(), Actor::system());
    for id in over.into_iter().map(ApprovalId) {
        let Some(approval) = find(&mut tx, None, id).await? else { continue };
        end(&mut tx, time, id, ApprovalState::Expired, None).await?;
        audit_log::append_on(&mut tx, time, &told(&by, "expire", &approval, Value::Null)).await?;
        alerts::raise(&mut tx, time, &[expired_news(&approval)]).await?;
        ended.woken.extend(end_job(&mut tx, time, id, approval.job, ApprovalState::Expired, &by).await?);
        ended.ids.push(id);
    }
    tx.commit().await.map_err(failed(EXPIRING))?;
    session.keep();
    Ok(ended)
}

/// Jobs among these that were never approved, each with why it is not run again.
pub async fn never_approved(tx: &mut PgConnection, jobs: &[Uuid]) -> Result<Vec<(JobId, String)>> {
    let found = sqlx::query(include_str!("never_approved.sql"))
        .bind(jobs)
        .fetch_all(tx)
        .await
        .map_err(failed(LOOKING))?;
    let told = |row: &PgRow| {
        let id = row.get::<Option<Uuid>, _>("id").map(ApprovalId);
        let state = row.get::<Option<&str>, _>("state").and_then(|state| state.parse().ok());
        (JobId(row.get("job_id")), store::approvals::never_approved(id.zip(state)))
    };
    Ok(found.iter().map(told).collect())
}

fn approval_row(row: &PgRow) -> sqlx::Result<ApprovalRow> {
    let bad = |problem: String| sqlx::Error::Decode(problem.into());
    let votes: Option<&str> = row.try_get("votes")?;
    let votes: Vec<KeptVote> = votes
        .map(serde_json::from_str)
        .transpose()
        .map_err(|cause| sqlx::Error::Decode(cause.into()))?
        .unwrap_or_default();
    Ok(ApprovalRow {
        id: ApprovalId(row.try_get("id")?),
        action: row.try_get("action")?,
        what: row.try_get("what")?,
        salt: row.try_get("salt")?,
        sha256: row.try_get("sha256")?,
        tenant: row.try_get("tenant")?,
        author: row.try_get("author")?,
        people: u8::try_from(row.try_get::<i16, _>("people")?).unwrap_or(2),
        permission: row.try_get("permission")?,
        job: row.try_get::<Option<Uuid>, _>("job_id")?.map(JobId),
        state: row.try_get::<&str, _>("state")?.parse().map_err(bad)?,
        asked_at: row.try_get::<Micros, _>("asked_at")?.into(),
        expires_at: row.try_get::<Micros, _>("expires_at")?.into(),
        ended_at: rows::time(row, "ended_at")?,
        reason: row.try_get("reason")?,
        votes: votes.into_iter().map(VoteRow::kept).collect::<Result<_, String>>().map_err(bad)?,
    })
}
