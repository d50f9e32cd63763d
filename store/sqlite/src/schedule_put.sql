-- Makes a schedule, or replaces what it says if it is at the revision that was read. Primary key of schedule.
INSERT INTO schedule (name, source, definition, digest, enabled, next_fire, revision, created_at, changed_at, put_by)
-- One that was deleted and is made anew is at no revision that anybody has read before.
SELECT ?2, ?3, ?4, ?5, ?6, CASE WHEN ?6 THEN ?7 END, ?1, ?1, ?1, ?10
-- A row that should be there and is not was deleted meanwhile.
WHERE ?8 IS NULL OR EXISTS (SELECT 1 FROM schedule WHERE name = ?2)
ON CONFLICT (name) DO UPDATE SET
    source = excluded.source, definition = excluded.definition, digest = excluded.digest,
    enabled = excluded.enabled, revision = schedule.revision + 1, retired_at = NULL, last_error = NULL, error_at = NULL,
    changed_at = excluded.changed_at,
    -- A calendar that the configuration renews makes nobody else the author of what a person has put.
    put_by = CASE WHEN excluded.source = 'api' AND excluded.put_by = 'configuration' THEN schedule.put_by ELSE excluded.put_by END,
    next_fire = CASE WHEN schedule.paused_at IS NULL THEN excluded.next_fire END
WHERE schedule.revision = ?8 AND (?9 IS NULL OR schedule.tenant = ?9)
RETURNING tenant
