-- The next ?3 tenants with a job to claim, behind ?2 who had the last turn, in a ring; those without one are null
-- in it and stand first. One seek in job_ready per tenant.
WITH RECURSIVE
ahead (name) AS (
    SELECT (SELECT min(tenant) FROM job WHERE queue = ?1 AND state = 'available' AND lane IS NULL AND tenant > ?2)
    UNION ALL
    SELECT (SELECT min(tenant) FROM job WHERE queue = ?1 AND state = 'available' AND lane IS NULL AND tenant > ahead.name)
    FROM ahead
    WHERE ahead.name IS NOT NULL
    LIMIT ?3
),
around (name) AS (
    SELECT (SELECT min(tenant) FROM job WHERE queue = ?1 AND state = 'available' AND lane IS NULL AND tenant > '' AND tenant <= ?2)
    UNION ALL
    SELECT (SELECT min(tenant) FROM job
            WHERE queue = ?1 AND state = 'available' AND lane IS NULL AND tenant > around.name AND tenant <= ?2)
    FROM around
    WHERE around.name IS NOT NULL
    LIMIT ?3
)
SELECT name FROM (
    SELECT 1 AS part, name FROM ahead WHERE name IS NOT NULL
    UNION ALL
    SELECT 2, NULL WHERE EXISTS (SELECT 1 FROM job WHERE queue = ?1 AND state = 'available' AND lane IS NULL AND tenant IS NULL)
    UNION ALL
    SELECT 3, name FROM around WHERE name IS NOT NULL
)
ORDER BY part, name
LIMIT ?3
