-- Asks for what no job stands for, unless its author has asked for the same already and it is open. $1 now, $9 microseconds.
-- Index: approval_open.
WITH n AS (SELECT coalesce($1::timestamptz, now()) AS now),
open AS (
    SELECT a.id FROM compline.approval a CROSS JOIN n
    WHERE a.state IN ('pending', 'granted') AND a.expires_at > n.now AND a.job_id IS NULL AND a.author = $7 AND a.action = $3
      AND a.what = $4 AND a.tenant IS NOT DISTINCT FROM $8
      -- Another one, where the rule has become stricter since.
      AND a.people >= $10 AND a.permission = $11
    ORDER BY a.id LIMIT 1
),
asked AS (
    INSERT INTO compline.approval (id, action, what, salt, sha256, author, tenant, asked_at, expires_at, people, permission)
    SELECT $2, $3, $4, $5, $6, $7, $8, n.now, n.now + $9::bigint * interval '1 microsecond', $10, $11
    FROM n WHERE NOT EXISTS (SELECT FROM open)
    RETURNING id
)
SELECT id, true AS fresh FROM asked UNION ALL SELECT id, false FROM open
