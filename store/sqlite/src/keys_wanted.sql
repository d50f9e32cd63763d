-- The keys that ended jobs would need to live again, and who has them. Primary keys of job_history and unique_key.
SELECT ended.id AS id, ended.unique_key AS key, ended.unique_release AS release, held.job_id AS holder
FROM json_each(?1) AS named
CROSS JOIN job_history AS ended ON ended.id = unhex(named.value)
LEFT JOIN unique_key AS held ON held.key = ended.unique_key AND (held.until IS NULL OR held.until > ?2)
WHERE ended.unique_key IS NOT NULL
ORDER BY ended.id
