-- A newer wish for a job that has not begun. ?1 holds one list per job, ?2 is now. Primary key of job.
UPDATE job
SET priority = new.priority, rank = new.rank, run_at = new.run_at, tags = new.tags, metadata = new.metadata,
    args = new.args,
    -- It stays in its queue and with its tenant, and so in the buckets of those.
    lane = CASE WHEN job.queue = new.queue AND job.tenant IS new.tenant THEN new.lane ELSE job.lane END,
    state = CASE WHEN job.state = 'waiting' THEN 'waiting'
                 WHEN new.run_at <= ?2 THEN 'available'
                 WHEN job.state = 'retryable' THEN 'retryable'
                 ELSE 'scheduled' END
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS priority, value ->> 2 AS rank, value ->> 3 AS run_at,
             value ->> 4 AS tags, value ->> 5 AS metadata, value ->> 6 AS args, value ->> 7 AS queue, value ->> 8 AS tenant, value ->> 9 AS lane
      FROM json_each(?1)) AS new
WHERE job.id = new.id AND job.state IN ('scheduled', 'available', 'retryable', 'waiting')
RETURNING job.id AS id
