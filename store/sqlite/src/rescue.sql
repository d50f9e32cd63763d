-- Declares a worker dead whose counter stands still. Primary key of worker.
UPDATE worker SET ended_at = ?3 WHERE id = ?1 AND beat = ?2 AND ended_at IS NULL
