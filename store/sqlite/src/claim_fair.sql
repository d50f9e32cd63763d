-- In turns over the tenants of ?2, the first ?3 in rank of each. Index job_ready once per tenant.
SELECT job.id AS id, row_number() OVER (PARTITION BY tenant.key ORDER BY job.rank, job.id) AS turn
FROM json_each(?2) AS tenant
CROSS JOIN job ON job.id IN (SELECT first.id FROM job AS first
                             WHERE first.queue = ?1 AND first.state = 'available' AND first.lane IS NULL
                                   AND first.tenant IS tenant.value
                             ORDER BY first.rank, first.id
                             LIMIT ?3)
ORDER BY turn, tenant.key, job.rank
LIMIT ?4
