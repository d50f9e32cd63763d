-- Primary key of queue.
-- A pause that is over is none, and this one begins now. ?5 when it ends by itself.
INSERT INTO queue (name, paused_at, paused_by, reason, resume_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE
SET paused_at = CASE WHEN queue.resume_at <= excluded.paused_at THEN excluded.paused_at
                     ELSE coalesce(queue.paused_at, excluded.paused_at) END,
    paused_by = excluded.paused_by, reason = excluded.reason, resume_at = excluded.resume_at
