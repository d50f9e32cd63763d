-- running -> completed, cancelled or discarded, with a row for the attempt.
-- Index: job_pkey, one look-up per report.
WITH ended AS (
    DELETE FROM compline.job j
    USING unnest($3::uuid[], $4::integer[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[])
        AS r (id, fence, next, ran_us, result, error, log)
    WHERE j.id = r.id AND j.fence = r.fence AND j.state = 'running' AND j.worker = $2
    RETURNING j.*, r.next, r.ran_us, r.result, r.error, r.log
),
history AS (
    INSERT INTO compline.job_history
        (id, state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at, claimed_at, finished_at,
         ran_us, kind, queue, args, unique_key, unique_release, tenant, tags, metadata, lane, result, error)
    SELECT id, next::compline.job_state, fence, worker, attempt, max_attempts, budget, priority, run_at, created_at,
           claimed_at, coalesce($1::timestamptz, now()), ran_us, kind, queue, args, unique_key, unique_release, tenant, tags,
           metadata, lane, result::json, error
    FROM ended
),
attempts AS (
    INSERT INTO compline.job_attempt
        (job_id, fence, attempt, ending, worker, claimed_at, finished_at, ran_us, error, log)
    SELECT id, fence, attempt, next, worker, claimed_at, coalesce($1::timestamptz, now()), ran_us, error,
           log::json
    FROM ended
),
requests AS (DELETE FROM compline.cancel_request c USING ended e WHERE c.job_id = e.id),
keys AS (
    DELETE FROM compline.unique_key k USING ended e
    WHERE e.unique_key IS NOT NULL AND k.key = e.unique_key AND k.job_id = e.id
      AND (k.release = 'at_end' OR (k.release = 'unless_completed' AND e.next <> 'completed'))
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'worker:' || $2, 'job.finish', 'job', next, array_agg(id)
    FROM ended GROUP BY next
),
news AS (
    INSERT INTO compline.alert_news (at, key, rule, change, severity, kind, queue, text, count, jobs)
    SELECT coalesce($1::timestamptz, now()), 'job.discarded/' || kind || '/' || queue, 'job.discarded', 'happened',
           'warning', kind, queue,
           'jobs of kind ' || kind || ' on queue ' || queue || ' were discarded; a person must decide', count(*),
           (array_agg(id ORDER BY id))[1:10]
    FROM ended WHERE next = 'discarded' GROUP BY kind, queue
)
SELECT id, next, has_dependents FROM ended
