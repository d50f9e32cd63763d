-- One entry that names the jobs which finish.sql will end, under the same conditions. Primary keys of job and
-- cancel_request. ?1 holds [job, fence, ran_us, result] per report, ?2 is now, ?3 the worker, ?4 its name.
INSERT INTO audit_entry (at, actor, action, object, outcome, jobs)
SELECT ?2, ?4, 'job.finish', 'job', 'completed', unhex(group_concat(hex(job.id), ''))
FROM json_each(?1) AS report
CROSS JOIN job ON job.id = unhex(report.value ->> 0)
WHERE job.fence = report.value ->> 1 AND job.state = 'running' AND job.worker = ?3
      AND job.has_dependents = 0 AND job.unique_key IS NULL
      AND NOT EXISTS (SELECT 1 FROM cancel_request AS cancel WHERE cancel.job_id = job.id)
HAVING count(*) > 0
