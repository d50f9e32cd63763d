-- ?1 queue, ?2 until, ?3 who, ?4 why, ?5 now. A pause without an end, or with a later one, stays. Primary key of queue.
INSERT INTO queue (name, paused_at, paused_by, reason, resume_at) VALUES (?1, ?5, ?3, ?4, ?2)
ON CONFLICT (name) DO UPDATE
SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, reason = excluded.reason,
    resume_at = excluded.resume_at
WHERE queue.paused_at IS NULL OR queue.resume_at < excluded.resume_at
