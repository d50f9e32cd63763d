-- Tokens in the order in which they came. Index: access_token_pkey.
SELECT t.id, t.name, t.hash, t.hash_before, t.before_until, t.permissions, t.tenant, t.networks, t.created_at,
       t.created_by, t.expires_at, t.rotated_at, t.revoked_at, t.used_at
FROM compline.access_token AS t
WHERE t.id > $1
ORDER BY t.id
LIMIT $2
