-- Primary key of job.
DELETE FROM job WHERE id IN (SELECT unhex(ended.value) FROM json_each(?1) AS ended)
