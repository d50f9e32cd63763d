-- What hangs on these jobs. Primary key of job.
SELECT job.id AS id, job.has_dependents AS has_dependents, job.unique_key IS NOT NULL AS has_key,
       job.state = 'waiting' AS has_parents
FROM json_each(?1) AS named
CROSS JOIN job ON job.id = unhex(named.value)
