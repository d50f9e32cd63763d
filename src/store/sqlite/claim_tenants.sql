-- The tenants with a job to claim, those without one among them as null: one seek in job_ready per tenant.
WITH RECURSIVE tenant (name) AS (
    SELECT (SELECT min(tenant) FROM job WHERE queue = ?1 AND state = 'available' AND tenant >= '')
    UNION ALL
    SELECT (SELECT min(tenant) FROM job WHERE queue = ?1 AND state = 'available' AND tenant > tenant.name)
    FROM tenant
    WHERE tenant.name IS NOT NULL
)
SELECT name FROM tenant WHERE name IS NOT NULL
UNION ALL
SELECT NULL WHERE EXISTS (SELECT 1 FROM job WHERE queue = ?1 AND state = 'available' AND tenant IS NULL)
