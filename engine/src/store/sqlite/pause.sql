-- Primary key of queue.
INSERT INTO queue (name, paused_at, paused_by, reason) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE
SET paused_at = coalesce(queue.paused_at, excluded.paused_at), paused_by = excluded.paused_by, reason = excluded.reason
