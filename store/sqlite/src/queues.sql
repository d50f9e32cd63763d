-- Walks over the live jobs: as long as the work in hand, and only people ask.
SELECT job.queue AS name, job.state AS state, count(*) AS jobs,
       min(CASE WHEN job.state = 'available' THEN job.run_at END) AS oldest
FROM job
WHERE ?1 IS NULL OR job.tenant = ?1
GROUP BY job.queue, job.state
