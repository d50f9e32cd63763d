-- As jobs_ended.sql, without what may be large, and with how large it is. Primary key of job_history, from the newest,
-- or index job_history_not_completed.
SELECT id, kind, queue, state, tenant,
       octet_length(args) + coalesce(octet_length(result), 0) + coalesce(octet_length(metadata), 0)
           + coalesce(octet_length(error), 0) AS bytes
FROM job_history AS job
WHERE true
