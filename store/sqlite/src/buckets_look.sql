-- How many jobs run in each lane. Index job_held alone; as long as there are jobs that run.
SELECT lane, count(*) AS jobs FROM job WHERE worker IS NOT NULL AND lane IS NOT NULL GROUP BY lane
