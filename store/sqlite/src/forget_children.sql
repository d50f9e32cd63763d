-- Index job_dependency_child.
DELETE FROM job_dependency WHERE child IN (SELECT unhex(ended.value) FROM json_each(?1) AS ended)
