-- What the registry and the configuration say of a kind. Index: kind_pkey.
INSERT INTO compline.kind AS k
    (kind, queue, priority, max_attempts, encrypted, is_unique, internal, approval_people, approval_permission,
     approval_expires_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (kind) DO UPDATE
SET queue = $2, priority = $3, max_attempts = $4, encrypted = $5, is_unique = $6, internal = $7, approval_people = $8,
    approval_permission = $9, approval_expires_us = $10
WHERE (k.queue, k.priority, k.max_attempts, k.encrypted, k.is_unique, k.internal, k.approval_people,
       k.approval_permission, k.approval_expires_us) IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8, $9, $10)
