-- Any live state -> cancelled or discarded, without an attempt's report. $2 ids, $3 states it may be in,
-- $4 next state, $5 reason. Index: job_pkey.
WITH ended AS (
    DELETE FROM compline.job WHERE id = ANY ($2::uuid[]) AND state::text = ANY ($3::text[])
    RETURNING *
),
history AS (
    INSERT INTO compline.job_history
        (id, state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at, claimed_at, finished_at,
         kind, queue, args, unique_key, unique_release, tenant, tags, metadata, lane, error)
    SELECT id, $4::compline.job_state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at,
           claimed_at, coalesce($1::timestamptz, now()), kind, queue, args, unique_key, unique_release, tenant, tags, metadata,
           lane, $5
    FROM ended
),
requests AS (DELETE FROM compline.cancel_request c USING ended e WHERE c.job_id = e.id),
keys AS (
    DELETE FROM compline.unique_key k USING ended e
    WHERE e.unique_key IS NOT NULL AND k.key = e.unique_key AND k.job_id = e.id
      AND k.release IN ('at_end', 'unless_completed')
),
edges AS (
    DELETE FROM compline.job_dependency d USING ended e WHERE d.child = e.id
),
-- Nobody need decide on what is not to be done any more.
approvals AS (
    UPDATE compline.approval a
    SET state = 'withdrawn', ended_at = coalesce($1::timestamptz, now()), reason = 'its job ended'
    FROM ended e WHERE a.job_id = e.id AND a.state = 'pending'
    RETURNING a.id, a.job_id, a.tenant, a.action, a.sha256, a.author
),
withdrawn AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, details)
    SELECT coalesce($1::timestamptz, now()), 'system', 'approval.withdraw', 'approval:' || id, 'ok', tenant,
           json_build_object('of', action, 'sha256', encode(sha256, 'hex'), 'author', author, 'job', job_id,
                             'reason', 'its job ended')
    FROM approvals
),
news AS (
    INSERT INTO compline.alert_news (at, key, rule, change, severity, kind, queue, text, count, jobs)
    SELECT coalesce($1::timestamptz, now()), 'job.discarded/' || kind || '/' || queue, 'job.discarded', 'happened',
           'warning', kind, queue,
           'jobs of kind ' || kind || ' on queue ' || queue || ' were discarded; a person must decide', count(*),
           (array_agg(id ORDER BY id))[1:10]
    FROM ended WHERE $4::text = 'discarded' GROUP BY kind, queue
)
SELECT id, has_dependents FROM ended ORDER BY id
