-- Primary key of schedule.
DELETE FROM schedule WHERE name = ?1
  AND (?2 IS NULL OR tenant = ?2)
RETURNING tenant
