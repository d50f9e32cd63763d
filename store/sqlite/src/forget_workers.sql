-- Workers that ended before ?1 and hold nothing. What they did keeps their number, which is never given again.
-- Small: a row for each start of a process. Index job_held.
DELETE FROM worker WHERE ended_at < ?1 AND NOT EXISTS (SELECT 1 FROM job WHERE job.worker = worker.id)
RETURNING id
