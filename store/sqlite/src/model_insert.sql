-- A model with the next version of its name; nobody else writes meanwhile. Index: model_name_version.
INSERT INTO model (id, sha256, name, version, schema_sha256, window_from, window_to, entries, path, made_by, made_at)
VALUES (?2, ?3, ?4, (SELECT coalesce(max(m.version), 0) + 1 FROM model AS m WHERE m.name = ?4), ?5, ?6, ?7, ?8, ?9, ?10, ?1)
