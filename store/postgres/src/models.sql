-- Models with where they stand, the newest first. Indexes: model_pkey or model_name_version, model_seq for the order,
-- model_standing_of for where each stands.
SELECT m.id, m.sha256, m.name, m.version, m.schema_sha256, m.window_from, m.window_to, m.entries, m.path, m.made_by,
       m.made_at, s.standing
FROM compline.model m
CROSS JOIN LATERAL (
    SELECT t.standing FROM compline.model_standing t WHERE t.model = m.id ORDER BY t.seq DESC LIMIT 1
) s
WHERE ($1::text IS NULL OR m.id = $1)
      AND ($2::text[] IS NULL OR m.name = ANY ($2))
      AND ($3::text IS NULL OR m.seq < (SELECT b.seq FROM compline.model b WHERE b.id = $3))
ORDER BY m.seq DESC
LIMIT $4
