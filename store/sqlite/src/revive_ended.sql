-- Primary key of job_history.
DELETE FROM job_history WHERE id IN (SELECT unhex(named.value) FROM json_each(?1) AS named)
