-- No job is alive and ended, so whatever is in both tables was ended by finish.sql just now.
-- Primary keys of job_history and job.
DELETE FROM job
WHERE id IN (SELECT ended.id
             FROM json_each(?1) AS report
             CROSS JOIN job_history AS ended ON ended.id = unhex(report.value ->> 0))
