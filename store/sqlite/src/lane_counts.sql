-- How many jobs run and wait in each lane. Walks over the jobs that run and those that wait limited; only people ask.
SELECT lane, 1 AS running, count(*) AS jobs FROM job WHERE worker IS NOT NULL AND lane IS NOT NULL GROUP BY lane
UNION ALL
SELECT lane, 0 AS running, count(*) AS jobs FROM job WHERE state = 'available' AND lane IS NOT NULL GROUP BY lane
