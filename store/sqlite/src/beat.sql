-- Primary key of worker.
UPDATE worker SET beat = beat + 1, beat_at = ?2 WHERE id = ?1 AND ended_at IS NULL
