-- Appends to worker (its primary key).
INSERT INTO worker (name, version, started_at, beat_at, lease_ms, queues) VALUES (?1, ?2, ?3, ?3, ?4, ?5)
RETURNING id
