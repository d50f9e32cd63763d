-- Which of these are still alive. Primary key of job.
SELECT job.id AS id
FROM json_each(?1) AS named
CROSS JOIN job ON job.id = unhex(named.value)
