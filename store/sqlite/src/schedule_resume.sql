-- Primary key of schedule.
UPDATE schedule SET paused_at = NULL, paused_by = NULL, reason = NULL,
    next_fire = CASE WHEN enabled AND retired_at IS NULL THEN ?3 END, revision = revision + 1
WHERE name = ?1 AND revision = ?2
  AND (?4 IS NULL OR tenant = ?4)
RETURNING tenant
