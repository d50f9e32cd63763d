-- Primary key of kind. ?1 holds [kind, queue, priority, max_attempts, encrypted, is_unique, internal] per kind.
INSERT INTO kind (kind, queue, priority, max_attempts, encrypted, is_unique, internal)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?1)
WHERE true
ON CONFLICT (kind) DO UPDATE SET queue = excluded.queue, priority = excluded.priority,
    max_attempts = excluded.max_attempts, encrypted = excluded.encrypted, is_unique = excluded.is_unique,
    internal = excluded.internal
