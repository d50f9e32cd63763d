-- Who waits for these. Primary key of job_dependency.
SELECT edge.parent AS parent, edge.child AS child, edge.on_failure AS rule
FROM json_each(?1) AS ended
CROSS JOIN job_dependency AS edge ON edge.parent = unhex(ended.value)
