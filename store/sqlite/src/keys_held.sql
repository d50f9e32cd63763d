-- Who holds these keys now; one whose time has passed is held by nobody. Primary key of unique_key.
SELECT held.key AS key, held.job_id AS id
FROM json_each(?1) AS wanted
CROSS JOIN unique_key AS held ON held.key = unhex(wanted.value)
WHERE held.until IS NULL OR held.until > ?2
