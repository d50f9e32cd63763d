-- Jobs of one kind and state that have been kept for long enough, oldest first. Index job_history_finished.
SELECT id FROM job_history
WHERE kind = ?1 AND state = ?2 AND finished_at < ?3
ORDER BY finished_at, id
LIMIT ?4
