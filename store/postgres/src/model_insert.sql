-- A model with the next version of its name; whoever asks has the lock. Index: model_name_version.
INSERT INTO compline.model (id, sha256, name, version, schema_sha256, window_from, window_to, entries, path, made_by, made_at)
VALUES ($2, $3, $4, (SELECT coalesce(max(m.version), 0) + 1 FROM compline.model m WHERE m.name = $4), $5, $6, $7, $8, $9,
        $10, coalesce($1::timestamptz, now()))
