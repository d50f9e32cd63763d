-- Models with where they stand, the newest first. Primary key of model for the order, or its unique id;
-- model_standing_of for where each stands.
SELECT m.id, m.sha256, m.name, m.version, m.schema_sha256, m.window_from, m.window_to, m.entries, m.path, m.made_by,
       m.made_at,
       (SELECT t.standing FROM model_standing AS t WHERE t.model = m.id ORDER BY t.seq DESC LIMIT 1) AS standing
FROM model AS m
WHERE (?1 IS NULL OR m.id = ?1)
      AND (?2 IS NULL OR m.name IN (SELECT value FROM json_each(?2)))
      AND (?3 IS NULL OR m.seq < (SELECT b.seq FROM model AS b WHERE b.id = ?3))
ORDER BY m.seq DESC
LIMIT ?4
