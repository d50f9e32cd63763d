-- Index worker_alive.
SELECT id, name, version, started_at, beat, beat_at, lease_ms, queues
FROM worker
WHERE ended_at IS NULL
ORDER BY id
