-- available -> running for a batch of one queue in which jobs of tenants are ready: tenants take turns, the
-- first in rank of each first. Indexes: job_ready_by_tenant, job_ready and job_pkey. See claim.sql for the rest.
WITH RECURSIVE
alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $2 AND w.ended_at IS NULL FOR SHARE
),
open AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM alive)
       AND NOT EXISTS (SELECT FROM compline.queue q WHERE q.name = $3 AND q.paused_at IS NOT NULL) AS yes
),
tenants AS (
    (SELECT j.tenant FROM compline.job j
     WHERE j.queue = $3 AND j.state = 'available' AND j.tenant IS NOT NULL ORDER BY j.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.tenant IS NOT NULL AND j.tenant > t.tenant
            ORDER BY j.tenant LIMIT 1)
    FROM tenants t WHERE t.tenant IS NOT NULL
),
share AS (
    SELECT 1 + 2 * $4::bigint / (1 + count(*)) AS most FROM tenants
),
turns AS (
    SELECT x.id, x.rank, row_number() OVER (PARTITION BY x.tenant ORDER BY x.rank, x.id) AS turn
    FROM (
        SELECT y.id, y.rank, t.tenant FROM tenants t CROSS JOIN LATERAL (
            SELECT j.id, j.rank FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available' AND j.tenant = t.tenant
            ORDER BY j.rank, j.id LIMIT (SELECT most FROM share)
        ) y
        WHERE t.tenant IS NOT NULL
        UNION ALL
        -- Jobs without a tenant share one turn; looking a bounded way ahead finds them in time.
        (SELECT z.id, z.rank, NULL FROM (
            SELECT j.id, j.rank, j.tenant FROM compline.job j
            WHERE j.queue = $3 AND j.state = 'available'
            ORDER BY j.rank, j.id LIMIT 20 * $4::bigint
        ) z WHERE z.tenant IS NULL ORDER BY z.rank, z.id LIMIT $4::bigint)
    ) x
)
UPDATE compline.job j
SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1, worker = $2,
    claimed_at = coalesce($1::timestamptz, now())
WHERE j.ctid = ANY (
    CASE
    WHEN NOT (SELECT yes FROM open) THEN '{}'::tid[]
    ELSE ARRAY(
        SELECT f.ctid FROM (SELECT id, turn, rank FROM turns ORDER BY turn, rank, id LIMIT $4::bigint) p
        JOIN compline.job f ON f.id = p.id WHERE f.state = 'available'
        FOR UPDATE OF f SKIP LOCKED)
    END
)
RETURNING j.id, j.fence, j.attempt, j.max_attempts, j.rank, j.kind, j.args, j.tenant, j.tags, j.metadata
