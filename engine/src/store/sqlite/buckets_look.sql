-- How many jobs run in each lane. Index job_running_in_lane; as long as there are jobs that run limited.
SELECT lane, count(*) AS jobs FROM job WHERE state = 'running' AND lane IS NOT NULL GROUP BY lane
