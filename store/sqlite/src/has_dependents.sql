-- Primary key of job.
UPDATE job SET has_dependents = 1
WHERE id IN (SELECT unhex(parent.value) FROM json_each(?1) AS parent) AND has_dependents = 0
