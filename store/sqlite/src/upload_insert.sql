-- Takes room for a file that is about to come.
INSERT INTO upload (id, tenant, state, name, bytes, created_at, created_by, expires_at)
VALUES (?2, ?3, 'receiving', ?4, ?5, ?1, ?6, ?1 + ?7)
