-- All of queue: those that were ever paused, for a tenant (?2) those that have jobs of its own, and not who paused them and why. One whose pause is over at ?1 is not paused.
SELECT name, iif(resume_at <= ?1, NULL, paused_at) AS paused_at, iif(resume_at <= ?1 OR ?2 IS NOT NULL, NULL, paused_by) AS paused_by,
       iif(resume_at <= ?1 OR ?2 IS NOT NULL, NULL, reason) AS reason, iif(resume_at <= ?1, NULL, resume_at) AS resume_at
FROM queue
WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM job WHERE job.queue = queue.name AND job.tenant = ?2)
