-- What became of these jobs, as far as they are within the scope (?2): null while alive. Primary keys of job and job_history.
SELECT unhex(parent.value) AS id, ended.state AS state
FROM json_each(?1) AS parent
CROSS JOIN job_history AS ended ON ended.id = unhex(parent.value) AND (?2 IS NULL OR ended.tenant = ?2)
UNION ALL
SELECT alive.id, NULL
FROM json_each(?1) AS parent
CROSS JOIN job AS alive ON alive.id = unhex(parent.value) AND (?2 IS NULL OR alive.tenant = ?2)
