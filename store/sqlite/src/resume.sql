-- Primary key of queue.
UPDATE queue SET paused_at = NULL, paused_by = NULL, reason = NULL, resume_at = NULL
WHERE name = ?1 AND paused_at IS NOT NULL
