-- Makes a schedule, or replaces what it says if it is at the revision that was read. Index: schedule_pkey.
INSERT INTO compline.schedule AS s
    (name, source, definition, digest, enabled, next_fire, revision, created_at, changed_at, put_by)
SELECT $2, $3, $4::json, $5, $6, CASE WHEN $6 THEN $7::timestamptz END,
       -- One that was deleted and is made anew is at no revision that anybody has read before.
       (extract(epoch FROM n.now) * 1000000)::bigint, n.now, n.now, $10
FROM (SELECT coalesce($1::timestamptz, now()) AS now) n
-- A row that should be there and is not was deleted meanwhile.
WHERE $8::bigint IS NULL OR EXISTS (SELECT FROM compline.schedule WHERE name = $2)
ON CONFLICT (name) DO UPDATE SET
    source = excluded.source, definition = excluded.definition, digest = excluded.digest,
    enabled = excluded.enabled, revision = s.revision + 1, retired_at = NULL, last_error = NULL, error_at = NULL,
    changed_at = excluded.changed_at,
    -- A calendar that the configuration renews makes nobody else the author of what a person has put.
    put_by = CASE WHEN excluded.source = 'api' AND excluded.put_by = 'configuration' THEN s.put_by ELSE excluded.put_by END,
    next_fire = CASE WHEN s.paused_at IS NULL THEN excluded.next_fire END
WHERE s.revision = $8 AND ($9::text IS NULL OR s.tenant = $9)
RETURNING tenant
