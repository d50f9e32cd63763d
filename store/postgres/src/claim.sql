-- available -> running for a batch of one queue, first in rank first. Gives none when a job that is ready has a
-- tenant: then claim_fair.sql has the word. Jobs that are limited are claim_lanes.sql's. Index: job_ready, job_ready_by_tenant.
--
-- Rows are named by ctid, which spares a look-up by key per row; the lock taken below keeps it valid. The
-- shared lock on the worker's row orders this against its rescue: a worker declared dead claims nothing.
-- $5, $6 are where the last full claim ended: dead index entries before it need not be walked again.
WITH alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $2 AND w.ended_at IS NULL FOR SHARE
),
claimed AS (
    UPDATE compline.job j
    SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1, worker = $2,
        claimed_at = coalesce($1::timestamptz, now())
    WHERE j.ctid = ANY (
        CASE
        WHEN NOT EXISTS (SELECT FROM alive)
          OR EXISTS (SELECT FROM compline.queue q WHERE q.name = $3 AND q.paused_at IS NOT NULL
                     AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, now())))
          OR EXISTS (SELECT FROM compline.job t
                     WHERE t.queue = $3 AND t.state = 'available' AND t.tenant IS NOT NULL AND t.lane IS NULL)
        THEN '{}'::tid[]
        ELSE ARRAY(
            SELECT f.ctid FROM compline.job f
            WHERE f.queue = $3 AND f.state = 'available' AND f.tenant IS NULL AND f.lane IS NULL
              AND (f.rank, f.id) > ($5::timestamptz, $6::uuid)
            ORDER BY f.rank, f.id LIMIT $4::bigint
            FOR UPDATE SKIP LOCKED)
        END
    )
    RETURNING j.id, j.fence, j.attempt, j.max_attempts, j.rank, j.kind, j.args, j.tenant, j.tags, j.metadata
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'worker:' || $2, 'job.claim', 'job', 'running', array_agg(id)
    FROM claimed HAVING count(*) > 0
)
SELECT id, fence, attempt, max_attempts, rank, kind, args, tenant, tags, metadata FROM claimed
