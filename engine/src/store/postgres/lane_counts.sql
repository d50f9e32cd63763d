-- How many jobs run and wait in each lane. Walks over the jobs that are limited; only people ask.
-- Index: job_running_in_lane, job_ready_in_lane.
SELECT lane, state = 'running' AS running, count(*) AS jobs FROM compline.job
WHERE state IN ('running', 'available') AND lane IS NOT NULL
GROUP BY 1, 2
