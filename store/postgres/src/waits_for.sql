-- Parents within the scope of whoever asks ($2); all of them still live. Index: job_dependency_child, job_pkey.
SELECT parent FROM compline.job_dependency
WHERE child = $1 AND ($2::text IS NULL OR EXISTS (SELECT FROM compline.job j WHERE j.id = parent AND j.tenant = $2))
ORDER BY parent
