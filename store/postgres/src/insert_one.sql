-- One row with everything: unique key, parents already counted, and so any live state.
INSERT INTO compline.job
    (id, state, max_attempts, budget, priority, waits_for, rank, run_at, created_at, kind, queue, args, unique_key,
     unique_release, tenant, tags, metadata, lane)
SELECT $2,
       (CASE WHEN $6::smallint > 0 THEN 'waiting' WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END
       )::compline.job_state,
       $3::smallint, $3::smallint, $4::smallint, $6, d.due + ($4::smallint - 5) * interval '1 minute', d.due, c.now,
       $7, $8, $9::json, $10, $15, $11, $12, $13::json, $16
FROM (SELECT coalesce($1::timestamptz, now()) AS now) c
CROSS JOIN LATERAL (
    -- A time in the past is now: it must not be a way to the front of the queue.
    SELECT greatest(c.now, coalesce($14::timestamptz, c.now + $5::bigint * interval '1 microsecond')) AS due
) d
