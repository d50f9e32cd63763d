-- As jobs_live.sql, without what may be large, and with how large it is. Primary key of job, from the newest.
SELECT id, kind, queue, state, tenant,
       (SELECT error FROM job_attempt WHERE job_id = job.id ORDER BY fence DESC LIMIT 1) AS error,
       octet_length(args) + coalesce(octet_length(metadata), 0)
           + coalesce((SELECT octet_length(error) FROM job_attempt WHERE job_id = job.id ORDER BY fence DESC LIMIT 1), 0) AS bytes
FROM job
WHERE true
