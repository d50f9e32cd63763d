-- ?1 holds [job, lane] per job. Primary key of job.
UPDATE job SET lane = given.lane
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS lane FROM json_each(?1)) AS given
WHERE job.id = given.id
