-- What became of these jobs: null while alive. Primary keys of job and job_history.
SELECT unhex(parent.value) AS id, ended.state AS state
FROM json_each(?1) AS parent
CROSS JOIN job_history AS ended ON ended.id = unhex(parent.value)
UNION ALL
SELECT alive.id, NULL
FROM json_each(?1) AS parent
CROSS JOIN job AS alive ON alive.id = unhex(parent.value)
