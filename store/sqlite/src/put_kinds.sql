-- Primary key of kind. ?1 holds [kind, queue, priority, max_attempts, encrypted, is_unique, internal, people, permission,
-- expires_us] per kind.
INSERT INTO kind (kind, queue, priority, max_attempts, encrypted, is_unique, internal, approval_people,
                  approval_permission, approval_expires_us)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
       value ->> 9
FROM json_each(?1)
WHERE true
ON CONFLICT (kind) DO UPDATE SET queue = excluded.queue, priority = excluded.priority,
    max_attempts = excluded.max_attempts, encrypted = excluded.encrypted, is_unique = excluded.is_unique,
    internal = excluded.internal, approval_people = excluded.approval_people,
    approval_permission = excluded.approval_permission, approval_expires_us = excluded.approval_expires_us
