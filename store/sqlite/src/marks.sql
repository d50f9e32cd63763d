-- Which of these were taken, and what they made. Primary key of trigger_mark.
SELECT mark, job_id FROM trigger_mark WHERE source = ?1 AND mark IN (SELECT value FROM json_each(?2))
