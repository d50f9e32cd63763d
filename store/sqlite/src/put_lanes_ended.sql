-- Those that a person may retry. ?1 holds [job, lane] per job. Primary key of job_history.
UPDATE job_history SET lane = given.lane
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS lane FROM json_each(?1)) AS given
WHERE job_history.id = given.id AND job_history.state <> 'completed'
