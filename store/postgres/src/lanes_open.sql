-- Whether a worker may claim from the lanes of a queue that it knows already: for the reasons that lanes.sql gives.
-- Index: worker_pkey, queue_pkey.
WITH alive AS MATERIALIZED (
    SELECT w.id FROM compline.worker w WHERE w.id = $2 AND w.ended_at IS NULL FOR SHARE
)
SELECT EXISTS (SELECT FROM alive)
   AND NOT EXISTS (SELECT FROM compline.queue q WHERE q.name = $3 AND q.paused_at IS NOT NULL
                   AND (q.resume_at IS NULL OR q.resume_at > coalesce($1::timestamptz, clock_timestamp())))
