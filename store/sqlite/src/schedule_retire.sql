-- Primary key of schedule.
UPDATE schedule SET retired_at = ?1, next_fire = NULL, revision = revision + 1 WHERE name = ?2 AND revision = ?3
