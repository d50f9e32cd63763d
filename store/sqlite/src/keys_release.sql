-- Frees the keys of ended jobs, except those that only time frees and those that a completed job keeps.
-- Primary keys of job_history and unique_key.
DELETE FROM unique_key
WHERE key IN (SELECT ended.unique_key
              FROM json_each(?1) AS gone
              CROSS JOIN job_history AS ended ON ended.id = unhex(gone.value)
              CROSS JOIN unique_key AS held ON held.key = ended.unique_key
              WHERE held.job_id = ended.id
                AND (held.release = 'at_end' OR (held.release = 'unless_completed' AND ended.state <> 'completed')))
