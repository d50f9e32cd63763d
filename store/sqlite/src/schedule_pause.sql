-- Primary key of schedule.
UPDATE schedule SET paused_at = coalesce(paused_at, ?1), paused_by = ?3, reason = ?4, next_fire = NULL,
    revision = revision + 1
WHERE name = ?2
  AND (?5 IS NULL OR tenant = ?5)
RETURNING tenant
