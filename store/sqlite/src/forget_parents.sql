-- Primary key of job_dependency.
DELETE FROM job_dependency WHERE parent IN (SELECT unhex(ended.value) FROM json_each(?1) AS ended)
