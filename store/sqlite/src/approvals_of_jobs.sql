-- What jobs wait for, or were never given. Index approval_job.
SELECT a.job_id, a.id, a.state
FROM json_each(?1) AS named
CROSS JOIN approval AS a ON a.job_id = unhex(named.value)
WHERE a.state <> 'used'
