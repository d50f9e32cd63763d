-- available -> running for a batch of one queue in which jobs of tenants are ready, by turns. Index: job_ready for
-- jobs without a tenant, job_ready_by_tenant for the others, job_pkey. The rest is as in claim.sql.
--
-- Tenants stand in a ring, and jobs without one are the tenant ''. $5 had the last turn; the ring is walked from
-- behind it and no further than $6: as many as jobs are wanted, and more for those that others are just claiming.
WITH RECURSIVE
alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $2 AND w.ended_at IS NULL FOR SHARE
),
open AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM alive)
       AND NOT EXISTS (SELECT FROM compline.queue q WHERE q.name = $3 AND q.paused_at IS NOT NULL
                       AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, now()))) AS yes
),
ahead (tenant, place) AS (
    (SELECT j.tenant, 1::bigint FROM compline.job j
     WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.tenant > $5::text
     ORDER BY j.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.tenant > a.tenant
            ORDER BY j.tenant LIMIT 1), a.place + 1
    FROM ahead a WHERE a.tenant IS NOT NULL AND a.place < $6::bigint
),
around (tenant, place) AS (
    SELECT '' COLLATE "C", f.place FROM (SELECT 1 + count(tenant) AS place FROM ahead) f
    WHERE f.place <= $6::bigint
    UNION ALL
    SELECT (SELECT j.tenant FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.tenant > a.tenant
              AND j.tenant <= $5::text
            ORDER BY j.tenant LIMIT 1), a.place + 1
    FROM around a WHERE a.tenant IS NOT NULL AND a.place < $6::bigint
),
ring AS MATERIALIZED (
    SELECT tenant, place FROM ahead WHERE tenant IS NOT NULL
    UNION ALL
    SELECT tenant, place FROM around WHERE tenant IS NOT NULL
),
share AS (
    SELECT 1 + 2 * $6::bigint / (1 + count(*)) AS most FROM ring
),
turns AS (
    SELECT x.id, x.place, row_number() OVER (PARTITION BY x.place ORDER BY x.rank, x.id) AS turn
    FROM (
        SELECT y.id, y.rank, r.place FROM ring r CROSS JOIN LATERAL (
            SELECT j.id, j.rank FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NULL AND j.tenant IS NOT NULL AND j.tenant = r.tenant
            ORDER BY j.rank, j.id LIMIT (SELECT most FROM share)
        ) y
        WHERE r.tenant <> ''
        UNION ALL
        SELECT z.id, z.rank, r.place FROM ring r CROSS JOIN LATERAL (
            SELECT j.id, j.rank FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.lane IS NULL AND j.tenant IS NULL
            ORDER BY j.rank, j.id LIMIT (SELECT most FROM share)
        ) z
        WHERE r.tenant = ''
    ) x
),
claimed AS (
    UPDATE compline.job j
    SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1, worker = $2,
        claimed_at = coalesce($1::timestamptz, now())
    WHERE j.ctid = ANY (
        CASE
        WHEN NOT (SELECT yes FROM open) THEN '{}'::tid[]
        ELSE ARRAY(
            SELECT f.ctid FROM (SELECT id, turn, place FROM turns ORDER BY turn, place LIMIT $6::bigint) p
            JOIN compline.job f ON f.id = p.id WHERE f.state = 'available'
            ORDER BY p.turn, p.place LIMIT $4::bigint
            FOR UPDATE OF f SKIP LOCKED)
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
