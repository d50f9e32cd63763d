-- How many jobs run and wait in each lane. Walks over the jobs that run and those that wait limited; only people ask.
-- Index: job_held, job_ready_in_lane.
SELECT lane, true AS running, count(*) AS jobs FROM compline.job
WHERE worker + 0 IS NOT NULL AND lane IS NOT NULL
GROUP BY lane
UNION ALL
SELECT lane, false AS running, count(*) AS jobs FROM compline.job
WHERE state = 'available' AND lane IS NOT NULL
GROUP BY lane
