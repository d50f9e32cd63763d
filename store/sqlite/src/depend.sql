-- ?1 holds [parent, child, on_failure] per edge. Primary key of job_dependency.
INSERT INTO job_dependency (parent, child, on_failure)
SELECT unhex(edge.value ->> 0), unhex(edge.value ->> 1), edge.value ->> 2
FROM json_each(?1) AS edge
WHERE true
ON CONFLICT (parent, child) DO NOTHING
