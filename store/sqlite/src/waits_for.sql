-- Parents within the scope of whoever asks (?2); all of them still live. Index job_dependency_child, primary key of job.
SELECT parent FROM job_dependency
WHERE child = ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM job WHERE id = parent AND tenant = ?2))
ORDER BY parent
